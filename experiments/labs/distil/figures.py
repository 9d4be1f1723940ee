"""How well a student reproduces its teacher on people whom it has not learned from, with intervals over people.

    R2             1 less the squared error over the variance of the answers round their mean; 0 for a student that says
                   the mean of the judged answers everywhere, below 0 for a worse one
    spread         variance of answers between people and within people (analysis of variance), of the teacher, of the
                   student's predictions, and of the student's draws; the draws should have the teacher's

Variances between people are what means of people vary by beyond chance, and 0 where they vary by less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.resampling import Resamples, interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval over people; None where there is none."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, resampled: FloatArray, least: float = -np.inf) -> Figure:
        """From the figure and its resamples, shape (1 + times,)."""
        return cls(None if np.isnan(resampled[0]) else float(resampled[0]), *interval(resampled, least))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """Readable answers of the teacher about people whom no student has learned from.

    Attributes:
        answers: Log-odds, shape (n,).
        whose: 0 to n_people - 1, shape (n,).
        resamples: Of these people.
    """

    answers: FloatArray
    whose: IntArray
    resamples: Resamples

    @classmethod
    def of(cls, answers: FloatArray, people: IntArray, times: int, chance: np.random.Generator) -> Judged:
        """For answers about some people, by any number."""
        known, whose = np.unique(people, return_inverse=True)
        return cls(answers, whose, Resamples.draw(len(known), times, chance))

    def r2(self, predicted: FloatArray) -> FloatArray:
        """R2 and its resamples, shape (1 + times,)."""
        sums = self._sums(np.stack([np.ones(len(self.answers)), self.answers, self.answers**2], axis=1))
        wrong = self._sums(((self.answers - predicted) ** 2)[:, None])[:, 0]
        size, total, square = sums.T
        apart = square - total**2 / np.maximum(size, 1)
        return np.asarray(np.where(apart > 1e-12, 1 - wrong / np.where(apart > 1e-12, apart, 1), np.nan))

    def spread(self, values: FloatArray) -> Mapping[str, FloatArray]:
        """Variance of some values of the same pairs within and between people, shape (1 + times,) each.

        Within: the mean variance round a person's own mean. Between: of these means, less what the variance within
        adds to it. Means of draws, shape (n_draws, n), are the means of their variances.
        """
        every = np.atleast_2d(values)
        parts = [self._parts(each) for each in every]
        return {name: np.mean([part[name] for part in parts], axis=0) for name in ("within", "between")}

    def _parts(self, values: FloatArray) -> dict[str, FloatArray]:
        counts = np.bincount(self.whose).astype(np.float64)
        means = np.bincount(self.whose, values) / counts
        apart = np.bincount(self.whose, (values - means[self.whose]) ** 2)
        weights = self.resamples.weights
        people = weights.sum(axis=1)
        spare = weights @ (counts - 1)
        within = np.where(spare > 0, weights @ apart / np.maximum(spare, 1), np.nan)
        middle = weights @ means / people
        of_means = (weights @ means**2 - people * middle**2) / np.maximum(people - 1, 1)
        return {"within": within, "between": np.maximum(of_means - within * (weights @ (1 / counts)) / people, 0.0)}

    def _sums(self, columns: FloatArray) -> FloatArray:
        by_person = np.stack([np.bincount(self.whose, column) for column in columns.T], axis=1)
        return np.asarray(self.resamples.weights @ by_person)
