"""NDCG and recall of the tested users' lists, in five settings.

    cold           held-out interactions with new items, in lists of new items only (as ColdRec does)
    warm           held-out interactions with old items, in lists of old items only (likewise)
    overall        both, in lists of the whole catalogue
    cold in all    the interactions with new items, in these lists of the whole catalogue
    warm in all    the interactions with old items in them: shows what the new items displace, which "warm" does not

The candidate set is complete: no candidates are sampled. Training rows are masked, synthetic rows never are. Ties are
broken in an order that is drawn for each seed, because the order of the catalogue often follows popularity.

The value of a metric is a sum over items. Item i adds, summed over the users who interacted with it and have it in
their list, 1 / log2(rank + 1) / ideal for NDCG and 1 / (items the user interacted with) for recall, divided by the
number of users with any such interaction (`groundlings.experiments.analysis.metrics.ranking` has the definitions). The
bootstrap over items resamples these shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.warmup.splitting import ColdSplit

Setting = Literal["cold", "warm", "overall", "cold in all", "warm in all"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
METRICS = ("ndcg", "recall")

_CHUNK = 512

Shares = Mapping[tuple[Setting, str], FloatArray]
"""(setting, metric) -> what each item of the catalogue adds, shape (n_items,); the sum is the value."""


@dataclass(frozen=True)
class Outcome:
    """The metrics of one arm under one seed.

    Attributes:
        shares: See `Shares`.
        exposure: Share of the slots of the whole catalogue's lists that hold a new item.
    """

    shares: Shares
    exposure: float

    def value(self, setting: Setting, metric: str) -> float:
        """The metric."""
        return float(self.shares[setting, metric].sum())


@dataclass(frozen=True)
class Lists:
    """The best items of each tested user and their scores, best first, shape (n_tested, depth) each."""

    items: ItemArray
    scores: FloatArray


class Arena:
    """Measures arms on the tested users of one seed.

    Args:
        split: The parts of the history.
        depth: Length of the lists that are measured.
        chance: Random numbers for the order of equal scores.

    Raises:
        DataError: No tested user has a held-out interaction with a new item, or none with an old one.
    """

    def __init__(self, split: ColdSplit, depth: int, chance: np.random.Generator) -> None:
        self._split = split
        self._depth = depth
        self._order = chance.permutation(split.train.n_items)
        self._seen = sp.csr_array(split.train.matrix[split.tested])
        new = _pairs(split.cold_test, split.tested)
        # A pair that occurs twice may be in both parts; the training rows hold it, so it tests nothing.
        old = _pairs(split.warm_test, split.tested) & (self._seen.toarray() == 0)
        for name, pairs in (("a new", new), ("an old", old)):
            if not pairs.any():
                raise DataError(
                    f"warm-up split: no tested user has a held-out interaction with {name} item, so nothing is known "
                    "of such lists; choose another cold.share or salt, or use data with more interactions"
                )
        self._relevant: Mapping[Setting, BoolArray] = {
            "cold": new, "warm": old, "overall": new | old, "cold in all": new, "warm in all": old,
        }  # fmt: skip

    def old_lists(self, scores: FloatArray) -> Lists:
        """Lists of old items by the scores of all items, shape (n_tested, n_items)."""
        hidden = scores.copy()
        hidden[:, self._split.new] = -np.inf
        hidden[:, self._split.hidden] = -np.inf
        hidden[:, self._split.train.item_counts == 0] = -np.inf
        rows = np.repeat(np.arange(len(hidden)), np.diff(self._seen.indptr))
        hidden[rows, self._seen.indices] = -np.inf
        return self._best(hidden, np.arange(hidden.shape[1], dtype=np.int64))

    def new_lists(self, scores: FloatArray) -> Lists:
        """Lists of new items by their scores, shape (n_tested, n_new)."""
        return self._best(scores, self._split.new)

    def measure(self, old: Lists, new: Lists) -> Outcome:
        """All settings; the lists of the whole catalogue are old and new ones merged by score, ties to the old."""
        items = np.concatenate([old.items, new.items], axis=1)
        scores = np.concatenate([old.scores, new.scores], axis=1)
        place = np.argsort(-scores, axis=1, kind="stable")[:, : self._depth]
        merged = np.take_along_axis(items, place, axis=1)
        lists: Mapping[Setting, ItemArray] = {
            "cold": new.items, "warm": old.items, "overall": merged, "cold in all": merged, "warm in all": merged,
        }  # fmt: skip
        shares = {}
        for setting, listed in lists.items():
            for metric, values in item_shares(listed, self._relevant[setting], self._depth).items():
                shares[setting, metric] = values
        shown = merged[merged != NO_ITEM]
        return Outcome(shares, float(np.isin(shown, self._split.new).mean()) if len(shown) else 0.0)

    def _best(self, scores: FloatArray, items: IntArray) -> Lists:
        """The best of some items, -inf never listed."""
        order = np.argsort(self._order[items], kind="stable")
        arranged, named = scores[:, order], items[order]
        size = min(self._depth, arranged.shape[1])
        places = np.empty((len(arranged), size), dtype=np.int64)
        for first in range(0, len(arranged), _CHUNK):
            block = arranged[first : first + _CHUNK]
            places[first : first + _CHUNK] = np.argsort(-block, axis=1, kind="stable")[:, :size]
        best = np.take_along_axis(arranged, places, axis=1)
        return Lists(np.where(np.isneginf(best), NO_ITEM, named[places]).astype(np.int32), best)


def item_shares(items: ItemArray, relevant: BoolArray, depth: int) -> dict[str, FloatArray]:
    """Metric -> what each item adds to it, shape (n_items,).

    Args:
        items: Lists, best first, shape (n, at least depth or shorter), filled up with `NO_ITEM`.
        relevant: Shape (n, n_items).
        depth: Length of the lists that are measured.
    """
    top = items[:, :depth]
    hit = (top != NO_ITEM) & np.take_along_axis(relevant, np.where(top == NO_ITEM, 0, top).astype(np.int64), axis=1)
    interactions = relevant.sum(axis=1)
    users = max(int((interactions > 0).sum()), 1)
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    ideal = np.concatenate([[1.0], np.cumsum(discounts)])[np.minimum(interactions, depth)]
    gains = {
        "ndcg": discounts[None, : top.shape[1]] / ideal[:, None],
        "recall": np.broadcast_to(1 / np.maximum(interactions, 1)[:, None], top.shape),
    }
    n_items = relevant.shape[1]
    return {name: np.bincount(top[hit], weights=gain[hit], minlength=n_items) / users for name, gain in gains.items()}


def _pairs(rows: Interactions, users: IntArray) -> BoolArray:
    return np.asarray(rows.matrix[users].toarray() > 0)
