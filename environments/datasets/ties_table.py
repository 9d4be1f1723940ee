"""Ties in a table: a row per pair of people, with the columns `user` and `friend`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.ids import places_of
from groundlings.environments.datasets.remarks import REMOVE, remark_on_words
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError, shown
from groundlings.environments.ties import Ties
from groundlings.environments.words import plural

USER, FRIEND = "user", "friend"


def read_ties(path: Path, user_ids: Sequence[str], whose: str, key: str) -> tuple[Ties, int]:
    """The ties of some people, and how many rows name somebody else.

    Args:
        path: Of the table.
        user_ids: The people, in the order of their row numbers.
        whose: Where they come from, and `key` what asked for the table; for messages.

    Raises:
        DataError: The file or a column is missing, a cell is empty, a user has a tie to itself, or no row joins two of
            these people.
    """
    table = Table.read(path)
    users, friends = (named_ids(table, name, key) for name in (USER, FRIEND))
    table.warn_of_unread((USER, FRIEND), "two people have a tie or have none, without a weight or a time")
    first, second = rows_of_ids(users, user_ids), rows_of_ids(friends, user_ids)
    known = (first >= 0) & (second >= 0)
    if not known.any():
        raise DataError(
            f"{path}: none of its {plural(len(known), 'row')} joins two people of {whose}, whose ids are such as "
            f"{shown(user_ids[0])}; write users with the same ids there and here"
        )
    friends.reject(known & (first == second), "the user has a tie to itself, expected another user; remove the row")
    return Ties.of(first[known], second[known], len(user_ids)), int((~known).sum())


def named_ids(table: Table, name: str, key: str) -> Column:
    """A column of ids without an empty cell; `key` is what asked for it."""
    column = table.ids(name, key)
    column.refuse_empty(f"the id of the {name}")
    remark_on_words(column, key, REMOVE)
    return column


def rows_of_ids(column: Column, ids: Sequence[str]) -> IntArray:
    """The row number of each cell among ids, -1 where it is none of them, shape (n_rows,)."""
    return np.asarray(places_of(column.values, ids)[column.codes])
