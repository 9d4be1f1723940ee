"""Can real and synthetic sequences be told apart? A classifier tries, on users that it was not fitted on.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests", ICLR): an AUC of 0.5
means that it finds no difference. It reads hand-made features of one user's sequence and is fitted by cross-validation
in folds of users, so the real and the synthetic sequence of one user are never on two sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.exports.quality.classifiers import trees
from groundlings.experiments.exports.quality.figures import Figure, absent, auc_figure, chance
from groundlings.experiments.exports.quality.real import RealData
from groundlings.experiments.exports.quality.sequences import Pair, Sequences


@dataclass(frozen=True, slots=True)
class ToldApart:
    """AUCs; 0.5 = cannot be told apart.

    Attributes:
        items: Real against synthetic, by which items they are and in which order.
        everything: The same, and by times and ratings, where the data have them.
        floor: Real against real by the same features, one half of the users against the other.
        shuffled: Real against real with all items dealt out anew: what the classifier finds where a sequence has
            nothing to do with its user.
        features: Names of all features.
    """

    items: Figure
    everything: Figure
    floor: Figure
    shuffled: Figure
    features: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        figures = ("items", "everything", "floor", "shuffled")
        return {**{name: getattr(self, name).as_dict() for name in figures}, "features": list(self.features)}


def tell_apart(real: RealData, pair: Pair) -> ToldApart:
    """How well a classifier tells the log from what the same users really did."""
    if pair.missing:
        nothing = absent(pair.missing)
        return ToldApart(nothing, nothing, nothing, nothing)
    ours, theirs = pair.synthetic, pair.real
    items, further = (np.vstack([of(real, theirs), of(real, ours)]) for of in (_of_items, _of_behaviour))
    n = len(theirs.users)
    labels, users = np.repeat([False, True], n), np.tile(theirs.users, 2)
    half = chance(real.seed, "halves").permutation(n) < n // 2
    dealt = _of_items(real, _dealt_out(theirs, real.seed))
    everything = absent("the data have neither times nor ratings, so there is nothing more to tell them apart by")
    if further.shape[1]:
        everything = _auc(real, np.hstack([items, further]), labels, users, "everything")
    return ToldApart(
        items=_auc(real, items, labels, users, "items"),
        everything=everything,
        floor=_auc(real, items[:n], half, theirs.users, "floor"),
        shuffled=_auc(real, np.vstack([items[:n], dealt]), labels, users, "shuffled"),
        features=_names(real),
    )


def _auc(real: RealData, features: FloatArray, labels: BoolArray, users: IntArray, purpose: str) -> Figure:
    scores = trees(features, labels, users, chance(real.seed, "folds", purpose))
    return auc_figure(scores, labels, users, chance(real.seed, "resamples", purpose))


ITEM_FEATURES = (
    "mean log popularity", "spread of log popularity", "lowest log popularity", "highest log popularity",
    "share known from training", "share taken before", "mean likeness to the item before",
    "spread of the likeness to the item before", "mean likeness to the training history",
    "spread of the likeness to the training history", "entropy of categories", "share of the main category",
    "overlap of categories with the training history",
)  # fmt: skip


def _of_items(real: RealData, sequences: Sequences) -> FloatArray:
    """Features of which items a sequence has, shape (n, 13); those of categories are 0 where there are none."""
    popularity = np.log1p(real.train.item_counts)[sequences.items]
    vectors = real.item_vectors
    before = np.zeros(len(sequences.items))
    follows = sequences.follows
    before[follows] = _dots(vectors, sequences.items[follows], sequences.items[follows - 1])
    own = real.train.matrix[sequences.users]
    tastes = _unit(np.asarray(own @ vectors))
    likeness = np.einsum("ij,ij->i", tastes[sequences.owners], vectors[sequences.items])
    starts = sequences.starts[:-1]
    columns = [
        *_moments(popularity, sequences),
        np.minimum.reduceat(popularity, starts),
        np.maximum.reduceat(popularity, starts),
        _mean(sequences.known(real.train), sequences),
        _mean(sequences.taken_before(), sequences),
        *_moments(before, sequences),
        *_moments(likeness, sequences),
        *_of_categories(real, sequences),
    ]
    return np.column_stack(columns)


def _of_categories(real: RealData, sequences: Sequences) -> list[FloatArray]:
    genres = real.catalog.genre_matrix.astype(np.float64)
    if not genres.shape[1]:
        return [np.zeros(len(sequences.users))] * 3
    mixes = [np.asarray(matrix @ genres) for matrix in (sequences.sets, real.train.matrix[sequences.users])]
    ours, before = (mix / np.maximum(mix.sum(axis=1, keepdims=True), 1) for mix in mixes)
    entropy = -(ours * np.log2(np.where(ours > 0, ours, 1))).sum(axis=1)
    return [entropy, ours.max(axis=1), np.minimum(ours, before).sum(axis=1)]


def _of_behaviour(real: RealData, sequences: Sequences) -> FloatArray:
    """Features of times and ratings, shape (n, k), where the data have them."""
    columns: list[FloatArray] = []
    if real.times_known:
        days = np.column_stack([sequences.owners, sequences.days])
        active = np.bincount(np.unique(days, axis=0)[:, 0], minlength=len(sequences.users))
        span = sequences.days[sequences.starts[1:] - 1] - sequences.days[sequences.starts[:-1]]
        same = np.zeros(len(sequences.items))
        times = sequences.rows.timestamps
        same[sequences.follows] = times[sequences.follows] == times[sequences.follows - 1]
        columns += [active / sequences.lengths, span.astype(np.float64), _mean(same, sequences)]
    if _rated(real):
        ratings = sequences.rows.ratings
        given = ~np.isnan(ratings)
        counts = np.add.reduceat(given.astype(np.float64), sequences.starts[:-1])
        sums, squares = (np.add.reduceat(np.nan_to_num(ratings**power), sequences.starts[:-1]) for power in (1, 2))
        mean = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        square = np.divide(squares, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        columns += [counts / sequences.lengths, mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.column_stack(columns) if columns else np.zeros((len(sequences.users), 0))


def _names(real: RealData) -> tuple[str, ...]:
    times = ("active days per interaction", "days from first to last", "share at the moment of the one before")
    ratings = ("share rated", "mean rating", "spread of ratings")
    return (*ITEM_FEATURES, *(times if real.times_known else ()), *(ratings if _rated(real) else ()))


def _rated(real: RealData) -> bool:
    return not bool(np.isnan(real.held_out.ratings).all())


def _dealt_out(sequences: Sequences, seed: int) -> Sequences:
    """The same users and lengths with all items in a random order."""
    rows = sequences.rows
    items = chance(seed, "dealt out").permutation(rows.items)
    return Sequences(
        Interactions.of(
            rows.users,
            items,
            rows.ratings,
            rows.timestamps,
            n_users=rows.n_users,
            n_items=rows.n_items,
            ticks_per_second=rows.ticks_per_second,
        )
    )


def _dots(vectors: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    return np.asarray(np.einsum("ij,ij->i", vectors[first], vectors[second]))


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def _mean(values: np.ndarray, sequences: Sequences) -> FloatArray:
    return np.asarray(np.add.reduceat(values.astype(np.float64), sequences.starts[:-1]) / sequences.lengths)


def _moments(values: FloatArray, sequences: Sequences) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation within each sequence."""
    mean = _mean(values, sequences)
    return mean, np.sqrt(np.maximum(_mean(values**2, sequences) - mean**2, 0))
