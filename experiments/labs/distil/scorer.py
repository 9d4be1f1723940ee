"""A student in the place of a language model, for minds that weigh its answers.

A pair has one answer in all runs, as the teacher would give one: the student's prediction and a draw round it, decided
by who the person is and which item it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.distil.features import PairFeatures
from groundlings.experiments.labs.distil.student_file import StudentFile
from groundlings.personas.minds.calibrated_question import QuestionOptions, Scored
from groundlings.personas.population import Population
from groundlings.personas.taste.features import FEATURES, Evidence, version_of
from groundlings.recommenders.text_vectors import plain_vectors

_STEPS = 2**52


@dataclass(frozen=True)
class Question:
    """What the teacher was asked: names and hash of the prompt."""

    name: str
    sha256: str


class StudentScorer:
    """Answers about pairs, calls nobody.

    Args:
        file: The student.
        population: For ids, and what everybody met in training.
        evidence: The behavioural features of the same rows.
        dataset: Of the people.
        key: Where the student stands in the experiment file, for messages.

    Raises:
        ConfigError: The student is of other data, or of other behavioural features.
    """

    def __init__(
        self,
        file: StudentFile,
        population: Population,
        evidence: Evidence,
        dataset: Dataset,
        key: str = "mind.student",
    ) -> None:
        if not file.is_of(dataset):
            raise ConfigError(
                f"{key}: the student is of data {file.dataset_hash[:12]} and behavioural features "
                f"{file.evidence_version}, and this run has {dataset.fingerprint[:12]} and "
                f"{version_of(len(dataset.people))}; distil it from this data"
            )
        self._file, self._student, self._scatter = file, file.student, file.scatter
        self._ids, self._evidence = population.people.user_ids, evidence
        self._item_ids = population.catalog.item_ids
        self._pairs = PairFeatures.of(plain_vectors(population.catalog, file.width), population.train)
        self._histories = self._pairs.histories(population.train)

    @property
    def name(self) -> str:
        """See `PairScorer.name`."""
        return f"student of {self._file.teacher.model}"

    @property
    def fingerprint(self) -> str:
        """See `PairScorer.fingerprint`: SHA-256 over the file."""
        return f"sha256:{self._file.sha256}"

    @property
    def prompt(self) -> Question:
        """See `PairScorer.prompt`."""
        return Question(self._file.teacher.prompt, self._file.teacher.prompt_sha256)

    @property
    def options(self) -> QuestionOptions:
        """See `PairScorer.options`."""
        return self._file.teacher.question

    async def ask(self, user: int, items: Sequence[int]) -> list[Scored]:
        """See `PairScorer.ask`."""
        listed = np.array(items, dtype=np.int64)
        return [Scored(score, None) for score in self.scores(np.full(len(listed), user), listed).tolist()]

    async def ask_pairs(
        self,
        users: IntArray,
        items: IntArray,
        *,
        people_at_once: int = 1,  # noqa: ARG002 - nobody is waited for
        on_pairs: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> FloatArray:
        """See `PairScorer.ask_pairs`."""
        on_pairs(len(users), len(users))
        return self.scores(users, items)

    def scores(self, users: IntArray, items: IntArray) -> FloatArray:
        """One possible answer of the teacher about each pair, always the same, shape (n,)."""
        evidence = [self._evidence.column_of_pairs(name, users, items) for name in FEATURES]
        predicted = self._student.predict(self._pairs.of_pairs(evidence, items, self._histories[users]))
        whose = [self._ids[user] for user in users.tolist()]
        own = ndtri([_luck("student person", each) for each in whose])
        which = zip(whose, (self._item_ids[item] for item in items.tolist()), strict=True)
        return self._scatter.answers(predicted, own, np.array([_luck("student pair", *each) for each in which]))


def _luck(*names: object) -> float:
    """A number in (0, 1), a function of the names alone."""
    return (name_key(*names) % _STEPS + 0.5) / _STEPS
