"""The behavioural features of a user and an item: eight numbers measured on all users' training rows.

Except popularity, none of them is the score of a recommender under test, but some are related to one, and a report
should say so: `sequence` and `association` count pairs of items as item kNN does, over
neighbouring steps instead of whole histories and weighed by recency; `recent_taste` factorises as ALS and BPR do,
pairs of items instead of people and items.

A feature is measured for pairs of user and item, at a cost that depends on neither the size of the catalog nor the
number of users (`Evidence.column_of_pairs`). Who must know all items, a bound of what recommenders can reach for one,
asks for whole rows (`Evidence.column`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.personas.profile import measure_genre_lifts
from groundlings.personas.taste.co_occurrence import COUNT_PRIOR, histories, weigh
from groundlings.personas.taste.item_tables import ItemTables, measure_tables
from groundlings.personas.taste.many_users import MANY
from groundlings.personas.taste.popular_items import PopularItems
from groundlings.personas.taste.similar_users import SimilarUsers, latest_users
from groundlings.personas.taste.sparse_rows import PairedTable, narrow, parts_of, row_products, scaled_columns

Features = NDArray[np.float32]

FEATURES = ("sequence", "association", "recent_taste", "people", "season", "popularity", "genre", "activity")
"""Names and order of the features.

sequence: log of a smoothed P(the item follows the person's latest items); `co_occurrence` has the formula.
association: How much more often than by chance it is near them, in logs, averaged over the latest items.
recent_taste: Cosine-like similarity of the item's vector to those of the latest items.
people: log of the share of the most similar users that have the item (`groundlings.personas.taste.similar_users`).
season: log of the item's popularity around the time of the user's latest item, relative to its usual popularity.
popularity: log(1 + users with an interaction with the item).
genre: Mean log genre lift of the user over the item's genres; 0 without genres.
activity: log(1 + items in the user's history), the same for every item: active users interact more with every item.
"""

VERSION = 3
"""Raised whenever a feature changes its meaning and keeps its name, or ratings rest on other features: weights fitted
before are then fitted anew."""

VERSION_OF_MANY = 4
"""The same where users are more than `MANY`: what their sample says of items changes without that of fewer users."""

SEQUENCE_HALF_LIFE = 10.0
"""Steps back in a history at which an item counts half, for `sequence`."""

RECENT_HALF_LIFE = 5.0
"""The same for `association` and `recent_taste`."""

SEASON_SECONDS = 14 * 86_400
"""Length of a period for `season`; longer where a history of more than `_MOST_PERIODS` periods asks for it."""

_MOST_PERIODS = 100
_SEASON_PRIOR = 2.0
_POPULAR_PRIOR = 10.0
_SHARE_FLOOR = 0.002
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Evidence:
    """The features of every person and item, computed for the pairs that are asked about.

    Attributes:
        tables: What items say of each other.
        latest, recent: Histories as weights that sum to 1 a person, by `SEQUENCE_HALF_LIFE` and by
            `RECENT_HALF_LIFE`, shape (n_users, n_items).
        met: 1 for each pair that occurs, shape (n_users, n_items).
        latest_users: 1 for each of the latest users of an item, shape (n_items, n_users).
        activity: The feature, shape (n_users,).
        rarity: Weight of an item in the similarity of two users: lower for more popular items, shape (n_items,).
        season: The feature by period, shape (n_periods, n_items).
        period: Of each person's latest item, shape (n_users,).
        popularity: The feature, shape (n_items,).
        lifts: log genre lifts, shape (n_users, n_genres).
        genres: Membership, each item's row summing to 1 or 0, shape (n_items, n_genres).
    """

    tables: ItemTables
    latest: sp.csr_array
    recent: sp.csr_array
    met: sp.csr_array
    latest_users: sp.csr_array
    activity: Features
    rarity: Features
    season: Features
    period: IntArray
    popularity: Features
    lifts: Features
    genres: Features

    @property
    def n_users(self) -> int:
        """People of the data set."""
        return len(self.lifts)

    @property
    def n_items(self) -> int:
        """Size of the catalog."""
        return len(self.popularity)

    @property
    def vectors(self) -> Features:
        """Unit item vectors, shape (n_items, d)."""
        return self.tables.vectors

    def column(self, name: str, users: IntArray) -> Features:
        """One of `FEATURES` of all items for some users, shape (n, n_items)."""
        match name:
            case "sequence":
                return self._sequence(users)
            case "association":
                return (self.recent[users] @ self._associated).toarray()
            case "recent_taste":
                return (self.recent[users] @ self.vectors) @ self.vectors.T
            case "people":
                return np.log((self.similar.rows(users) @ self.met).toarray() + np.float32(_SHARE_FLOOR))
            case "season":
                return self.season[self.period[users]]
            case "popularity":
                return np.broadcast_to(self.popularity, (len(users), self.n_items))
            case "genre":
                return self.lifts[users] @ self.genres.T
            case "activity":
                return np.broadcast_to(self.activity[users][:, None], (len(users), self.n_items))
        raise ValueError(f"found the feature {name!r}, expected one of {', '.join(FEATURES)}")

    def pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """All features of some pairs, shape (n_pairs, n_features)."""
        return np.column_stack([self.column_of_pairs(name, users, items) for name in FEATURES]).astype(np.float64)

    def column_of_pairs(self, name: str, users: IntArray, items: IntArray) -> Features:
        """One of `FEATURES` of some pairs, shape (n_pairs,); a pair's is the same to the last bit in any company."""
        values = np.empty(len(users), dtype=np.float32)
        # So many at a time that the tables' rows of them stay small.
        for part in parts_of(self._cells[items], _CELLS_AT_ONCE):
            values[part] = self._of_pairs(name, users[part], items[part])
        return values

    def _of_pairs(self, name: str, users: IntArray, items: IntArray) -> Features:
        match name:
            case "sequence":
                followed = self._following.products(self._weighted[users], items)
                return self._mixed(followed, self._smoothed[users], self.tables.rest[items], self.tables.share[items])
            case "association":
                return self._associations.products(self.recent[users], items)
            case "recent_taste":
                people, rows = np.unique(users, return_inverse=True)
                return np.einsum("nd,nd->n", (self.recent[people] @ self.vectors)[rows], self.vectors[items])
            case "people":
                return self._people_of_pairs(users, items)
            case "season":
                return self.season[self.period[users], items]
            case "popularity":
                return self.popularity[items]
            case "genre":
                return np.einsum("ng,ng->n", self.lifts[users], self.genres[items])
            case "activity":
                return self.activity[users]
        raise ValueError(f"found the feature {name!r}, expected one of {', '.join(FEATURES)}")

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Everything that was measured, for a fingerprint."""
        tables = self.tables
        # Places as wide as they were when the first runs of this version were logged, which may be resumed.
        sparse = (tables.following, tables.associations, self.latest, self.recent, self.met, self.latest_users)
        kept = [
            part for each in sparse for part in (each.indptr.astype(np.int64), each.indices.astype(np.int64), each.data)
        ]
        measured = (tables.rest, tables.degree, tables.share, tables.vectors)
        return (*kept, *measured, self.season, self.period, self.activity, self.lifts, self.genres)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was computed on demand: a copy in another process computes what it is asked about."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def similar(self) -> SimilarUsers:
        """Who is like whom, found when first asked about."""
        return SimilarUsers(self.met, self.latest_users, self.rarity)

    def _people_of_pairs(self, users: IntArray, items: IntArray) -> Features:
        shares = np.empty(len(users), dtype=np.float32)
        listed = self._all_listed[items]
        some, lists = users[listed], self.latest_users[items[listed]]
        people, rows = np.unique(some, return_inverse=True)
        shares[listed] = row_products(self.similar.rows(people)[rows], lists)
        if not listed.all():
            shares[~listed] = self._shares_by_history(users[~listed], items[~listed])
        return np.log(shares + np.float32(_SHARE_FLOOR))

    def _shares_by_history(self, users: IntArray, items: IntArray) -> Features:
        """Share of similar users that have an item of so many users that it takes less to look into their histories."""
        others, weights = self.similar.of(users)
        known = self._flags.hold(items)
        if known.all():
            have = self._flags.have(others, items)
        else:
            have = np.empty(others.shape, dtype=np.bool_)
            have[known] = self._flags.have(others[known], items[known])
            have[~known] = self._searched(users[~known], items[~known])
        return np.einsum("nw,nw->n", weights, have.astype(np.float32))

    def _searched(self, users: IntArray, items: IntArray) -> Features:
        """1 where a similar user's history holds the item of a pair, shape (n_pairs, width)."""
        width = self.similar.width
        if self.n_users <= MANY:
            have = self.met[self.similar.of(users)[0].ravel(), np.repeat(items, width)]
        else:  # the histories of a user's similar users lie far apart, and are brought together once for all items
            people, rows = np.unique(users, return_inverse=True)
            histories = self.met[self.similar.of(people)[0].ravel()]
            have = histories[(rows[:, None] * width + np.arange(width)).ravel(), np.repeat(items, width)]
        return np.asarray(have).reshape(-1, width)

    def _sequence(self, users: IntArray) -> Features:
        """log of a mixture, over the latest items, of P(following | item) smoothed towards the overall share."""
        followed = (self._weighted[users] @ self._followed).toarray()
        return self._mixed(followed, self._smoothed[users][:, None], self.tables.rest, self.tables.share)

    @staticmethod
    def _mixed(followed: Features, smoothed: Features, rest: Features, share: Features) -> Features:
        """log of what was counted and kept, what was counted and not kept, and what is left to smoothing."""
        return np.log(np.maximum(followed + (1 - smoothed) * rest, 0) + smoothed * share)

    @cached_property
    def _weighted(self) -> sp.csr_array:
        """Weight of one count after each latest item, shape (n_users, n_items)."""
        return scaled_columns(self.latest, 1 / (self.tables.degree + np.float32(COUNT_PRIOR)))

    @cached_property
    def _smoothed(self) -> Features:
        """How much of the mixture is smoothing, and not said by counts, shape (n_users,); never 0."""
        smoothed = self.latest @ (COUNT_PRIOR / (self.tables.degree.astype(np.float64) + COUNT_PRIOR))
        return np.where(np.diff(self.latest.indptr) > 0, smoothed, 1.0).astype(np.float32)

    @cached_property
    def _cells(self) -> IntArray:
        """What a pair with each item takes up at most while a feature is measured, shape (n_items,)."""
        tables = self.tables
        partners = np.maximum(np.diff(tables.following.indptr), np.diff(tables.associations.indptr))
        return partners + 2 * self.similar.width + self.genres.shape[1]

    @cached_property
    def _all_listed(self) -> BoolArray:
        """Whether the latest users of an item are all of its users, shape (n_items,)."""
        # Of users who tell of items: others may have the item, too. Lists are short, so that the logs are exact enough.
        return np.diff(self.latest_users.indptr) == np.rint(np.expm1(self.popularity.astype(np.float64)))

    @cached_property
    def _flags(self) -> PopularItems:
        """Who has the items of so many users that not all of them are listed, those of the most users first."""
        return PopularItems(self.met, self._popular_first[~self._all_listed[self._popular_first]])

    @cached_property
    def _popular_first(self) -> IntArray:
        """All items, those of the most users first: recommenders show them often."""
        return np.argsort(-self.popularity, kind="stable")

    @cached_property
    def _following(self) -> PairedTable:
        """The table of what follows, for pairs."""
        return PairedTable(self.tables.following, self._popular_first)

    @cached_property
    def _associations(self) -> PairedTable:
        """The table of associations, for pairs."""
        return PairedTable(self.tables.associations, self._popular_first)

    @cached_property
    def _followed(self) -> sp.csr_array:
        """The table of what follows, by the item that comes before."""
        return self.tables.following.T.tocsr()

    @cached_property
    def _associated(self) -> sp.csr_array:
        """The table of associations, by the item in the history."""
        return self.tables.associations.T.tocsr()


def version_of(n_users: int) -> int:
    """The version of the features of so many users."""
    return VERSION if n_users <= MANY else VERSION_OF_MANY


def measure_evidence(
    train: Interactions,
    catalog: Catalog,
    real: Interactions | None = None,
    tables: Callable[[], ItemTables] | None = None,
) -> Evidence:
    """Measure the features of all users and items on training rows: counts, their factorisation, weighted histories.

    Args:
        train: The rows.
        catalog: The items.
        real: Those of them that tell of items, of the first users and no others; all if absent. The others have their
            features, and are nobody's similar users.
        tables: Gives those that were counted on a sample of users; all rows are counted if absent.
    """
    telling = train if real is None else replace(real, n_users=train.n_users)
    latest = latest_users(telling)  # first: sorting all rows takes the most memory, and nothing else is held yet
    users, items, age = histories(train)
    season, period = _seasons(telling, train)
    lifts = np.nan_to_num(measure_genre_lifts(train, catalog), nan=1.0)
    genres = catalog.genre_matrix.astype(np.float32)
    if tables is None:
        counted = (users, items, age) if real is None else histories(telling)
        tables = partial(measure_tables, *counted, train.n_items)
    return Evidence(
        latest=weigh(users, items, 0.5 ** (age / SEQUENCE_HALF_LIFE), train),
        recent=weigh(users, items, 0.5 ** (age / RECENT_HALF_LIFE), train),
        met=narrow(train.matrix),
        latest_users=latest,
        activity=np.log1p(np.diff(train.matrix.indptr)).astype(np.float32),
        rarity=(1 / np.sqrt(telling.item_counts + _POPULAR_PRIOR)).astype(np.float32),
        season=season,
        period=period,
        popularity=np.log1p(telling.item_counts).astype(np.float32),
        lifts=np.log(lifts).astype(np.float32),
        genres=genres / np.maximum(genres.sum(axis=1, keepdims=True), 1),
        tables=tables(),  # last: others may be counting them
    )


def _seasons(train: Interactions, everybody: Interactions) -> tuple[Features, IntArray]:
    """Lifts of each period, shape (n_periods, n_items), and each person's period, shape (n_users,).

    Args:
        train: The rows that tell of items.
        everybody: Those of all people, in the first or the last period where before or after the others.
    """
    if not len(train):
        return np.zeros((1, train.n_items), dtype=np.float32), np.zeros(train.n_users, dtype=np.int64)
    start, end = train.timestamps.min(), train.timestamps.max()
    length = max(SEASON_SECONDS * train.ticks_per_second, (int(end - start) // _MOST_PERIODS) + 1)
    periods = (train.timestamps - start) // length
    n_periods = int(periods.max()) + 1
    # One number per (period, item), row by row, so that one bincount makes the whole table.
    cells = periods * train.n_items + train.items
    counts = np.bincount(cells, minlength=n_periods * train.n_items).reshape(n_periods, train.n_items)
    # A period stands for itself and, by half, for the one before and the one after.
    around = counts.astype(np.float64)
    around[1:] += counts[:-1] / 2
    around[:-1] += counts[1:] / 2
    usual = np.outer(around.sum(axis=1) / len(train), counts.sum(axis=0))
    latest = np.zeros(train.n_users, dtype=np.int64)
    if everybody is not train:
        periods = np.clip((everybody.timestamps - start) // length, 0, n_periods - 1)
    np.maximum.at(latest, everybody.users, periods)  # the latest period of each user's rows
    return np.log((around + _SEASON_PRIOR) / (usual + _SEASON_PRIOR)).astype(np.float32), latest
