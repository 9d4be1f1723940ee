"""What a student is worth: how well it reproduces its teacher, how it scatters, and what both know of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.distil.figures import Figure, Judged
from groundlings.experiments.labs.distil.ground import LEARNED, Prepared
from groundlings.experiments.labs.distil.lessons import JUDGED_GROUPS, Lessons, learn, people_of
from groundlings.experiments.labs.distil.student import Scatter, Student, scatter_of, unseen
from groundlings.experiments.labs.distil.student_file import Column, StudentFile, TeacherNamed
from groundlings.experiments.labs.train_mind.scoring import Scores, groups_of
from groundlings.experiments.labs.train_mind.table import Row, Table, Weight

STUDENT, DRAWN, TEACHER, WHERE_ASKED = "student", "student, drawn", "teacher", "student, where the teacher was asked"
EVERYTHING, SHUFFLED = "all answers", "shuffled answers"
_DRAWS = 20
"""Draws of each pair that the spread of draws is averaged over."""


@dataclass(frozen=True, slots=True)
class StudentRow:
    """How well one student reproduces the teacher.

    Attributes:
        student: What it has learned from.
        pairs, readable: Pairs that were asked about, and those of them it has learned from.
        penalty: Of its regression.
        unseen_r2: On its own pairs, each predicted by a student that knows nobody of the person's fifth.
        r2: On the choices among five of the test and the validation third.
        beside: The student that it is compared with; None for that of all answers.
        gain: `r2` less that of `beside`, of the same people and resamples.
    """

    student: str
    pairs: int
    readable: int
    penalty: float
    unseen_r2: Figure
    r2: Figure
    beside: str | None
    gain: Figure | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of one kind of answers about the same pairs, and their ratio to the teacher's."""

    of: str
    within: Figure
    between: Figure
    within_ratio: Figure
    between_ratio: Figure


@dataclass(frozen=True)
class Findings:
    """A finished distillation.

    Attributes:
        about: What was asked of whom, plain JSON values.
        students: One row per student, that of all answers first.
        spreads: Of the teacher, of the student's predictions, of its draws.
        rows: What scores are worth on people.
        weights: What student and teacher add to each other score, by name.
        features: Names of the student's columns.
        student, scatter: The student of all answers.
    """

    about: Mapping[str, Any]
    students: Sequence[StudentRow]
    spreads: Sequence[Spread]
    rows: Sequence[Row]
    weights: Mapping[str, Sequence[Weight]]
    features: Sequence[str]
    student: Student
    scatter: Scatter

    def find(self, scorer: str, figure: str) -> Row:
        """One row of what scores are worth."""
        return next(row for row in self.rows if (row.scorer, row.figure) == (scorer, figure))

    def as_dict(self) -> dict[str, Any]:
        """The content of `distil.json`."""
        return {
            "about": dict(self.about),
            "students": [asdict(each) for each in self.students],
            "spread": [asdict(each) for each in self.spreads],
            "rows": [each.as_dict() for each in self.rows],
            "weights": {name: [each.as_dict() for each in found] for name, found in self.weights.items()},
        }

    def student_as_dict(self) -> dict[str, Any]:
        """The content of `student.json`: what answers for everybody."""
        asked, ridge, scatter = self.about["asked"], self.student.ridge, self.scatter
        columns = zip(
            self.features, self.student.scale.tolist(), ridge.centre.tolist(), ridge.slopes.tolist(), strict=True
        )
        return StudentFile(
            teacher=TeacherNamed(
                model=asked["model"],
                fingerprint=asked["fingerprint"],
                prompt=asked["prompt"]["name"],
                prompt_sha256=asked["prompt"]["sha256"],
                question=self.about["question"],
            ),
            dataset_hash=self.about["dataset_hash"],
            evidence_version=self.about["evidence_version"],
            width=self.about["width"],
            mean=float(ridge.mean),
            penalty=self.student.penalty,
            columns=tuple(
                Column(name=name, scale=scale, centre=centre, slope=slope) for name, scale, centre, slope in columns
            ),
            between=scatter.between,
            edges=tuple(scatter.edges.tolist()),
            rests=tuple(map(tuple, scatter.rests.tolist())),
        ).model_dump(mode="json")


class Examination:
    """Judges students on people whom they have not learned from.

    Args:
        prepared: Scenes and features.
        lessons: What the teacher said.
    """

    def __init__(self, prepared: Prepared, lessons: Lessons) -> None:
        self._prepared, self._lessons, self._config = prepared, lessons, prepared.ground.config
        self._chance = prepared.ground.chance
        self._read = lessons.everything & ~np.isnan(lessons.answers)
        self._shuffled = lessons.answers.copy()
        self._shuffled[self._read] = self._chance("shuffled").permutation(lessons.answers[self._read])
        self.student = self._learn(lessons.everything, prepared.scale, lessons.answers)
        seen = self._unseen(self._read, prepared.scale, lessons.answers)
        whose = people_of(self._read)
        self.scatter = scatter_of(lessons.answers[self._read], seen, whose, self._config.student.bins)
        answers = [lessons.judged[name][self._known(name)] for name in JUDGED_GROUPS]
        self._judged = Judged.of(
            np.concatenate(answers), self._judged_people(), self._config.bootstrap, self._chance("judged people")
        )

    def students(self) -> list[StudentRow]:
        """That of all answers; of each rule's; of evidence and of text alone; and of answers in random order."""
        prepared, answers, everything = self._prepared, self._lessons.answers, self._lessons.everything
        of_text, scale = prepared.pairs.of_text, prepared.scale
        rules = {rule: f"pairs: {rule}" for rule in self._lessons.asked}
        kinds: dict[str, tuple[BoolArray, FloatArray, FloatArray]] = {
            EVERYTHING: (everything, scale, answers),
            **{rules[rule]: (which, scale, answers) for rule, which in self._lessons.asked.items()},
            "columns: evidence": (everything, np.where(of_text, 0.0, scale), answers),
            "columns: text": (everything, np.where(of_text, scale, 0.0), answers),
            SHUFFLED: (everything, scale, self._shuffled),
        }
        # Rules are compared with each other, as they have asked equally often; all others with that of all answers.
        first, *others = rules.values()
        beside = dict.fromkeys(kinds, EVERYTHING) | dict.fromkeys(others, first)
        r2 = {name: self._judged.r2(self._predicted(self._learn(*kind))) for name, kind in kinds.items()}
        floors = {name: None if name == EVERYTHING else beside[name] for name in kinds}
        return [
            self._row(name, *kind, r2[name], floor, None if floor is None else r2[floor])
            for (name, kind), floor in zip(kinds.items(), floors.values(), strict=True)
        ]

    def _row(
        self,
        name: str,
        which: BoolArray,
        scale: FloatArray,
        answers: FloatArray,
        r2: FloatArray,
        beside: str | None,
        floor: FloatArray | None,
    ) -> StudentRow:
        read = which & ~np.isnan(answers)
        own = Judged.of(answers[read], people_of(read), self._config.bootstrap, self._chance("people", name))
        return StudentRow(
            student=name,
            pairs=int(which.sum()),
            readable=int(read.sum()),
            penalty=self._learn(which, scale, answers).penalty,
            unseen_r2=Figure.of(own.r2(self._unseen(read, scale, answers))),
            r2=Figure.of(r2),
            beside=beside,
            gain=None if floor is None else Figure.of(r2 - floor),
        )

    def _learn(self, which: BoolArray, scale: FloatArray, answers: FloatArray) -> Student:
        return learn(self._prepared, answers, which & ~np.isnan(answers), scale)

    def spreads(self) -> list[Spread]:
        """Variances within and between people of the same pairs: teacher, predictions, draws."""
        predicted, chance = self._predicted(self.student), self._chance("spread of draws")
        whose = self._judged_people()
        draws = np.stack([self.scatter.draw(predicted, whose, chance) for _ in range(_DRAWS)])
        found = {
            TEACHER: self._judged.spread(self._judged.answers),
            "student, predictions": self._judged.spread(predicted),
            "student, draws": self._judged.spread(draws),
        }
        floor = found[TEACHER]
        return [
            Spread(
                name,
                *(Figure.of(each[part], 0) for part in ("within", "between")),
                *(Figure.of(_ratio(each[part], floor[part]), 0) for part in ("within", "between")),
            )
            for name, each in found.items()
        ]

    def people(self) -> tuple[list[Row], dict[str, list[Weight]]]:
        """What scores are worth on the choices and lists of people, and what student and teacher add."""
        prepared = self._prepared
        table = Table(groups_of(prepared.material), self._config.bootstrap, self._chance("test people"))
        known = prepared.baselines
        student = self._scores(self.student)
        floor = self._scores(self._learn(self._lessons.everything, prepared.scale, self._shuffled))
        teacher = {
            name: self._lessons.judged[name] if name in JUDGED_GROUPS else np.full(each.shape, np.nan)
            for name, each in student.items()
        }
        masked = {name: np.where(np.isnan(teacher[name]), np.nan, each) for name, each in student.items()}
        scorers = {
            **known, STUDENT: student, DRAWN: self._drawn(student), SHUFFLED: floor,
            TEACHER: teacher, WHERE_ASKED: masked,
        }  # fmt: skip
        added = {STUDENT: student, SHUFFLED: floor, TEACHER: teacher}
        return table.rows(scorers), {name: table.weights(own, known) for name, own in added.items()}

    def _scores(self, student: Student) -> Scores:
        return {
            name: np.where(scenes.lists.listed, student.predict(self._prepared.features[name]), np.nan)
            for name, scenes in self._prepared.scenes.items()
            if name != LEARNED
        }

    def _drawn(self, scores: Scores) -> Scores:
        """One possible answer of the teacher about each pair."""
        found = {}
        for name, values in scores.items():
            listed = ~np.isnan(values)
            chance = self._chance("draws", name)
            found[name] = np.full(values.shape, np.nan)
            whose = self._prepared.scenes[name].users[np.nonzero(listed)[0]]
            found[name][listed] = self.scatter.draw(values[listed], whose, chance)
        return found

    def _known(self, name: str) -> BoolArray:
        """Which pairs of judged scenes have an answer that could be read."""
        return np.asarray(~np.isnan(self._lessons.judged[name]))

    def _judged_people(self) -> IntArray:
        """Whose each judged pair is, by the data set's number."""
        scenes = self._prepared.scenes
        return np.concatenate([scenes[name].users[np.nonzero(self._known(name))[0]] for name in JUDGED_GROUPS])

    def _predicted(self, student: Student) -> FloatArray:
        """Of the judged pairs."""
        features = self._prepared.features
        return np.concatenate([student.predict(features[name][self._known(name)]) for name in JUDGED_GROUPS])

    def _unseen(self, which: BoolArray, scale: FloatArray, answers: FloatArray) -> FloatArray:
        return unseen(self._prepared.features[LEARNED][which], answers[which], people_of(which), scale)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
