"""What the log gives away about the people whose histories it was made from.

Three questions: is a synthetic history closer to a real training history than other real behaviour is (distance to the
closest record: Park et al. 2018, "Data synthesis based on generative adversarial networks", VLDB), can anybody tell who
was in the audience (membership inference: Shokri et al. 2017, IEEE S&P), and does the log repeat anybody's history word
for word? Held-out behaviour of the same people answers the same questions beside it: it is real, and was made without
the training part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.analysis.compare import CONFIDENCE
from groundlings.experiments.exports.quality.classifiers import logistic
from groundlings.experiments.exports.quality.figures import RESAMPLES, Figure, absent, auc_figure, chance, share
from groundlings.experiments.exports.quality.real import RealData, of_users
from groundlings.experiments.exports.quality.sequences import (
    FEWEST_PEOPLE,
    MOST_PEOPLE,
    Pair,
    Sequences,
    whole,
)
from groundlings.experiments.exports.quality.shared_runs import LONGEST, longest_shared_runs

CLOSE = 0.05
"""The closest of the held-out histories, so large a share of them, define what is close."""

COPIED, FEWEST_ITEMS = 0.9, 5
"""A history of so many items or more is a copy if so large a share of it stands in one real training history in the
same order, or if its items and those of one have so large a Jaccard index."""

_CELLS_AT_ONCE = 2**22
_NEAREST = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of the log, and the same figure of the held-out behaviour of the same people."""

    synthetic: Figure
    real: Figure

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"synthetic": self.synthetic.as_dict(), "real": self.real.as_dict()}


@dataclass(frozen=True, slots=True)
class Privacy:
    """Each figure beside that of held-out behaviour.

    Attributes:
        distance: Median Jaccard distance of a history to the nearest real training history, 0 = the same items.
        close: Share of histories as close to one as the closest 5 % of the held-out ones are; with few items many
            are equally close, and the real share is above 5 %.
        own: Share of histories to which no training history is nearer than that of the same person.
        membership: AUC of telling the users behind the agents from others, 0.5 = cannot be told.
        longest: Longest run of items that a history shares with a real training history, in the same order.
        contained: Share of histories whose items stand, all but a tenth, in one training history, in whatever order.
        copies: Share of histories that are copies.
        others: Real histories that each was compared with.
    """

    distance: Beside
    close: Beside
    own: Beside
    membership: Beside
    longest: Beside
    contained: Beside
    copies: Beside
    others: int

    @property
    def alarm(self) -> bool:
        """Whether the log holds copies, more of them than real behaviour does by chance."""
        ours, theirs = self.copies.synthetic, self.copies.real
        if ours.value is None or ours.low is None or not ours.value:
            return False
        return theirs.value is None or ours.low > theirs.value

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        names = ("distance", "close", "own", "membership", "longest", "contained", "copies")
        return {
            **{name: getattr(self, name).as_dict() for name in names},
            "alarm": self.alarm,
            "training_histories": self.others,
        }


def privacy(real: RealData, log: Interactions, pair: Pair) -> Privacy:
    """All figures of one log.

    Args:
        real: The real data.
        log: The synthetic interactions.
        pair: Its sequences beside held-out ones of the same length.
    """
    nothing = "the log holds no interaction of these agents", "nothing is held out for these agents"
    both = [_Repeated.of(real, whole(real, rows)) for rows in (log, real.held_out)]
    longest, contained, copies = (
        Beside(*(of(each, reason) for each, reason in zip(both, nothing, strict=True)))
        for of in (_Repeated.longest, _Repeated.contained, _Repeated.copies)
    )
    distance, close, own = _nearest(real, pair)
    membership = _membership(real, log)
    return Privacy(distance, close, own, membership, longest, contained, copies, len(real.rows))


def _nearest(real: RealData, pair: Pair) -> tuple[Beside, Beside, Beside]:
    if pair.missing:
        nothing = Beside(absent(pair.missing), absent(pair.missing))
        return nothing, nothing, nothing
    train = sp.csr_array(real.train.matrix[real.rows])
    ours, theirs = (_closest(real, each, train) for each in (pair.synthetic, pair.real))
    limit = float(np.quantile(theirs[0], CLOSE))
    return (
        Beside(*(_median(values, real.seed) for values, _ in (ours, theirs))),
        Beside(*(share(values <= limit) for values, _ in (ours, theirs))),
        Beside(*(share(own) for _, own in (ours, theirs))),
    )


def _closest(real: RealData, sequences: Sequences, train: sp.csr_array) -> tuple[FloatArray, np.ndarray]:
    """Distance to the nearest training history, and whether the person's own is that or as near, shape (n,) each."""
    distance, own = np.ones(len(sequences.users)), np.zeros(len(sequences.users), dtype=np.bool_)
    place = np.minimum(np.searchsorted(real.rows, sequences.users), len(real.rows) - 1)
    there = real.rows[place] == sequences.users
    for first, likeness in _likenesses(sequences.sets, train):
        rows = slice(first, first + len(likeness))
        best = likeness.max(axis=1)
        distance[rows] = 1 - best
        own[rows] = there[rows] & (best > 0) & (likeness[np.arange(len(likeness)), place[rows]] == best)
    return distance, own


def _likenesses(sets: sp.csr_array, others: sp.csr_array) -> Iterator[tuple[int, FloatArray]]:
    """Jaccard index of some sets with all others, block by block: (first row, shape (n_block, n_others))."""
    sizes, lengths = (np.diff(each.indptr).astype(np.float64) for each in (sets, others))
    turned = sp.csr_array(others.T)
    height = max(1, _CELLS_AT_ONCE // max(1, others.shape[0]))
    for first in range(0, sets.shape[0], height):
        rows = slice(first, first + height)
        shared = np.asarray((sets[rows] @ turned).toarray())
        either = sizes[rows, None] + lengths - shared
        yield first, np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def _median(values: FloatArray, seed: int) -> Figure:
    random, n = chance(seed, "median"), len(values)
    drawn = [float(np.median(values[random.integers(0, n, n)])) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Figure(float(np.median(values)), float(low), float(high), n)


def _membership(real: RealData, log: Interactions) -> Beside:
    """An attacker knows of four fifths of the users whether they are in, and guesses the rest from the log."""
    inside = np.intersect1d(real.agents, real.rows)
    outside = np.setdiff1d(real.rows, real.audience)
    if min(len(inside), len(outside)) < FEWEST_PEOPLE:
        reason = (
            f"{len(inside):,} users with a training part are behind agents and {len(outside):,} are not; "
            f"{FEWEST_PEOPLE} of both are needed"
        )
        return Beside(absent(reason), absent(reason))
    random = chance(real.seed, "membership")
    inside, outside = (random.permutation(each)[:MOST_PEOPLE] for each in (inside, outside))
    users = np.sort(np.concatenate([inside, outside]))
    members = np.isin(users, inside)
    found = []
    for rows, reason in ((log, "the log holds no interaction of these agents"), (real.held_out, "nothing is held out")):
        released = Sequences(of_users(rows, np.sort(inside)))
        if not len(released.users):
            found.append(absent(reason))
            continue
        scores = logistic(_traces(real, users, released), members, users, chance(real.seed, "attack"))
        found.append(auc_figure(scores, members, users, chance(real.seed, "members")))
    return Beside(*found)


def _traces(real: RealData, users: IntArray, released: Sequences) -> FloatArray:
    """What a released log holds that is like each user's training history, shape (n, 3).

    The likeness of the nearest released history by items, the mean of the five nearest, and the likeness of the nearest
    by item vectors, which sees a taste where no item is shared.
    """
    train = sp.csr_array(real.train.matrix[users])
    features = np.zeros((len(users), 3))
    for first, likeness in _likenesses(train, released.sets):
        rows = slice(first, first + len(likeness))
        n = min(_NEAREST, likeness.shape[1])
        best = -np.partition(-likeness, n - 1, axis=1)[:, :n]
        features[rows, 0], features[rows, 1] = best.max(axis=1), best.mean(axis=1)
    tastes, theirs = (_unit(np.asarray(sets @ real.item_vectors)) for sets in (train, released.sets))
    height = max(1, _CELLS_AT_ONCE // max(1, len(theirs)))
    for first in range(0, len(users), height):
        features[first : first + height, 2] = (tastes[first : first + height] @ theirs.T).max(axis=1)
    return features


@dataclass(frozen=True)
class _Repeated:
    """How much of some histories stands in real training histories, shape (n,) each.

    Attributes:
        lengths: Interactions of each history.
        runs: The longest run shared with a training history, `shared_runs.LONGEST` at most.
        sizes: Different items of each history.
        shared: The most of them that stand in one training history.
        likeness: The Jaccard index with the nearest one.
    """

    lengths: IntArray
    runs: IntArray
    sizes: IntArray
    shared: FloatArray
    likeness: FloatArray

    @classmethod
    def of(cls, real: RealData, histories: Sequences) -> _Repeated:
        """Compare some histories with all training histories."""
        train, sets = sp.csr_array(real.train.matrix[real.rows]), histories.sets
        sizes, turned = np.diff(sets.indptr).astype(np.int64), sp.csr_array(train.T)
        shared, likeness = np.zeros(len(sizes)), np.zeros(len(sizes))
        for first, part in _likenesses(sets, train):
            likeness[first : first + len(part)] = part.max(axis=1)
            shared[first : first + len(part)] = (sets[first : first + len(part)] @ turned).max(axis=1).toarray().ravel()
        runs = longest_shared_runs(histories.rows, of_users(real.train.chosen(), real.rows))
        return cls(histories.lengths, runs, sizes, shared, likeness)

    def longest(self, reason: str) -> Figure:
        """The longest run of all; its interval is that of the middle 95 % of the histories."""
        if not len(self.runs):
            return absent(reason)
        low, high = np.quantile(self.runs, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Figure(float(self.runs.max()), float(low), float(high), len(self.runs))

    def contained(self, reason: str) -> Figure:
        """See `Privacy.contained`; only of histories of `FEWEST_ITEMS` items."""
        return self._share(self.shared >= COPIED * self.sizes, reason)

    def copies(self, reason: str) -> Figure:
        """See `COPIED`; only of histories of `FEWEST_ITEMS` items."""
        in_order = self.runs >= np.minimum(COPIED * self.lengths, LONGEST)
        return self._share(in_order | (self.likeness >= COPIED), reason)

    def _share(self, yes: BoolArray, reason: str) -> Figure:
        long = self.sizes >= FEWEST_ITEMS
        if long.any():
            return share(yes[long])
        return absent(f"no history has {FEWEST_ITEMS} items" if len(long) else reason)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
