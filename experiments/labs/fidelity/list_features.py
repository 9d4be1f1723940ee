"""The features of a user and an item that the list reader uses: some thirty, all measured on training rows.

The eight features of the taste model and its appeal; scores of recommenders; ranks among the user's candidates; the
same evidence over other windows of the history; popularity around the day of the user's latest item; stars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.personas.taste.co_occurrence import COUNT_PRIOR, Steps, histories, weigh
from groundlings.personas.taste.features import FEATURES
from groundlings.personas.taste.model import Taste

Numbers = NDArray[np.float32]
ScoresOfUsers = Callable[[IntArray], NDArray[np.floating[Any]]]
"""Scores of all items for some users, shape (n, n_items)."""

CELLS_AT_ONCE = 250_000
"""Pairs of users and items of which all features are in memory at a time."""

LATEST = 10
"""Items of a history that count as the latest."""

SOON = 3
"""Steps ahead at which an item counts as coming right after another."""

OF_USER = ("activity", "popularity, usual")
"""Features that are the same for all items of a user."""

_DAY = 86_400
_MOST_CELLS = 20_000_000
_RECENT_PERIODS = 30


@dataclass(frozen=True)
class ListFeatures:
    """The features of pairs of users and items.

    Attributes:
        train: The rows that popularity is counted on.
        histories: The rows of the users asked about; `train` again where these users are among them.
        catalog: The items.
        taste: The taste model, with the evidence of these users.
        scores: Of recommenders fitted on `train`, by name.
    """

    train: Interactions
    histories: Interactions
    catalog: Catalog
    taste: Taste
    scores: Mapping[str, ScoresOfUsers]

    def of(self, users: IntArray, items: ItemArray) -> dict[str, Numbers]:
        """Each feature of each place of the lists, shape as `items` (n, w), 0 where there is no item.

        Args:
            users: One per list, shape (n,).
            items: Item numbers, shape (n, w), `NO_ITEM` after the last.
        """
        people, rows = np.unique(users, return_inverse=True)
        result: dict[str, Numbers] = {}
        asked = np.where(items == NO_ITEM, 0, items).astype(np.int64)
        size = max(CELLS_AT_ONCE // self.train.n_items, 1)
        for first in range(0, len(people), size):
            here = np.flatnonzero((rows >= first) & (rows < first + size))
            with threadpool_limits(1, "blas"):
                tables = self._tables(people[first : first + size])
            for name, table in tables.items():
                column = result.setdefault(name, np.zeros(items.shape, dtype=np.float32))
                column[here] = table[(rows[here] - first)[:, None], asked[here]]
        for column in result.values():
            column[items == NO_ITEM] = 0
        return result

    def _tables(self, users: IntArray) -> dict[str, Numbers]:
        """Each feature of all items, shape (n, n_items)."""
        evidence = self.taste.evidence
        tables: dict[str, Numbers] = {name: evidence.column(name, users) for name in FEATURES}
        weights = self.taste.appeal_weights
        tables["appeal"] = sum(
            (np.float32(slope) * tables[name] for name, slope in zip(FEATURES, weights.slopes, strict=True) if slope),
            start=np.zeros((len(users), self.train.n_items), dtype=np.float32),
        )
        tables |= {name: np.asarray(score(users), dtype=np.float32) for name, score in self.scores.items()}
        for name in ("appeal", *self.scores):
            tables[f"{name}, rank"] = self._ranks(users, tables[name])
        return {**tables, **self._windows(users), **self._when(users), **self._levels(users)}

    def _ranks(self, users: IntArray, table: Numbers) -> Numbers:
        """Log-odds of the share of the items without an interaction in training that score lower."""
        candidates = np.where(self.histories.met_by(users).toarray() > 0, np.inf, table)
        ranks = np.empty(table.shape, dtype=np.float32)
        places = np.arange(table.shape[1], dtype=np.float32)
        np.put_along_axis(ranks, np.argsort(candidates, axis=1), np.broadcast_to(places, table.shape), axis=1)
        size = np.isfinite(candidates).sum(axis=1, keepdims=True)
        return np.log((ranks + 0.5) / np.maximum(size - ranks - 0.5, 0.5)).astype(np.float32)

    def _windows(self, users: IntArray) -> dict[str, Numbers]:
        """Association and likeness to the latest items, to all items, and what came right after the very latest."""
        evidence, latest, last = self.taste.evidence, self._latest[users], self._last[users]
        associations = evidence.tables.associations.T
        alike = np.full((len(users), self.train.n_items), -1.0, dtype=np.float32)
        owners, items = latest.nonzero()
        for place in range(LATEST):
            # The place-th of each person's latest items at once.
            order = np.searchsorted(owners, np.arange(len(users))) + place
            held = (order < len(owners)) & (owners[np.minimum(order, len(owners) - 1)] == np.arange(len(users)))
            nearest = evidence.vectors[items[order[held]]] @ evidence.vectors.T
            alike[held] = np.maximum(alike[held], nearest)
        return {
            "association, latest": (latest @ associations).toarray(),
            "association, last": (last @ associations).toarray(),
            "association, all": (self._all[users] @ associations).toarray(),
            "likeness, all": (self._all[users] @ evidence.vectors) @ evidence.vectors.T,
            "likeness, nearest": alike,
            "right after": np.log((self._weights_soon[users] @ self._soon).toarray() + np.float32(1e-5)),
        }

    def _when(self, users: IntArray) -> dict[str, Numbers]:
        """Popularity around each user's latest day, before it, and how long the item had been there."""
        table, period = self._running_counts, self._period[users]
        n_periods = len(table) - 1

        def between(first: IntArray, last: IntArray) -> Numbers:
            return np.log1p(table[np.clip(last, 0, n_periods)] - table[np.clip(first, 0, n_periods)])

        return {
            "popularity, same day": between(period, period + 1),
            "popularity, same days": between(period - 3, period + 4),
            "popularity, month before": between(period - _RECENT_PERIODS, period + 1),
            "popularity, month after": between(period, period + _RECENT_PERIODS),
            "age": (period[:, None] - self._first_period).astype(np.float32),
        }

    def _levels(self, users: IntArray) -> dict[str, Numbers]:
        """How the item's popularity, year and stars differ from what the user is used to."""
        shape = (len(users), self.train.n_items)
        popularity = self.taste.evidence.popularity
        known = np.isfinite(self.catalog.years)
        usual = float(self.catalog.years[known].mean()) if known.any() else 0.0
        years = np.where(known, self.catalog.years, usual).astype(np.float32)
        tables = {
            "popularity, less latest": popularity - (self._latest[users] @ popularity)[:, None],
            "popularity, usual": np.broadcast_to((self._all[users] @ popularity)[:, None], shape),
            "year": np.broadcast_to(years, shape),
            "year, less latest": years - (self._latest[users] @ years)[:, None],
        }
        if self.taste.stars is not None:
            stars = self.taste.stars.evidence
            tables["stars, standing"] = stars.item_bias - stars.usual_bias[users][:, None]
            tables["stars, taste"] = stars.coefficients[users] @ stars.item_features.T
            tables["liking"] = self.taste.stars.leaning(users)
        return tables

    @cached_property
    def _histories(self) -> tuple[IntArray, IntArray, IntArray]:
        return histories(self.histories)

    def _weighted(self, weights: FloatArray) -> sp.csr_array:
        users, items, _ = self._histories
        return weigh(users, items, weights, self.histories)

    @cached_property
    def _latest(self) -> sp.csr_array:
        return self._weighted((self._histories[2] < LATEST).astype(np.float64))

    @cached_property
    def _last(self) -> sp.csr_array:
        return self._weighted((self._histories[2] < 1).astype(np.float64))

    @cached_property
    def _all(self) -> sp.csr_array:
        return self._weighted(np.ones(len(self._histories[0])))

    @cached_property
    def _weights_soon(self) -> sp.csr_array:
        return self._weighted(np.power(0.5, self._histories[2]))

    @cached_property
    def _soon(self) -> sp.csr_array:
        """P(an item comes at most `SOON` steps after another), shrunk, shape (n_items, n_items)."""
        users, items, _ = histories(self.train)
        counts = sp.csr_array(Steps.of(users, items, self.train.n_items).earlier(1, SOON).T.tocsr())
        return sp.csr_array(sp.diags_array(1 / (counts.sum(axis=1) + COUNT_PRIOR)) @ counts).astype(np.float32)

    def _periods_of(self, times: IntArray) -> IntArray:
        """The period of each moment, 0 = that of the first training row: a day, or longer in a long history."""
        start, end = int(self.train.timestamps.min()), int(self.train.timestamps.max())
        most = max(_MOST_CELLS // max(self.train.n_items, 1), 10)
        return (times - start) // max(_DAY * self.train.ticks_per_second, (end - start) // most + 1)

    @cached_property
    def _periods(self) -> IntArray:
        return self._periods_of(self.train.timestamps)

    @cached_property
    def _running_counts(self) -> Numbers:
        """Rows of each item before each period, shape (n_periods + 1, n_items)."""
        n_periods = int(self._periods.max()) + 1
        cells = self._periods * self.train.n_items + self.train.items
        counts = np.bincount(cells, minlength=n_periods * self.train.n_items).astype(np.float32)
        table = np.zeros((n_periods + 1, self.train.n_items), dtype=np.float32)
        np.cumsum(counts.reshape(n_periods, self.train.n_items), axis=0, out=table[1:])
        return table

    @cached_property
    def _period(self) -> IntArray:
        """Of each user's latest item, shape (n_users,)."""
        latest = np.zeros(self.histories.n_users, dtype=np.int64)
        np.maximum.at(latest, self.histories.users, self._periods_of(self.histories.timestamps))
        return latest

    @cached_property
    def _first_period(self) -> IntArray:
        first = np.full(self.train.n_items, int(self._periods.max()) + 1, dtype=np.int64)
        np.minimum.at(first, self.train.items, self._periods)
        return first
