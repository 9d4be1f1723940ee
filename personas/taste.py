"""Hidden taste: how much each item appeals to each person, and how many stars it would get.

Appeal is the log-odds, in a logistic model on the seven features of `personas.evidence`, that an item belongs to
what a person met next rather than to what the person passed by. Stars come from `personas.stars`.

Weights are estimated on people of the fitting and validation thirds alone (`environments.split`), and on their
training rows alone: the latest fifth of each person's training rows is held out as labels, all evidence is
measured again without these rows, and each held-out item is set against items the person never met in training,
half of them drawn uniformly and half among items of like popularity. The weights are then applied to evidence
from all training rows. People of the test third lend their training rows to the counts, as they do to every
recommender, but no label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from environments.arrays import BoolArray, FloatArray, IntArray
from environments.dataset import Dataset
from environments.draws import name_key
from environments.interactions import Interactions
from environments.split import people_in_thirds, split_history
from personas.evidence import FEATURES, Evidence, Features, measure_evidence
from personas.labels import AppealLabels, choose_labels
from personas.regression import fit_logistic
from personas.star_evidence import STAR_FEATURES, measure_stars
from personas.stars import StarModel, fit_stars
from personas.table import TasteTable

HELD_OUT = 0.2
"""Share of each person's training rows, the latest, that serve as labels."""

FEWEST_LABELS = 100
"""With fewer held-out items than this nothing is estimated, and `WITHOUT_DATA` is used as it stands."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "items": ("sequence", "association", "recent_taste", "season", "popularity", "genre"),
    "people": ("people", "popularity", "genre"),
}
"""Two tastes that share no collaborative evidence, to see whether a finding depends on how taste is modelled."""

_RIDGE = 5.0
_STAR_DIMENSIONS = 32


@dataclass(frozen=True)
class AppealWeights:
    """A logistic model on standardised features.

    Attributes:
        weights: Log-odds for one standard deviation of each feature, in the order of `FEATURES`.
        centre, scale: Mean and standard deviation of each feature among the labels.
        labels: Held-out items the weights were estimated on, 0 = not estimated.
    """

    weights: FloatArray
    centre: FloatArray
    scale: FloatArray
    labels: int


WITHOUT_DATA = np.array([0.5, 0.4, 0.4, 1.8, 0.1, -0.6, 0.2])
"""Weights where nothing can be estimated: about what MovieLens-100K and MovieLens-1M give."""


@dataclass(frozen=True)
class Taste:
    """The fitted model.

    Attributes:
        evidence: From all training rows.
        appeal_weights: Of the logistic model.
        stars: The model of ratings, None where nobody gave any.
    """

    evidence: Evidence
    appeal_weights: AppealWeights
    stars: StarModel | None

    @property
    def n_items(self) -> int:
        """Size of the catalog."""
        return self.evidence.n_items

    def appeal(self, users: IntArray) -> Features:
        """Log-odds of interest, up to one constant for everybody, shape (n, n_items)."""
        slopes = self.appeal_weights.weights / self.appeal_weights.scale
        total = np.zeros((len(users), self.n_items), dtype=np.float32)
        for slope, centre, column in zip(slopes, self.appeal_weights.centre, self.evidence.columns(users), strict=True):
            total += np.float32(slope) * (column - np.float32(centre))
        return total

    def describe(self) -> Mapping[str, Any]:
        """Weights and numbers of labels, for the manifest."""
        appeal = self.appeal_weights
        described: dict[str, Any] = {
            "appeal": dict(zip(FEATURES, appeal.weights.tolist(), strict=True)),
            "appeal_labels": appeal.labels,
            "fingerprint": self.fingerprint,
        }
        if self.stars is not None:
            fit = self.stars.fit
            described["stars"] = {
                "stretch": fit.stretch,
                "shift": fit.shift,
                "mood": self.stars.mood,
                **dict(zip(STAR_FEATURES, fit.weights.tolist(), strict=True)),
            }
            described["star_labels"] = self.stars.labels
        return described

    @cached_property
    def table(self) -> TasteTable:
        """Rows kept once computed; shared by all minds of this taste."""
        return TasteTable(self)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that was measured and estimated, in hexadecimal."""
        digest = hashlib.sha256()
        for array in (
            self.evidence.near.data,
            self.evidence.vectors,
            self.evidence.latest.data,
            self.evidence.met.indices,
            self.evidence.season,
            self.appeal_weights.weights,
            self.appeal_weights.centre,
            self.appeal_weights.scale,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.stars is not None:
            fit, evidence = self.stars.fit, self.stars.evidence
            digest.update(np.array([fit.stretch, fit.shift, self.stars.mood, *fit.weights]).tobytes())
            for part in (evidence.thresholds, evidence.item_bias, evidence.coefficients):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def fit_taste(
    dataset: Dataset, train: Interactions, *, salt: str, seed: int, features: Sequence[str] = FEATURES
) -> Taste:
    """Measure the evidence and estimate the weights.

    Args:
        dataset: For items, people and scale; its `interactions` are not read.
        train: The training part of the history.
        salt: `split.salt`: it says who is in the test third.
        seed: Of the sampling of negatives.
        features: Which of `FEATURES` appeal may use, `FAMILIES` for instance; the others get the weight 0.
    """
    # One thread: faster on so many small matrices, and sums are always taken in the same order.
    with threadpool_limits(1, "blas"):
        return _fit(dataset, train, salt, seed, np.array([name in features for name in FEATURES]))


def _fit(dataset: Dataset, train: Interactions, salt: str, seed: int, used: BoolArray) -> Taste:
    fitting = people_in_thirds(dataset.people.user_ids, salt) != 2
    inner = split_history(train, "per_user_temporal", HELD_OUT)
    earlier_rows = train_without(train, inner.test, fitting)
    held_out = inner.test.take(fitting[inner.test.users])

    earlier = measure_evidence(earlier_rows, dataset.catalog)
    labels = choose_labels(train, held_out, seed=name_key("labels", salt, seed))
    weights = _fit_appeal(earlier, labels, used)
    evidence = measure_evidence(train, dataset.catalog)
    return Taste(evidence, weights, _fit_stars(dataset, train, earlier_rows, held_out, earlier, evidence))


def train_without(train: Interactions, held_out: Interactions, fitting: NDArray[np.bool_]) -> Interactions:
    """Training rows less the held-out rows of the people that are fitted on."""
    pairs = train.users * train.n_items + train.items
    taken = held_out.users * train.n_items + held_out.items
    return train.take(~(np.isin(pairs, taken) & fitting[train.users]))


def _fit_appeal(earlier: Evidence, labels: AppealLabels, used: BoolArray) -> AppealWeights:
    if labels.positives < FEWEST_LABELS:
        users = np.arange(min(len(earlier.lifts), 200), dtype=np.int64)
        spread = [(float(column.mean()), float(column.std())) for column in earlier.columns(users)]
        centre, scale = np.array(spread).T
        return AppealWeights(np.where(used, WITHOUT_DATA, 0.0), centre, np.where(scale > 0, scale, 1.0), 0)
    features = earlier.pairs(labels.users, labels.items)
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    weights = np.zeros(len(FEATURES))
    standard = ((features - centre) / scale)[:, used]
    weights[used] = fit_logistic(standard, labels.met, labels.weights, ridge=_RIDGE)[1:]
    return AppealWeights(weights, centre, scale, labels.positives)


def _fit_stars(
    dataset: Dataset,
    train: Interactions,
    earlier_rows: Interactions,
    held_out: Interactions,
    earlier: Evidence,
    evidence: Evidence,
) -> StarModel | None:
    """The model of ratings, None where nobody gave any."""
    before = measure_stars(earlier_rows, dataset.scale, star_features(earlier))
    final = measure_stars(train, dataset.scale, star_features(evidence))
    if before is None or final is None:
        return None
    return fit_stars(before, held_out.take(~np.isnan(held_out.ratings)), final)


def star_features(evidence: Evidence) -> Features:
    """Item vectors, leading dimensions, beside genres of unit length, shape (n_items, d)."""
    lengths = np.linalg.norm(evidence.genres, axis=1, keepdims=True)
    genres = evidence.genres / np.where(lengths > 0, lengths, 1)
    return np.column_stack([evidence.vectors[:, :_STAR_DIMENSIONS], genres]).astype(np.float32)
