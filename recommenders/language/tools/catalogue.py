"""The tool `sql`: one SELECT over the catalogue and the user's own history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import ItemWords

_ROWS = 8
_STEPS, _LOOKS = 10_000, 200
"""A query is given up after so many operations of SQLite, looked at so many times: some tenths of a second."""
_LONGEST_VALUE = 100_000
"""Bytes of a text that a query may build."""
_LONGEST_QUERY, _LONGEST_PATTERN = 2_000, 50
_TABLES = frozenset(("items", "history"))
_FUNCTIONS = frozenset(
    (
        "abs",
        "avg",
        "coalesce",
        "count",
        "instr",
        "length",
        "like",
        "lower",
        "max",
        "min",
        "round",
        "substr",
        "sum",
        "upper",
    )
)
"""Those that tell the same whenever they are asked, and build no large text."""


class CatalogueSql:
    """Answers a SELECT over two tables of an SQLite database in memory.

    `items (title, year, categories, taken, rating)`: every item of the catalogue; `taken` counts the users who took it
    in what the recommender has learnt from, `rating` is their mean rating, NULL where none is known.
    `history (place, title)`: the latest items of the user in hand, 1 the earliest.

    Nothing else can be read, and nothing can be written: an authorizer lets SELECTs over these tables through, with
    functions that tell the same each time, and queries that take long or build large texts are given up.

    Args:
        catalog: The items.
        interactions: What the recommender has learnt from.
    """

    name = "sql"
    about = (
        "one SQLite SELECT over items (title, year, categories, taken, rating) and history (place, title), where taken "
        "counts users and history is this user's, 1 the earliest; texts in single quotes"
    )

    def __init__(self, catalog: Catalog, interactions: Interactions) -> None:
        self._words = ItemWords(catalog)
        self._rows = list(zip(*_columns(catalog, self._words, interactions), strict=True))
        self._open: sqlite3.Connection | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": None}  # a connection cannot be handed to another process

    def use(self, request: str, seat: Seat) -> str:
        """The first rows, a semicolon between them; raises `ToolFault` where SQLite refuses the query."""
        rows = self._read(request, seat, _ROWS + 1)
        if not rows:
            return "no rows"
        told = "; ".join(", ".join("NULL" if value is None else str(value) for value in row) for row in rows[:_ROWS])
        return f"{told}; ..." if len(rows) > _ROWS else told

    def matching(self, condition: str, seat: Seat) -> IntArray:
        """The numbers of the items that a condition holds for, ascending.

        Args:
            condition: What stands behind WHERE.
            seat: For whom.

        Raises:
            ToolFault: SQLite refuses it.
        """
        # A line of its own, so that a comment in the condition does not end the bracket.
        rows = self._read(f"SELECT rowid FROM items WHERE (\n{condition}\n)", seat, len(self._rows))
        numbers = {row[0] for row in rows}
        # Whoever closes the bracket may add rows of other queries.
        return np.array([item for item in range(len(self._rows)) if item + 1 in numbers], dtype=np.int64)

    def _read(self, query: str, seat: Seat, most: int) -> list[tuple[object, ...]]:
        """The first rows that a query finds; raises `ToolFault`."""
        connection = self._database()
        connection.set_authorizer(None)
        connection.execute("DELETE FROM history")
        titles = [(place, self._words.title(item)) for place, item in enumerate(seat.history, start=1)]
        connection.executemany("INSERT INTO history VALUES (?, ?)", titles)
        with _reading_only(connection):
            try:
                cursor = connection.execute(query)
                rows = cursor.fetchmany(most)
                if cursor.description is None:
                    raise ToolFault("found no SELECT")
            except (sqlite3.Error, sqlite3.Warning, ValueError) as fault:
                raise ToolFault(f"SQLite refuses it: {fault}") from None
        return rows

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            # One recommender is asked by one thread at a time, not always by the one that it was fitted in.
            self._open = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._open.execute(
                "CREATE TABLE items (title TEXT, year INTEGER, categories TEXT, taken INTEGER, rating REAL)"
            )
            self._open.execute("CREATE TABLE history (place INTEGER, title TEXT)")
            self._open.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", self._rows)
            self._open.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            # A server may ignore the length asked for, and one pattern of LIKE counts as one operation.
            self._open.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_QUERY)
            self._open.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_PATTERN)
        return self._open


def _columns(catalog: Catalog, words: ItemWords, interactions: Interactions) -> tuple[list[object], ...]:
    """The columns of `items`, as SQLite takes them."""
    rated = ~np.isnan(interactions.ratings)
    n = len(catalog.item_ids)
    ratings = np.bincount(interactions.items[rated], interactions.ratings[rated], minlength=n)
    raters = np.bincount(interactions.items[rated], minlength=n)
    means = [round(float(total / by), 2) if by else None for total, by in zip(ratings, raters, strict=True)]
    return (
        [words.title(item) for item in range(n)],
        [None if year != year else int(year) for year in catalog.years.tolist()],
        [", ".join(each) for each in catalog.genres],
        interactions.item_counts.tolist(),
        list(means),
    )


@contextmanager
def _reading_only(connection: sqlite3.Connection) -> Iterator[None]:
    """Let one query read the two tables, and no longer than it may take."""
    looks = iter(range(_LOOKS))
    connection.set_authorizer(_authorize)
    connection.set_progress_handler(lambda: next(looks, None) is None, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    # The table of a subquery has no name of ours; SQLite asks about each table that it reads besides.
    if action == sqlite3.SQLITE_READ and (first in _TABLES or not first):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
