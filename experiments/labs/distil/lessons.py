"""The order in which the teacher is asked: choices of people who are judged, first pairs, then what each rule adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.experiments.labs.distil.asking import Group, Teacher
from groundlings.experiments.labs.distil.choosing import choose_uncertain, choose_uniformly
from groundlings.experiments.labs.distil.config import DistilConfig, Rule
from groundlings.experiments.labs.distil.ground import LEARNED, Prepared
from groundlings.experiments.labs.distil.student import Student, fit_student, members

FIRST, JUDGED = "first pairs", "choice among five"
"""What the table says of who chose a pair, beside the names of rules."""

JUDGED_GROUPS = {"test five": "test", "validation five": "validation"}
"""Scenes that the teacher answers as well -> the third they are of."""

FEWEST_ANSWERS = 30
"""With fewer readable answers than this nothing is learned from them."""


@dataclass(frozen=True)
class Lessons:
    """What the teacher said.

    Attributes:
        answers: Log-odds of the candidates, shape (n_people, n_candidates); NaN where nobody asked or the answer could
            not be read.
        asked: Rule -> the candidates it chose, the first pairs among them, same shape.
        judged: By the names of `JUDGED_GROUPS`: log-odds of the items of the choices among five, NaN likewise.
        judged_asked: Which of those the teacher was asked about.
    """

    answers: FloatArray
    asked: Mapping[Rule, BoolArray]
    judged: Mapping[str, FloatArray]
    judged_asked: Mapping[str, BoolArray]

    @property
    def everything(self) -> BoolArray:
        """The candidates that any rule chose."""
        return np.logical_or.reduce(list(self.asked.values()))


def most_questions(config: DistilConfig) -> int:
    """How many questions a file asks at most; fewer where rules choose the same pairs."""
    pairs = config.pairs
    return 2 * 5 * config.teacher.scenes + pairs.first + len(pairs.rules) * pairs.rounds * pairs.per_round


async def ask_everything(prepared: Prepared, groups: Mapping[str, Group], teacher: Teacher) -> Lessons:
    """Ask in the order of the module.

    Raises:
        DataError: Too few answers can be read to learn anything.
        TooMuchUnreadable: More cannot be read than is allowed.
    """
    config, chance = prepared.ground.config, prepared.ground.chance
    judged, judged_asked = {}, {}
    for name in JUDGED_GROUPS:
        listed = prepared.scenes[name].lists.listed
        some = chance("judged", name).permutation(len(listed))[: config.teacher.scenes]
        judged_asked[name] = listed & np.isin(np.arange(len(listed)), some)[:, None]
        judged[name] = await teacher.ask(groups[name], judged_asked[name], JUDGED)
    listed = prepared.scenes[LEARNED].lists.listed
    first = choose_uniformly(listed, config.pairs.first, chance("first"))
    answers = await teacher.ask(groups[LEARNED], first, FIRST)
    if (read := int((~np.isnan(answers)).sum())) < FEWEST_ANSWERS:
        raise DataError(
            f"teacher: {read} of {int(first.sum())} answers could be read, and a student needs {FEWEST_ANSWERS} at "
            "least; raise pairs.first, or choose another model (teacher.model)"
        )
    asked: dict[Rule, BoolArray] = {}
    for rule in config.pairs.rules:
        known = first
        for number in range(config.pairs.rounds):
            more = _choose(prepared, rule, answers, known, listed, number)
            if not more.any():
                break
            added = await teacher.ask(groups[LEARNED], more, rule)
            answers = np.where(more, added, answers)
            known = known | more
        asked[rule] = known
    teacher.finish()
    return Lessons(answers, asked, judged, judged_asked)


def _choose(
    prepared: Prepared, rule: Rule, answers: FloatArray, known: BoolArray, listed: BoolArray, number: int
) -> BoolArray:
    """The pairs of a rule's next round, by what this rule has asked so far."""
    config, chance = prepared.ground.config, prepared.ground.chance("round", rule, number)
    left, count = listed & ~known, config.pairs.per_round
    if rule == "uniform":
        return choose_uniformly(left, count, chance)
    features, read = prepared.features[LEARNED], known & ~np.isnan(answers)
    student = learn(prepared, answers, read, prepared.scale)
    resampled = members(student, features[read], answers[read], people_of(read), config.student.members, chance)
    predicted = np.stack([each.predict(features) for each in resampled])
    spread = 2 * -(-count // max(len(listed), 1))
    return choose_uncertain(left, predicted, count, spread, chance)


def learn(prepared: Prepared, answers: FloatArray, which: BoolArray, scale: FloatArray) -> Student:
    """The student of some readable answers about candidates.

    Args:
        prepared: For the features.
        answers: Shape (n_people, n_candidates).
        which: What is learned from, same shape.
        scale: Of each column; 0 leaves one out.
    """
    return fit_student(prepared.features[LEARNED][which], answers[which], people_of(which), scale)


def people_of(which: BoolArray) -> IntArray:
    """Whose each of the chosen pairs is, in the order of `array[which]`; candidates have a row for each person."""
    return np.asarray(np.nonzero(which)[0])
