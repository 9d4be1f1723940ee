"""A training from beginning to end: scenes, answers before, training, answers after, files, table."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.chat import ChatModel
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.loading import with_effect
from groundlings.experiments.labs.origin import origin_of
from groundlings.experiments.labs.train_mind.config import ADAPTER_DIRECTORY, MODEL_DIRECTORY, TrainMindConfig
from groundlings.experiments.labs.train_mind.examples import population_of, questions_of_training
from groundlings.experiments.labs.train_mind.installed import check_installed
from groundlings.experiments.labs.train_mind.probe import Memory, MemoryProbe, Told, weigh_memory
from groundlings.experiments.labs.train_mind.scenes import Ground, Material, draw_material, new_items
from groundlings.experiments.labs.train_mind.served import SCENES, ask_served
from groundlings.experiments.labs.train_mind.slices import draw_slices
from groundlings.experiments.running.events import SILENT, LabStep, Progress, on_download, on_note
from groundlings.personas.minds.calibrated_question import LanguageScorer

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network
    from groundlings.experiments.labs.train_mind.scoring import Said
    from groundlings.experiments.labs.train_mind.table import Row, Weight, Worth
    from groundlings.experiments.labs.train_mind.training import Trained
    from groundlings.experiments.labs.train_mind.weighing import Weighed

STEPS = 7
BEFORE, AFTER = "language model, before", "language model, after"
GGUF_NAME = "model.Q8_0.gguf"


@dataclass(frozen=True)
class Findings:
    """A finished training.

    Attributes:
        about: What was trained on what, plain JSON values.
        rows: One per scorer and figure.
        weights: What the model adds to each other score; none where no answer of it could be read.
        worth: "before" and "after": what the model adds per 1,000 tokens.
        slices: The trained model where text should win, one table each.
        memory: "before" and "after": what the model tells of whom it learned from.
    """

    about: Mapping[str, Any]
    rows: Sequence[Row]
    weights: Sequence[Weight]
    worth: Mapping[str, Sequence[Worth]]
    slices: Sequence[Weighed]
    memory: Mapping[str, Memory]

    def find(self, scorer: str, figure: str) -> Row:
        """One row."""
        return next(row for row in self.rows if (row.scorer, row.figure) == (scorer, figure))

    def as_dict(self) -> dict[str, Any]:
        """The content of `train_mind.json`."""
        return {
            "about": dict(self.about),
            "rows": [row.as_dict() for row in self.rows],
            "weights": [each.as_dict() for each in self.weights],
            "worth": {name: [each.as_dict() for each in found] for name, found in self.worth.items()},
            "slices": [each.as_dict() for each in self.slices],
            "memorisation": {name: each.as_dict() for name, each in self.memory.items()},
        }


def train_mind(
    config: TrainMindConfig, directory: Path, *, resume: bool = False, progress: Progress = SILENT
) -> Findings:
    """Train a model and weigh it; the model, its GGUF copy and a checkpoint are written to the directory.

    Raises:
        ConfigError: The extra is not installed.
        UserError: The message says what to do.
    """
    if config.base_model and not (config.base / config.base_model).exists():
        raise ConfigError(f"base_model: there is no {config.base / config.base_model}; correct the path")
    check_installed()
    from groundlings.experiments.labs.train_mind.network import device_of, read_model, use_threads

    device = device_of(config.training)  # before scenes are drawn, which takes long
    use_threads(config.training.threads, config.seed)
    began = time.monotonic()
    progress.event(LabStep(0, STEPS, "scenes"))
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    ground = Ground(config, dataset)
    material = draw_material(ground, new_items(ground))
    base = base_of(config, progress)
    model, tokenizer = read_model(base)
    bench = _Bench(ground, material, model.to(device), tokenizer, base, directory, progress)
    findings = bench.run(resume=resume)
    findings.about["seconds"]["in all"] = round(time.monotonic() - began, 1)
    return findings


class _Bench:
    """Holds what the steps of one training share."""

    def __init__(
        self,
        ground: Ground,
        material: Material,
        model: Any,
        tokenizer: Any,
        base: Path,
        directory: Path,
        progress: Progress,
    ) -> None:
        from groundlings.experiments.labs.train_mind.token_trees import Prompts, answer_tokens

        self._ground, self._config, self._material = ground, ground.config, material
        self._model, self._tokenizer, self._base, self._directory = model, tokenizer, base, directory
        self._progress = progress
        self._spellings = answer_tokens(tokenizer)
        self._questions = questions_of_training(ground, material)
        self._prompts = {name: Prompts(tokenizer, each) for name, each in self._questions.items()}

    def run(self, *, resume: bool) -> Findings:
        """See `train_mind`."""
        said, told = {}, {}
        self._step(1, "answers before training")
        said["before"], told["before"] = self._first_answers(resume=resume)
        self._step(2, "training")
        trained, merged = self._train(resume=resume)
        self._step(3, "answers after training")
        network = self._network(merged)
        said["after"], told["after"] = self._ask(network)
        self._step(4, "model files")
        files = self._write(merged)
        slices = self._slices(network)
        self._step(6, "table")
        rows, weights, worth = self._table(said)
        chance = self._ground.chance("probe")
        memory = {name: weigh_memory(each, self._config.bootstrap, chance) for name, each in told.items()}
        about = self._about(said, trained)
        about["files"] = files
        about["served"] = self._served(said["after"]) if "gguf" in files else None
        about["seconds"] = {"training": round(trained.seconds, 1)}
        return Findings(about, rows, weights, worth, slices, memory)

    def _first_answers(self, *, resume: bool) -> tuple[Said, Told]:
        """What the model says before it is trained; whoever goes on does not ask again."""
        from groundlings.experiments.labs.train_mind.first_answers import first_answers, keep_first_answers

        kept = first_answers(self._directory, self._identity()) if resume else None
        if kept is not None:
            return kept
        said, told = self._ask(self._network(self._model))
        keep_first_answers(self._directory, self._identity(), said, told)
        return said, told

    def _ask(self, network: Network) -> tuple[Said, Told]:
        """What a network says of all groups, and of whom is learned from."""
        from groundlings.experiments.labs.train_mind.scoring import ask_network, groups_of

        probe = MemoryProbe(self._material, self._prompts, self._ground.chance("titles of the probe"))
        return ask_network(network, self._prompts, groups_of(self._material)), probe.ask(network)

    def _train(self, *, resume: bool) -> tuple[Trained, Any]:
        """What the training took, and the model with its adapter merged; the adapter itself is written."""
        from groundlings.experiments.labs.train_mind.network import save_adapter, with_adapter
        from groundlings.experiments.labs.train_mind.training import Trainer

        training = self._config.training
        changing = with_adapter(self._model, training.rank) if training.weights == "lora" else self._model
        trainer = Trainer(
            self._network(changing), self._prompts["learned"], self._material.learned, training, self._directory,
            seed=self._config.seed, identity=self._identity(),
        )  # fmt: skip
        if resume:
            trainer.resume()
        trained = trainer.train(lambda done, total, loss: self._step(2, f"training {done}/{total}, loss {loss:.3f}"))
        if training.weights == "full":
            return trained, changing
        save_adapter(changing, self._base, self._directory / ADAPTER_DIRECTORY)
        return trained, changing.merge_and_unload()

    def _table(self, said: Mapping[str, Said]) -> tuple[list[Row], list[Weight], dict[str, list[Worth]]]:
        """Rows of all scorers; what the trained model adds; and what tokens are worth before and after."""
        from groundlings.experiments.labs.train_mind.scoring import baselines, groups_of, taste_of
        from groundlings.experiments.labs.train_mind.table import Table, worth_of

        known = baselines(self._ground, self._material, taste_of(self._ground, self._material))
        table = Table(groups_of(self._material), self._config.bootstrap, self._ground.chance("people"))
        rows = table.rows({**known, BEFORE: said["before"].scores, AFTER: said["after"].scores})
        weights = {name: table.weights(each.scores, known) for name, each in said.items()}
        worth = {name: worth_of(weights[name], each.asked, each.tokens) for name, each in said.items()}
        return rows, weights["after"], worth

    def _slices(self, network: Network) -> list[Weighed]:
        from groundlings.experiments.labs.train_mind.weighing import weigh

        materials = draw_slices(self._ground, self._material)

        def tell(name: str, done: int, total: int) -> None:
            self._step(5, f"answers, {name}: {done}/{total} scenes")

        return list(weigh(self._ground, materials, network, self._tokenizer, AFTER, tell))

    def _network(self, model: Any) -> Network:
        from groundlings.experiments.labs.train_mind.network import Network, precision_of

        return Network(model, self._spellings, precision_of(self._config.training))

    def _step(self, number: int, name: str) -> None:
        self._progress.event(LabStep(number, STEPS, name))

    def _identity(self) -> str:
        """What a checkpoint must have been made from; slices that are only asked about afterwards change nothing."""
        known = with_effect(self._config)
        slices = known.pop("slices")
        if slices["new_items"]:
            known["new_items"] = slices["new_items"]
        trained = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        content = json.dumps([trained, self._ground.dataset.fingerprint, self._base.name])
        return hashlib.sha256(content.encode()).hexdigest()

    def _write(self, model: Any) -> dict[str, str]:
        """Write the model's directory, and the GGUF copy where the base is a GGUF file; names what was written."""
        from groundlings.experiments.labs.train_mind.gguf_copy import write_gguf
        from groundlings.experiments.labs.train_mind.network import save_model

        save_model(model, self._tokenizer, self._directory / MODEL_DIRECTORY)
        files = {"model": MODEL_DIRECTORY}
        if self._config.training.weights == "lora":
            files["adapter"] = ADAPTER_DIRECTORY
        if self._base.is_file():
            write_gguf(model, self._base, self._directory / GGUF_NAME)
            files["gguf"] = GGUF_NAME
        return files

    def _served(self, said: Said) -> dict[str, Any] | None:
        """How the served GGUF copy compares on some test scenes; None where it cannot be served here."""
        five = self._material.groups.test.lists.items[:SCENES]
        scores = said.scores["test five"][:SCENES].ravel()
        copy = self._directory / GGUF_NAME

        def words(model: ChatModel) -> LanguageScorer:
            counts = self._material.groups.statistics
            people = population_of(self._ground.dataset, self._material.groups.test, counts)
            return LanguageScorer(people, model, self._config.question, counts.item_counts)

        found = asyncio.run(ask_served(copy, words, five.tolist(), scores))
        return None if found is None else asdict(found)

    def _about(self, said: Mapping[str, Said], trained: Trained) -> dict[str, Any]:
        material, losses = self._material, trained.losses
        learned, questions = material.learned.lists, self._questions["learned"]
        return {
            **origin_of(self._config, self._ground.dataset),
            "base_model": self._base.name,
            "prompt": {"name": questions.prompt.name, "sha256": questions.prompt.sha256},
            "learned": {
                "people": len(np.unique(material.learned.users)),
                "scenes": len(learned.items),
                "decisions": int(learned.listed.sum()),
                "real": int(learned.positive.sum()),
                "selection": asdict(material.selection),
            },
            "tested": {
                "people": len(np.unique(material.groups.test.users)),
                "scenes": len(material.groups.test),
                "lists": len(material.test_lists),
            },
            "asked": {
                name: {"questions": each.asked, "unreadable": each.unreadable, "tokens": each.tokens}
                for name, each in said.items()
            },
            "training": {
                **{key: value for key, value in asdict(trained).items() if key != "losses"},
                "loss": {"first": losses[0], "last": float(np.mean(losses[-20:]))},
            },
        }


def base_of(config: TrainMindConfig, progress: Progress = SILENT) -> Path:
    """The weights that a training starts from; those of the embedded model are fetched where the file names none."""
    from groundlings.simulator.language.weights import fetch_weights

    if config.base_model:
        return config.base / config.base_model
    return asyncio.run(fetch_weights(progress=on_download(progress)))
