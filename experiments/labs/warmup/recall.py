"""Recall: the pool of users of each item, from the item's content and the users' training histories.

A channel ranks the panel for each item. The mean rank over the channels is recall's order, and its first part is the
pool. No channel sees an interaction with a new item. To add a channel, add a function to `CHANNELS`.
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
"""Number of most similar old items, here and in the arm content_knn."""

_SHORT_HISTORY = 10.0


@dataclass(frozen=True)
class Clues:
    """What channels may look at.

    Attributes:
        split: Channels may read `train`, `new` and `panel` only.
        content: The content of all items.
        recommender: Fitted on `split.train`.
    """

    split: ColdSplit
    content: Content
    recommender: ScoringRecommender


@dataclass(frozen=True)
class Pools:
    """Which users can be selected for each item.

    Attributes:
        order: Recall's score, higher = earlier, shape (n_panel, n_new).
        inside: Whether each user is in each item's pool, shape (n_panel, n_new).
    """

    order: FloatArray
    inside: BoolArray


def content_channel(clues: Clues) -> FloatArray:
    """Mean similarity of the item to the user's history, to which ten items of similarity 0 are added."""
    train, old = clues.split.train, np.flatnonzero(clues.split.train.item_counts > 0)
    rows = train.matrix[clues.split.panel][:, old]
    lengths = np.diff(rows.indptr)[:, None]
    return np.asarray(rows @ clues.content.similarity(old, clues.split.new)) / (lengths + _SHORT_HISTORY)


def taste_channel(clues: Clues) -> FloatArray:
    """The recommender's mean score of the old items most similar to the item."""
    old = np.flatnonzero(clues.split.train.item_counts > 0)
    shares = neighbour_shares(clues.content, old, clues.split.new, NEIGHBOURS)
    return np.asarray(clues.recommender.score(clues.split.panel)[:, old] @ shares)


def active_channel(clues: Clues) -> FloatArray:
    """The number of items the user interacted with."""
    activity = np.diff(clues.split.train.matrix.indptr)[clues.split.panel].astype(np.float64)
    return np.repeat(activity[:, None], len(clues.split.new), axis=1)


CHANNELS: Mapping[str, Callable[[Clues], FloatArray]] = {
    "content": content_channel,
    "taste": taste_channel,
    "active": active_channel,
}
"""Each returns the score of each user of the panel for each new item, shape (n_panel, n_new), higher = earlier."""


def recall(clues: Clues, channels: Sequence[str], share: float) -> Pools:
    """The pools: the same share of the panel for each item."""
    ranks = [rankdata(CHANNELS[name](clues), axis=0) for name in channels]
    order = np.mean(ranks, axis=0)
    size = max(1, round(share * len(order)))
    first = np.argsort(-order, axis=0, kind="stable")[:size]
    inside = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(inside, first, True, axis=0)
    return Pools(order, inside)
