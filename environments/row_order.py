"""Orders of rows: by user and time, and, where nobody knows times, a seeded one, whatever the order of the file.

Item numbers and the order of a file would be an order, too, but one that means something: the "latest" fifth of each
history would be the items with the highest numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key, name_keys, row_keys
from groundlings.environments.sorting import order_of


def by_user_and_time(rows: Interactions) -> IntArray:
    """Row numbers by user, those of one user by time, ties in the order they have, shape (n,)."""
    if (rows.timestamps[1:] >= rows.timestamps[:-1]).all():
        return order_of(rows.users)
    return np.lexsort((rows.timestamps, rows.users))


def keys_of(
    rows: Interactions, user_ids: tuple[str, ...], item_ids: tuple[str, ...], *purpose: object
) -> NDArray[np.uint64]:
    """A random-looking word per row, shape (n,), by the data set's own ids, the time and the purpose alone.

    Args:
        rows: Interactions.
        user_ids, item_ids: The data set's own, in the order of user and item numbers.
        purpose: What the words are for; other purposes give other words.
    """
    users = name_keys((), user_ids)
    items = name_keys((), item_ids)
    return row_keys(name_key("rows", *purpose), users[rows.users], items[rows.items], rows.timestamps)


def seeded_order(
    rows: Interactions, user_ids: tuple[str, ...], item_ids: tuple[str, ...], *purpose: object
) -> IntArray:
    """Row numbers by user, those of one user in a seeded order, shape (n,); arguments as of `keys_of`."""
    return np.lexsort((keys_of(rows, user_ids, item_ids, "order", *purpose), rows.users))
