"""Recall: the pool of people an item is offered to, from what the item is like and what they did before.

A channel ranks the panel for each item; the mean rank over the channels is recall's own order, and its first part is
the pool. No channel sees anything that anybody did with a new item. A further channel is a function and a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.content import Content
from groundlings.experiments.labs.warmup.splitting import ColdSplit
from groundlings.recommenders.base import ScoringRecommender
from groundlings.recommenders.content_knn import neighbour_shares

NEIGHBOURS = 20
"""Old items that a new one is likened to, here and in the arm content_knn."""

_SHORT_HISTORY = 10.0


@dataclass(frozen=True)
class Clues:
    """What channels may look at.

    Attributes:
        split: Of it, `train`, `new` and `panel` alone.
        content: What items are like.
        recommender: Fitted on `split.train`.
    """

    split: ColdSplit
    content: Content
    recommender: ScoringRecommender


@dataclass(frozen=True)
class Pools:
    """Who may be chosen.

    Attributes:
        order: Recall's own score, higher = sooner, shape (n_panel, n_new).
        inside: Whether somebody is in an item's pool, shape (n_panel, n_new).
    """

    order: FloatArray
    inside: BoolArray


def content_channel(clues: Clues) -> FloatArray:
    """Mean likeness of the item to what the person met; short histories count as if ten unlike items were in them."""
    train, old = clues.split.train, np.flatnonzero(clues.split.train.item_counts > 0)
    rows = train.matrix[clues.split.panel][:, old]
    lengths = np.diff(rows.indptr)[:, None]
    return np.asarray(rows @ clues.content.similarity(old, clues.split.new)) / (lengths + _SHORT_HISTORY)


def taste_channel(clues: Clues) -> FloatArray:
    """The recommender's mean score of the old items most like the item."""
    old = np.flatnonzero(clues.split.train.item_counts > 0)
    shares = neighbour_shares(clues.content, old, clues.split.new, NEIGHBOURS)
    return np.asarray(clues.recommender.score(clues.split.panel)[:, old] @ shares)


def active_channel(clues: Clues) -> FloatArray:
    """How many items the person met."""
    activity = np.diff(clues.split.train.matrix.indptr)[clues.split.panel].astype(np.float64)
    return np.repeat(activity[:, None], len(clues.split.new), axis=1)


CHANNELS: Mapping[str, Callable[[Clues], FloatArray]] = {
    "content": content_channel,
    "taste": taste_channel,
    "active": active_channel,
}
"""Each gives a score of every person of the panel for every new item, shape (n_panel, n_new), higher = sooner."""


def recall(clues: Clues, channels: Sequence[str], share: float) -> Pools:
    """The pools: for each item the same share of the panel."""
    ranks = [rankdata(CHANNELS[name](clues), axis=0) for name in channels]
    order = np.mean(ranks, axis=0)
    size = max(1, round(share * len(order)))
    first = np.argsort(-order, axis=0, kind="stable")[:size]
    inside = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(inside, first, True, axis=0)
    return Pools(order, inside)
