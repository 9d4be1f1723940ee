"""The file that `groundlings train-mind` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.paths import NamedPath
from groundlings.environments.patterns import NAME
from groundlings.experiments.config.schema import PopulationConfig, SplitConfig
from groundlings.experiments.config.section import Section
from groundlings.experiments.labs.fidelity.config import ChoiceConfig
from groundlings.personas.minds.calibrated_question import QuestionOptions

CHECKPOINT = "checkpoint.pt"
"""In the directory of a training: what `--resume` goes on from."""

FIRST_ANSWERS = "first_answers.json"
"""Beside it: what the model said before its training, which `--resume` does not ask again."""

MODEL_DIRECTORY = "model"
"""In the directory of a training: the model, as transformers and vLLM read it."""

ADAPTER_DIRECTORY = "adapter"
"""In the directory of a training with `weights: lora`: what it changed, in the form of PEFT."""

RECORDS = "train_mind.json"
"""Beside the model: how it was trained, and what it is worth."""

EVALUATION = "evaluation.json"
"""What `--evaluate` writes."""


class ExamplesConfig(Section):
    """What is learned from: moments of people outside the test and the validation third."""

    scenes: Annotated[int, Field(ge=8, le=10_000_000)] = 2_000
    """Moments, spread evenly over people. All items of one moment share what comes before them in the prompt, and are
    computed together."""
    per_person: Annotated[int, Field(ge=1, le=1_000_000)] = 4
    """Moments of a person at most."""
    targets: Annotated[int, Field(ge=1, le=32)] = 6
    """Items that the person really met next, of one moment at most."""
    others: Annotated[int, Field(ge=4, le=90)] = 24
    """Items that the person never met, of one moment at most; drawn as those of the choice among five."""
    choose: Literal["all", "hard", "diverse"] = "all"
    """Which moments are learned from: all that are drawn; those whose choices popularity and item kNN find the least
    likely; or those that differ the most in people and items."""
    candidates: Annotated[int, Field(ge=1, le=50)] = 4
    """Moments that are drawn for each one that is kept, where there are so many; not read with `choose: all`."""

    @property
    def drawn(self) -> int:
        """Moments that are drawn."""
        return self.scenes if self.choose == "all" else self.scenes * self.candidates


class PreferenceConfig(Section):
    """The preference loss, DPO (Rafailov et al. 2023), beside the other losses or instead of them.

    Minus log sigmoid(beta * how much further apart the log-odds of a real item and of another lie than before the
    training), over all pairs of a scene. Unlike the loss of the choice it holds the model to what it said before.
    """

    weight: Annotated[float, Field(gt=0)] = 1.0
    """Of this loss."""
    beta: Annotated[float, Field(gt=0, le=100)] = 0.1
    """How soon a pair is far enough apart: the smaller, the further the model may go from what it said before."""


class TrainingConfig(Section):
    """How weights are changed."""

    weights: Literal["lora", "full"] = "lora"
    """`lora` adds matrices of low rank to all linear layers (Hu et al. 2022) and merges them at the end; `full` changes
    every weight, which takes some eight times the model's size in memory."""
    rank: Annotated[int, Field(ge=1, le=512)] = 32
    """Of the added matrices; `lora` only."""
    learning_rate: Annotated[float, Field(gt=0, le=0.1)] = 1e-3
    """The highest, of AdamW; it rises over the first twentieth of the steps and falls to a tenth."""
    choice_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the loss of the choice: minus the log of the share of a real item among itself and the others."""
    answer_weight: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the loss of the answer: minus the log of the probability of the right word among all words."""
    preference: PreferenceConfig | None = None
    """The preference loss, whose reference is the model without the adapter, so `lora` only; none if absent. It takes
    a third more time."""
    scenes_per_step: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Moments between two changes of the weights."""
    passes: Annotated[int, Field(ge=1, le=20)] = 1
    """How often each moment is learned from."""
    checkpoint_every: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Steps between two checkpoints, from which `--resume` goes on."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it computes; `auto` takes a GPU where PyTorch finds one."""
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the multiplications; weights that change are kept in float32."""
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """Threads of PyTorch; 0 leaves it to PyTorch."""

    @model_validator(mode="after")
    def _something_is_learned(self) -> TrainingConfig:
        if not self.choice_weight and not self.answer_weight and self.preference is None:
            raise ValueError("choice_weight, answer_weight: found 0 twice, and nothing is learned; raise one of them")
        if self.preference is not None and self.weights != "lora":
            raise ValueError(
                "preference: found it with `weights: full`; expected `weights: lora`, whose adapter can be switched "
                "off for the reference"
            )
        return self


class SlicesConfig(Section):
    """Where text should win: the same questions with little known of people, and about items that nobody has met."""

    short_histories: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = ()
    """Each is a slice of its own: so many of the latest interactions before the moment are known of a person, to the
    prompt and to all that the model is held against."""
    new_items: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of the items, drawn at random, that nothing is learned of and nothing is counted on; the slice asks about
    them alone. 0 leaves it out."""
    people: Annotated[int, Field(ge=2, le=10_000_000)] = 100
    """Users of the test third that a slice asks about at most, and of the validation third."""


class TrainMindConfig(Section):
    """One training of a language model on the choices of a data set's people."""

    name: Annotated[str, Field(pattern=NAME)]
    """Names the directory of the results."""
    description: str = ""
    """A sentence for the readers of the page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """The seed of every random number."""
    dataset: DatasetConfig
    """The users, items and interactions; times are needed."""
    split: SplitConfig = SplitConfig()
    """`split.salt` decides the thirds: one is learned from, one chooses slopes, and one is tested. What is earlier and
    later is said by `choice.later`."""
    population: PopulationConfig = PopulationConfig(size=300)
    """Number of users of the test third who are asked about, and of the validation third."""
    choice: ChoiceConfig = ChoiceConfig(scenes=2)
    """The choice among five that the model is weighed by."""
    base_model: NamedPath | None = None
    """What the training starts from: a directory as transformers saves them, or a GGUF file of the Llama family. None
    takes the embedded model."""
    question: QuestionOptions = QuestionOptions(latest=10, popularity=True)
    """How much of person and item the model is shown; `mind.question` of a live run must say the same."""
    examples: ExamplesConfig = ExamplesConfig()
    """What is learned from."""
    training: TrainingConfig = TrainingConfig()
    """How weights are changed."""
    slices: SlicesConfig = SlicesConfig()
    """Further tables beside that of all; none if absent."""
    list_items: Annotated[int, Field(ge=2, le=40)] = 20
    """Items of a list by which the area under the ROC curve is measured, half of them really met."""
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 500
    """Resamples of users behind every interval."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""
