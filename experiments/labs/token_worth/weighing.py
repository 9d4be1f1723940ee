"""The table: what each way of asking adds to a choice among five, in all and per 1,000 tokens.

    gain      log-loss of a choice by the rival alone, less that of a choice by rival and answer together, in nats a
              choice; both conditional logits (McFadden 1974), weights fitted on the validation third, log-loss on the
              test third, mean over each person's choices and then over people, with an interval over people
    rivals    nothing (each of five equally likely: 1.609 nats), popularity, and the evidence of the behavioural mind,
              both on the scale that does best on the validation third

A choice with a reply that could not be read is in no gain of its mind, nor in the rival's beside it; its tokens count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.experiments.labs.distil.features import PairFeatures
from groundlings.experiments.labs.distil.student_file import StudentFile
from groundlings.experiments.labs.fidelity.choice_of_five import Said, choice_logit, measure_scenes
from groundlings.experiments.labs.fidelity.list_features import Numbers
from groundlings.experiments.labs.fidelity.scenes import CHOICES, SceneGroups, Scenes, draw_scenes
from groundlings.experiments.labs.token_worth.asking import Answers, Asked, Bill, OnScenes, ask_mind
from groundlings.experiments.labs.train_mind.scenes import Ground
from groundlings.experiments.labs.train_mind.scoring import EVIDENCE, POPULARITY, Scores, baselines_of
from groundlings.experiments.labs.train_mind.table import Table, Weight
from groundlings.personas.taste.model import fit_taste
from groundlings.recommenders.text_vectors import plain_vectors

NOTHING = "nothing"
TEST, VALIDATION = "test five", "validation five"
BESIDE = (NOTHING, POPULARITY, EVIDENCE)
"""What each mind is weighed beside."""


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes:
        mind: Who decides.
        choices, left_out: Of the test third: asked about, and those with a reply that could not be read.
        bill: What all its answers took, those on the validation third included.
        gains: What it adds to each rival; none where no answer could be read.
    """

    mind: str
    choices: int
    left_out: int
    bill: Bill
    gains: Sequence[Weight]

    def per_1000(self, gain: Weight) -> tuple[float, float | None, float | None] | None:
        """A gain per 1,000 tokens of a choice, with its interval; None where there are no tokens."""
        if not self.bill.tokens:
            return None
        scale = 1000 * self.bill.decisions / (CHOICES * self.bill.tokens)
        low, high = (None if end is None else scale * end for end in (gain.saved_low, gain.saved_high))
        return scale * gain.saved, low, high

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        gains = [each.as_dict() | {"per_1000_tokens": self.per_1000(each)} for each in self.gains]
        return asdict(self) | {"gains": gains}


@dataclass(frozen=True)
class TokenWorth:
    """A finished table: who was asked about, and its lines."""

    people: int
    choices: int
    lines: Sequence[Line]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"people": self.people, "choices": self.choices, "lines": [each.as_dict() for each in self.lines]}


def weigh_tokens(
    ground: Ground,
    minds: Sequence[Asked],
    students: Mapping[str, StudentFile],
    on_scenes: OnScenes = lambda _name, _done, _total: None,
) -> TokenWorth:
    """Ask all minds about the same choices and weigh what they say.

    Args:
        ground: The data; its `population.size` is the number of people of each of both thirds.
        minds: Who is asked.
        students: Name -> a student of this data.
        on_scenes: Is told which mind has answered how many scenes.

    Raises:
        ConfigError: A student is of other data.
        UserError: A model cannot be had.
    """
    config, dataset = ground.config, ground.dataset
    for name, file in students.items():
        if not file.is_of(dataset):
            raise ConfigError(f"{name}: the student is of other data than {dataset.name}; distil it from this data")
    both = draw_scenes(ground)
    groups = {TEST: both.test, VALIDATION: both.validation}
    taste = fit_taste(dataset, both.statistics, salt=config.split.salt, seed=config.seed)
    measured = {name: measure_scenes(ground, both.statistics, taste, each) for name, each in groups.items()}
    said = {
        name: Answers(_student_scores(ground, file, both, groups, measured), Bill(0)) for name, file in students.items()
    }
    for asked in minds:
        said[asked.name] = ask_mind(asked, dataset, groups, both.statistics, config.seed, on_scenes)
    known = baselines_of(both.statistics, groups, measured)
    rivals = {NOTHING: {name: np.zeros(each.lists.items.shape) for name, each in groups.items()}}
    rivals |= {name: _on_best_scale(known[name], both.validation) for name in (POPULARITY, EVIDENCE)}
    table = Table(groups, config.bootstrap, ground.chance("token worth"))
    lines = [
        _line(table, name, Answers(rivals[name], Bill(0)), {NOTHING: rivals[NOTHING]})
        for name in (POPULARITY, EVIDENCE)
    ]
    lines += [_line(table, name, each, rivals) for name, each in said.items()]
    return TokenWorth(len(np.unique(both.test.users)), len(both.test), lines)


def _line(table: Table, name: str, answers: Answers, rivals: Mapping[str, Scores]) -> Line:
    lost = np.asarray(np.isnan(answers.scores[TEST]).any(axis=1))
    return Line(name, len(lost), int(lost.sum()), answers.bill, table.weights(answers.scores, rivals))


def _on_best_scale(scores: Scores, validation: Scenes) -> dict[str, FloatArray]:
    """Log probabilities among five, by the scale that does best on the validation third."""
    chances = choice_logit(Said("", "trivial", scores[TEST], scores[VALIDATION]), validation)
    return {name: chances(scores[name]) for name in (TEST, VALIDATION)}


def _student_scores(
    ground: Ground,
    file: StudentFile,
    both: SceneGroups,
    groups: Mapping[str, Scenes],
    measured: Mapping[str, Mapping[str, Numbers]],
) -> dict[str, FloatArray]:
    """One possible answer of the teacher about each item, as a run draws it."""
    pairs = PairFeatures.of(plain_vectors(ground.dataset.catalog, file.width), both.statistics)
    found = {}
    for name, scenes in groups.items():
        predicted = file.student.predict(pairs.measure(scenes, measured[name]))
        whose = np.repeat(scenes.users, predicted.shape[1])
        drawn = file.scatter.draw(predicted.ravel(), whose, ground.chance("student", name))
        found[name] = drawn.reshape(predicted.shape)
    return found
