"""The student: a ridge regression of the teacher's log-odds, and how its predictions scatter round the answers.

Squared error on log-odds is the loss of Ba and Caruana (2014, "Do deep nets really need to be deep?").

    answer of a pair = prediction + what this person says more often + rest

Both deviations are measured on answers about people who were left out of the fit: the person's is normal, with the
variance between people that an analysis of variance gives; the rest is drawn from the rests themselves, of the group of
pairs whose prediction is alike, so spread may differ with the answer. A draw takes both: it is one possible answer of
the teacher about this pair, never the mean answer about many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.ridge import Ridge, fit_ridge

FOLDS = 5
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Tried, in mean squared lengths of the inputs; by the last one hardly anything but the mean is predicted."""

_QUANTILES = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Student:
    """A fitted student.

    Attributes:
        scale: Of each column of the features, shape (n_features,); 0 leaves a column out.
        ridge: The regression, on scaled columns.
        penalty: Chosen on people left out.
    """

    scale: FloatArray
    ridge: Ridge
    penalty: float

    def predict(self, features: FloatArray) -> FloatArray:
        """Log-odds of yes that the teacher would give on average, for features of shape (..., n_features)."""
        return self.ridge.predict(features * self.scale)


@dataclass(frozen=True)
class Scatter:
    """How answers scatter round predictions.

    Attributes:
        between: Variance of what people say more often or less than is predicted.
        edges: Predictions between two groups, ascending, shape (n_groups - 1,).
        rests: Quantiles of the rest in each group, from the lowest to the highest at even steps, shape (n_groups, 101).
    """

    between: float
    edges: FloatArray
    rests: FloatArray

    def draw(self, predicted: FloatArray, people: IntArray, chance: np.random.Generator) -> FloatArray:
        """One possible answer of the teacher about each pair, shape (n,).

        Args:
            predicted: By the student, shape (n,).
            people: Whose pair each is, shape (n,); pairs of one person share the person's deviation.
            chance: Random numbers.
        """
        _, whose = np.unique(people, return_inverse=True)
        own = chance.normal(size=int(whose.max(initial=-1)) + 1)
        return self.answers(predicted, own[whose], chance.random(len(predicted)))

    def answers(self, predicted: FloatArray, own: FloatArray, luck: FloatArray) -> FloatArray:
        """The answers that luck decides on, shape (n,).

        Args:
            predicted: By the student, shape (n,).
            own: Standard normal, the same for all pairs of a person, shape (n,).
            luck: Uniform in [0, 1), of each pair, shape (n,).
        """
        group = np.searchsorted(self.edges, predicted)
        place = luck * (self.rests.shape[1] - 1)
        below = place.astype(np.int64)
        steps = self.rests[group, below + 1] - self.rests[group, below]
        deviation = np.sqrt(self.between) * own + self.rests[group, below] + (place - below) * steps
        return np.asarray(predicted + deviation)


def fit_student(features: FloatArray, answers: FloatArray, people: IntArray, scale: FloatArray) -> Student:
    """The student of some answers, its penalty chosen on people left out.

    Args:
        features: Shape (n, n_features).
        answers: Log-odds, shape (n,), all known.
        people: Whose pair each is, shape (n,).
        scale: Of each column.
    """
    scaled = features * scale
    folds = folds_of(people)
    losses = [
        sum(float(((_without(scaled, answers, folds == fold, penalty) - answers)[folds == fold] ** 2).sum())
            for fold in np.unique(folds))
        for penalty in PENALTIES
    ]  # fmt: skip
    penalty = PENALTIES[int(np.argmin(losses))]
    return Student(scale, fit_ridge(scaled, answers, np.ones(len(answers)), penalty), penalty)


def unseen(features: FloatArray, answers: FloatArray, people: IntArray, scale: FloatArray) -> FloatArray:
    """The prediction of each answer by a student that has learned from nobody of that person's fifth, shape (n,)."""
    found, folds = np.zeros(len(answers)), folds_of(people)
    for fold in np.unique(folds):
        out = folds == fold
        student = fit_student(features[~out], answers[~out], people[~out], scale)
        found[out] = student.predict(features[out])
    return found


def members(
    student: Student,
    features: FloatArray,
    answers: FloatArray,
    people: IntArray,
    times: int,
    chance: np.random.Generator,
) -> list[Student]:
    """Students of resampled people (bootstrap), with the penalty of `student`."""
    known, whose = np.unique(people, return_inverse=True)
    scaled = features * student.scale
    counts = chance.multinomial(len(known), np.full(len(known), 1 / len(known)), size=times).astype(np.float64)
    return [
        Student(student.scale, fit_ridge(scaled, answers, count[whose], student.penalty), student.penalty)
        for count in counts
    ]


def scatter_of(answers: FloatArray, predicted: FloatArray, people: IntArray, groups: int) -> Scatter:
    """How answers scatter round predictions of students that did not know the people.

    Args:
        answers, predicted: Shape (n,).
        people: Whose pair each is, shape (n,).
        groups: Of equal size, by the prediction; fewer where pairs are few.
    """
    rest, (between, own) = answers - predicted, _apart(answers - predicted, people)
    edges = np.unique(np.quantile(predicted, np.arange(1, groups) / groups))
    known = ~np.isnan(own)
    group = np.searchsorted(edges, predicted)
    # A group without a rest of its own has that of all pairs.
    every = own[known] if known.any() else rest
    rests = [own[known & (group == number)] for number in range(len(edges) + 1)]
    return Scatter(between, edges, np.array([np.quantile(each if len(each) else every, _QUANTILES) for each in rests]))


def _apart(rest: FloatArray, people: IntArray) -> tuple[float, FloatArray]:
    """The variance of people's own deviations, and what each pair deviates beyond that, NaN for a person's only pair.

    Where nobody has two pairs the two cannot be told apart, and all is the pair's.
    """
    _, whose, counts = np.unique(people, return_inverse=True, return_counts=True)
    spare = len(rest) - len(counts)
    if not spare:
        return 0.0, rest
    means = np.bincount(whose, rest) / counts
    apart = rest - means[whose]
    within = float((apart**2).sum()) / spare
    # The variance of means holds that of the pairs, over the number of a person's pairs.
    between = float(means.var(ddof=1)) - within * float((1 / counts).mean()) if len(counts) > 1 else 0.0
    # A rest is measured from the mean of few pairs, which lies nearer to it than the person's own.
    size = counts[whose]
    return max(between, 0.0), np.where(size > 1, apart * np.sqrt(size / np.maximum(size - 1, 1)), np.nan)


def folds_of(people: IntArray) -> IntArray:
    """Which fold each pair is in, all of a person in one, shape (n,)."""
    return np.asarray(np.unique(people, return_inverse=True)[1] % FOLDS)


def _without(scaled: FloatArray, answers: FloatArray, out: np.ndarray, penalty: float) -> FloatArray:
    """Predictions of every row by a regression that has not learned from some."""
    return fit_ridge(scaled, answers, (~out).astype(np.float64), penalty).predict(scaled)
