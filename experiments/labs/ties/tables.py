"""The two tables of the lab: who met which item, and who has a tie to whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.ids import by_length, places_of
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError
from groundlings.environments.ties import Ties

USER, ITEM, FRIEND = "user", "item", "friend"
"""Headers of the tables: `user` and `item` in the histories, `user` and `friend` in the ties."""


@dataclass(frozen=True)
class TiedHistories:
    """People with histories and ties.

    Attributes:
        user_ids: Whom the rows stand for.
        met: 1.0 where a user met an item, shape (n_users, n_items).
        ties: Between those users.
        left_out: Rows of the ties that name somebody without a history, whose taste nobody knows.
    """

    user_ids: tuple[str, ...]
    met: sp.csr_array
    ties: Ties
    left_out: int


def read_tied_histories(histories: Path, ties: Path) -> TiedHistories:
    """Read both tables.

    Args:
        histories: A row per user and item that they met; a pair that stands twice counts once.
        ties: A row per pair of people.

    Raises:
        DataError: A file or a column is missing, a cell is empty, or no tie joins two people with histories.
    """
    met = Table.read(histories)
    users, items = (_ids(met, name, "HISTORIES") for name in (USER, ITEM))
    user_ids, item_ids = by_length(users.texts), by_length(items.texts)
    rows, columns = _rows_of(users, user_ids), _rows_of(items, item_ids)
    matrix = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(user_ids), len(item_ids)))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    table = Table.read(ties)
    first, second = (_rows_of(_ids(table, name, "TIES"), user_ids) for name in (USER, FRIEND))
    known = (first >= 0) & (second >= 0)
    if not known.any():
        raise DataError(
            f"{ties}: none of its {len(known):,} rows joins two people of {histories}; "
            "write users with the same ids in both tables"
        )
    return TiedHistories(
        tuple(user_ids), matrix, Ties.of(first[known], second[known], len(user_ids)), int((~known).sum())
    )


def _ids(table: Table, name: str, argument: str) -> Column:
    column = table.ids(name, argument)
    column.refuse_empty(f"the id of the {name}")
    return column


def _rows_of(column: Column, ids: list[str]) -> IntArray:
    """The row number of each cell among ids, -1 where it is none of them, shape (n_rows,)."""
    return np.asarray(places_of(column.values, ids)[column.codes])
