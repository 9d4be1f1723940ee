"""Figures of yes-or-no predictions, with intervals over people.

People are resampled whole, because what one person does on two pages depends on the person. All rows of an examination
share their resamples, so the difference between two rows is that of the same people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.personas.click_models.scores import log_likelihood
from groundlings.personas.ranked_rows import RankedRows

RESAMPLES = 500

DEFINITIONS = {
    "f1": "2 * hits / (said yes + really yes), over all rows of all people.",
    "accuracy": "Share of rows predicted correctly.",
    "auc": "P(a row that happened has the higher probability than one that did not), ties count half.",
    "log_loss": "Mean of minus the natural logarithm of the probability of what happened.",
}
"""The figures and what they are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval over people; the ends are None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Predicted:
    """What is predicted of some rows.

    Attributes:
        yes: What it says happens, shape (n,).
        chances: With what probability, shape (n,); None for a rule that has none.
    """

    yes: BoolArray
    chances: FloatArray | None = None


class Rows:
    """What really happened, and the figures of what is predicted.

    Args:
        happened: Shape (n,).
        people: Whose rows they are, numbers from 0 on, shape (n,).
        seed: Of the resamples.
    """

    def __init__(self, happened: BoolArray, people: IntArray, seed: int) -> None:
        self.happened, self.people = happened, people
        self._n_people = int(people.max()) + 1
        self._resamples = Resamples.draw(self._n_people, RESAMPLES, np.random.default_rng(seed))

    def figures(self, predicted: Predicted, beside: Predicted | None = None) -> dict[str, Figure]:
        """The figures of a row; with another one beside it, also `<figure>_gain`, how much higher they are."""
        ours = self._resampled(predicted)
        found = {name: _figure(values) for name, values in ours.items()}
        if beside is not None:
            theirs = self._resampled(beside)
            found |= {f"{name}_gain": _figure(ours[name] - theirs[name]) for name in theirs}
        return found

    def _resampled(self, predicted: Predicted) -> dict[str, FloatArray]:
        """Each figure and its resamples, shape (1 + times,)."""
        hits, correct = predicted.yes & self.happened, predicted.yes == self.happened
        said = predicted.yes.astype(np.float64) + self.happened
        found = {
            "f1": self._ratio(2 * hits.astype(np.float64), said),
            "accuracy": self._ratio(correct, np.ones(len(correct))),
        }
        if predicted.chances is not None:
            ranked = RankedRows(self.happened.astype(np.float64), predicted.chances)
            with np.errstate(invalid="ignore"):
                found["auc"] = np.array([ranked.auc(weights[self.people]) for weights in self._resamples.weights])
            found["log_loss"] = self._ratio(-log_likelihood(predicted.chances, self.happened), np.ones(len(correct)))
        return found

    def _ratio(self, above: FloatArray | BoolArray, below: FloatArray) -> FloatArray:
        total = np.bincount(self.people, above, minlength=self._n_people).astype(np.float64)
        size = np.bincount(self.people, below, minlength=self._n_people).astype(np.float64)
        return self._resamples.ratio(total, size, np.ones(self._n_people, dtype=np.bool_))


def _figure(values: FloatArray) -> Figure:
    value = float(values[0])
    return Figure(None) if np.isnan(value) else Figure(value, *interval(values))


def f1_threshold(chances: FloatArray, happened: BoolArray) -> float:
    """The probability from which on to say yes for a high F1 on other rows: half of the best F1 on some rows.

    At the best threshold of calibrated probabilities, one more yes adds as much to the hits as it takes from F1, which
    is where the probability is half of F1 (Lipton, Elkan and Naryanaswamy 2014, "Optimal thresholding of classifiers to
    maximize F1 measure", ECML PKDD). The best F1 varies less from sample to sample than the place where it is reached.
    """
    order = np.argsort(-chances, kind="stable")
    hits, said = np.cumsum(happened[order]), np.arange(1, len(order) + 1)
    last_of_its_value = np.append(chances[order][1:] < chances[order][:-1], True)
    f1 = np.where(last_of_its_value, 2 * hits / (said + happened.sum()), 0.0)
    return float(f1.max()) / 2


@dataclass(frozen=True, slots=True)
class Folds:
    """Which part each person is left out with.

    Attributes:
        part: Shape (n_people,); -1 for a person who is in none.
    """

    part: IntArray

    @classmethod
    def draw(cls, people: IntArray, n_people: int, n_folds: int, seed: int) -> Folds:
        """Parts of nearly equal size, of some people."""
        part = np.full(n_people, -1, dtype=np.int64)
        part[np.random.default_rng(seed).permutation(people)] = np.arange(len(people)) % n_folds
        return cls(part)

    def cross_fitted(
        self, people: IntArray, shape: tuple[int, ...], of: Callable[[BoolArray, BoolArray], FloatArray]
    ) -> FloatArray:
        """Each row as it is predicted from other people, shape `shape`; NaN for people in no part.

        Args:
            people: Of each row, shape (n,).
            shape: Of what is predicted; its first axis has the rows.
            of: From training and tested rows (shape (n,)) to what is predicted of the tested ones.
        """
        found = np.full(shape, np.nan)
        for number in range(int(self.part.max()) + 1):
            tested = self.part[people] == number
            found[tested] = of((self.part[people] >= 0) & ~tested, tested)
        return found
