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

from groundlings.environments.arrays import FloatArray, IntArray
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
from groundlings.experiments.exports.quality.shared_runs import longest_shared_runs

CLOSE = 0.05
"""Held-out histories of which so large a share is closer to a training history define what is close."""

COPIED, FEWEST_ITEMS = 0.9, 5
"""A history of so many items or more is a copy if so large a share of them stands in one real training history."""

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
        close: Share of histories closer to one than 95 % of the held-out ones are.
        own: Share of histories whose nearest training history is that of the same person.
        membership: AUC of telling the users behind the agents from others, 0.5 = cannot be told.
        longest: Longest run of items that a history shares with a real training history, in the same order.
        copies: Share of histories that are copies.
        others: Real histories that each was compared with.
    """

    distance: Beside
    close: Beside
    own: Beside
    membership: Beside
    longest: Beside
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
        names = ("distance", "close", "own", "membership", "longest", "copies")
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
    histories, held_out = whole(real, log), whole(real, real.held_out)
    reason = "the log holds no interaction of these agents"
    nearest = _nearest(real, pair)
    return Privacy(
        *nearest,
        membership=_membership(real, log),
        longest=Beside(
            _longest(real, histories, reason), _longest(real, held_out, "nothing is held out for these agents")
        ),
        copies=Beside(
            _copies(real, histories, reason), _copies(real, held_out, "nothing is held out for these agents")
        ),
        others=len(real.rows),
    )


def _nearest(real: RealData, pair: Pair) -> tuple[Beside, Beside, Beside]:
    if pair.missing:
        nothing = Beside(absent(pair.missing), absent(pair.missing))
        return nothing, nothing, nothing
    train = sp.csr_array(real.train.matrix[real.rows])
    ours, theirs = (_closest(real, each, train) for each in (pair.synthetic, pair.real))
    limit = float(np.quantile(theirs[0], CLOSE))
    return (
        Beside(*(_median(values, real.seed) for values, _ in (ours, theirs))),
        Beside(*(share(values < limit) for values, _ in (ours, theirs))),
        Beside(*(share(own) for _, own in (ours, theirs))),
    )


def _closest(real: RealData, sequences: Sequences, train: sp.csr_array) -> tuple[FloatArray, np.ndarray]:
    """Distance to the nearest training history, and whether it is the person's own, shape (n,) each."""
    distance, own = np.ones(len(sequences.users)), np.zeros(len(sequences.users), dtype=np.bool_)
    for first, likeness in _likenesses(sequences.sets, train):
        rows = slice(first, first + len(likeness))
        nearest = likeness.argmax(axis=1)
        best = likeness[np.arange(len(likeness)), nearest]
        distance[rows] = 1 - best
        own[rows] = (real.rows[nearest] == sequences.users[rows]) & (best > 0)
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


def _longest(real: RealData, histories: Sequences, reason: str) -> Figure:
    """The longest run of all; the interval is that of the middle 95 % of the histories, which resamples would miss."""
    if not len(histories.users):
        return absent(reason)
    runs = longest_shared_runs(histories.rows, of_users(real.train.chosen(), real.rows))
    low, high = np.quantile(runs, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Figure(float(runs.max()), float(low), float(high), len(runs))


def _copies(real: RealData, histories: Sequences, reason: str) -> Figure:
    sets = histories.sets
    sizes = np.diff(sets.indptr)
    long = np.flatnonzero(sizes >= FEWEST_ITEMS)
    if not len(long):
        return absent(
            reason if not len(histories.users) else f"no history has {FEWEST_ITEMS} items, so none can be called a copy"
        )
    sets = sp.csr_array(sets[long])
    train = sp.csr_array(real.train.matrix[real.rows].T)
    most = np.zeros(len(long))
    height = max(1, _CELLS_AT_ONCE // max(1, len(real.rows)))
    for first in range(0, len(long), height):
        shared = (sets[first : first + height] @ train).toarray()
        most[first : first + height] = shared.max(axis=1)
    return share(most >= COPIED * sizes[long])


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
