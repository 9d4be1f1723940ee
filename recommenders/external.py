"""Rankings made elsewhere, read from a file: the door for every library that cannot be imported here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.ids import places_of, unknown_ids
from groundlings.environments.datasets.problems import Problems
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError, NotFitted, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.paths import NamedPath
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.words import plural
from groundlings.recommenders.base import Recommender, hash_of

_NAMED = 3


class ExternalRecommender(Recommender):
    """Reads each user's ranked list from a CSV, TSV or Parquet file, text perhaps packed with gzip; it learns nothing.

    The file has the columns user_id and item_id (the data set's own ids) and rank (smaller = earlier), or score
    (higher = earlier, ties by the order of the catalog), or both: then rank decides the order. Other columns are
    not read. Items a user has seen are left out of their list and nothing fills it up: give lists longer than a
    session can go. A user the file does not know cannot be ranked for; that is an error, not an empty page.

    Args:
        path: The file, relative to the experiment file.
        catalog: The items the file may name.
        user_ids: The users the file may name, in the order of user numbers.
        base_directory: Where a relative path starts.
    """

    def __init__(self, path: NamedPath, *, catalog: Catalog, user_ids: Sequence[str], base_directory: Path) -> None:
        self.path = base_directory / path
        self._user_ids = tuple(user_ids)
        problems = Problems(way_out="")
        table = _read(self.path, problems)
        users = _numbers(table.column("user_id", "user_id"), "user", self._user_ids)
        items = _numbers(table.column("item_id", "item_id"), "item", catalog.item_ids)
        scores = _values(table, "score")
        ranked = "rank" in table.data.column_names
        key = _values(table, "rank") if ranked else -scores
        problems.stop("stop")  # with all users and items that are not known, counted
        _refuse_twice(table, "item_id", users, items)
        if ranked:
            _refuse_twice(table, "rank", users, key)
        order = np.lexsort((items, key, users))
        self._items: ItemArray = items[order].astype(np.int32)
        self._scores = scores[order]
        self._starts: IntArray = np.searchsorted(users[order], np.arange(len(self._user_ids) + 1)).astype(np.int64)
        self._fitted = False

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Nothing is learnt: the lists are those of the file."""
        self._fitted = True

    def check_users(self, users: IntArray) -> None:
        """See `AsyncRecommender.check_users`: the file has a row for each of them."""
        missing = users[self._starts[users + 1] == self._starts[users]]
        if len(missing):
            named = ", ".join(shown(self._user_ids[user]) for user in missing[:_NAMED].tolist())
            raise DataError(
                f"{self.path}: no ranking for {len(missing):,} of {plural(len(users), 'user')} who may come: {named}"
                f"{' ...' if len(missing) > _NAMED else ''}; add their rows, or let only people browse whom it has"
            )

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; raises `DataError` for a user the file does not know."""
        if not self._fitted:
            raise NotFitted("ExternalRecommender.recommend was called before fit")
        lengths = self._starts[request.users + 1] - self._starts[request.users]
        if not lengths.all():
            missing = [self._user_ids[user] for user in request.users[lengths == 0]]
            raise DataError(
                f"{self.path}: no ranking for user {missing[0]!r} ({len(missing)} of "
                f"{plural(len(request), 'user')} who came "
                "have none); add their rows, or let only users browse that the file covers"
            )
        rows = np.repeat(np.arange(len(request)), lengths)
        first = np.cumsum(lengths) - lengths
        places = self._starts[request.users][rows] + np.arange(len(rows)) - first[rows]

        n_items = request.seen.shape[1]
        seen = request.seen.tocoo()
        new = ~np.isin(rows * n_items + self._items[places], seen.coords[0].astype(np.int64) * n_items + seen.coords[1])
        rows, places = rows[new], places[new]
        ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
        rows, places, ranks = (column[ranks < request.size] for column in (rows, places, ranks))

        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        scores = np.full(items.shape, np.nan)
        items[rows, ranks] = self._items[places]
        scores[rows, ranks] = self._scores[places]
        return Ranking.deterministic(items, scores)

    def state(self) -> str:
        """See `Recommender.state`."""
        return hash_of(self._items, self._starts)


_ENDINGS = (".csv", ".tsv", ".parquet", ".gz")


def _read(path: Path, problems: Problems) -> Table:
    """The file as a table; which columns it must have is checked here, what is in them is not."""
    if path.suffix not in _ENDINGS:
        raise DataError(
            f"{path}: rankings are read from .csv, .tsv and .parquet files (text perhaps packed as .gz), found "
            f"{path.suffix or 'no suffix'!r}"
        )
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; the path starts at the experiment file")
    table = replace(Table.read(path), problems=problems)
    found = table.data.column_names
    if {"user_id", "item_id"} - set(found) or not {"rank", "score"} & set(found):
        raise DataError(f"{path}: found columns {', '.join(found)}; expected user_id, item_id, and rank or score")
    return table


def _numbers(column: Column, kind: str, ids: Sequence[str]) -> IntArray:
    """Row numbers for ids; rows with others are rejected, and hold 0."""
    rows = places_of(column.values, ids)[column.codes]
    if (rows < 0).any():
        missing = [column.values[code] for code in column.codes[rows < 0].tolist()]
        told = unknown_ids(kind, missing, ids, "the data set", "ids are those of the data set's own files")
        column.reject(rows < 0, told)
    return np.maximum(rows, 0)


def _values(table: Table, name: str) -> FloatArray:
    """A numeric column, NaN throughout where the file does not have it."""
    if name not in table.data.column_names:
        return np.full(table.data.num_rows, np.nan)

    def number(cell: str) -> float:
        try:
            value = float("" if "_" in cell else cell)  # Python takes 1_0 for ten
        except ValueError:
            raise ValueError("a number") from None
        if math.isnan(value) or (name == "rank" and math.isinf(value)):
            raise ValueError("a number" if math.isnan(value) else "a finite number")
        return value

    return np.asarray(table.column(name, name, infinite=name == "score").parsed(number, np.float64))


def _refuse_twice(table: Table, name: str, users: IntArray, others: FloatArray | IntArray) -> None:
    """Refuse a second row of one user with the same item, or with the same rank."""
    order = np.lexsort((np.arange(len(users)), others, users))
    same = (users[order][1:] == users[order][:-1]) & (others[order][1:] == others[order][:-1])
    if same.any():
        row = int(order[1:][same].min())
        user, other = (shown(table.column(each, each).cells[row]) for each in ("user_id", name))
        table.fail(row, f"user_id {user}, {name} {other} occur together a second time; once is expected")
