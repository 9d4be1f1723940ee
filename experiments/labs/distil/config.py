"""The file that `groundlings distil` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.patterns import NAME
from groundlings.experiments.config.one_token import OneTokenModel
from groundlings.experiments.config.schema import PopulationConfig, SplitConfig
from groundlings.experiments.config.section import Section
from groundlings.experiments.labs.fidelity.config import ChoiceConfig
from groundlings.experiments.labs.train_mind.config import ExamplesConfig
from groundlings.personas.minds.calibrated_question import QuestionOptions
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.lost_pages import MAX_UNREADABLE

Rule = Literal["uniform", "uncertainty"]


class TeacherConfig(Section):
    """Who is asked, and what."""

    model: OneTokenModel = ModelConfig()
    """Which model answers; it must give log probabilities. `model.budget` is its cap."""
    question: QuestionOptions = QuestionOptions(latest=10, popularity=True)
    """How much of person and item it is shown."""
    scenes: Annotated[int, Field(ge=10, le=10_000_000)] = 60
    """Choices among five that the teacher answers too, of the test and of the validation third as many each: on them
    its student is compared with it. Each takes five questions."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = MAX_UNREADABLE
    """Above this share of answers that cannot be read the lab stops with exit status 1; 1 = never."""


class PairsConfig(Section):
    """Which pairs of person and item the student learns from: people outside the test and the validation third."""

    people: Annotated[int, Field(ge=20, le=10_000_000)] = 200
    """People at most, each at one moment."""
    candidates: Annotated[int, Field(ge=5, le=100_000)] = 20
    """Items of each person among which pairs are chosen, as many from each fifth of the items by popularity."""
    first: Annotated[int, Field(ge=50, le=100_000_000)] = 400
    """Pairs that every rule begins with, drawn uniformly over people and fifths."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)] = ("uniform", "uncertainty")
    """How further pairs are chosen, each rule for itself: `uniform` as the first ones, `uncertainty` those in which
    students of resampled people differ most."""
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 2
    """How often `uncertainty` chooses, with students that have learned from all pairs before."""
    per_round: Annotated[int, Field(ge=1, le=100_000_000)] = 100
    """Pairs that each rule adds in a round."""

    @field_validator("rules")
    @classmethod
    def _rules_differ(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if len(set(rules)) < len(rules):
            raise ValueError(f"each rule once, found {', '.join(rules)}")
        return rules


class StudentConfig(Section):
    """The regression that reproduces the answers."""

    width: Annotated[int, Field(ge=1, le=256)] = 16
    """Numbers of a text vector, of an item and of a history."""
    members: Annotated[int, Field(ge=5, le=1000)] = 20
    """Students of resampled people, by whose differences `uncertainty` chooses."""
    bins: Annotated[int, Field(ge=1, le=20)] = 5
    """Groups of equal size, by the predicted answer, whose residuals are drawn from."""


class DistilConfig(Section):
    """One student of a language model's answers."""

    name: Annotated[str, Field(pattern=NAME)]
    """Names the directory of the results."""
    description: str = ""
    """A sentence for the readers of the results."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """The seed of every random number."""
    dataset: DatasetConfig
    """The users, items and interactions; times are needed."""
    split: SplitConfig = SplitConfig()
    """`split.salt` decides the thirds: one is learned from, one chooses slopes and weights, and one is tested. What is
    earlier and later is said by `choice.later`."""
    population: PopulationConfig = PopulationConfig(size=300)
    """Number of users of the test third whose choices are judged, and of the validation third."""
    choice: ChoiceConfig = ChoiceConfig(scenes=2)
    """The choice among five by which scores are judged."""
    teacher: TeacherConfig = TeacherConfig()
    """Who is asked, and what."""
    pairs: PairsConfig = PairsConfig()
    """What the teacher is asked about."""
    student: StudentConfig = StudentConfig()
    """What reproduces its answers."""
    list_items: Annotated[int, Field(ge=2, le=40)] = 20
    """Items of a list by which the area under the ROC curve is measured, half of them really met."""
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 500
    """Resamples of users behind every interval."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""

    @property
    def examples(self) -> ExamplesConfig:
        """Whose moments are learned from: one of each person."""
        return ExamplesConfig(scenes=self.pairs.people, per_person=1, targets=1, others=4)
