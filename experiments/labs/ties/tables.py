"""The two tables of the lab: who met which item, and who has a tie to whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from groundlings.environments.datasets.ids import by_length
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.ties_table import USER, named_ids, read_ties, rows_of_ids
from groundlings.environments.ties import Ties

ITEM = "item"


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
    table = Table.read(histories)
    users, items = (named_ids(table, name, "HISTORIES") for name in (USER, ITEM))
    table.warn_of_unread((USER, ITEM), "a person has met an item or has not, however often, when and with what rating")
    user_ids, item_ids = by_length(users.texts), by_length(items.texts)
    rows, columns = rows_of_ids(users, user_ids), rows_of_ids(items, item_ids)
    matrix = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(user_ids), len(item_ids)))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return TiedHistories(tuple(user_ids), matrix, *read_ties(ties, user_ids, str(histories), "TIES"))
