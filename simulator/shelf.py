"""The stock of one arm: what is offered on a day, and what purchases leave of it.

What is on the shelf is settled when a day begins, and purchases are taken off when it ends. So everybody who comes on a
day sees the same offers, in whatever order sessions finish: where two buy the last unit on one day, both get it, the
shop has sold one more than it had, and from the next day on the item is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, ItemArray
from groundlings.environments.offers import DayOffers, Offers
from groundlings.environments.shop_actions import PURCHASE, units_bought
from groundlings.simulator.session import CohortRecord

Sold = tuple[ItemArray, FloatArray]
"""Item and units of each purchase, shape (n,) each."""

_HIDDEN_CELLS = 20_000_000


class Shelf:
    """What one arm offers.

    Args:
        offers: The table.
        opening_time: When the first day begins, in seconds since 1970.
    """

    def __init__(self, offers: Offers, opening_time: int) -> None:
        self._offers = offers
        self._opening = offers.opening(opening_time)
        self._sold = np.zeros(len(offers))

    def copy(self) -> Shelf:
        """As much of everything, apart from this one from now on."""
        other = Shelf.__new__(Shelf)
        other._offers, other._opening, other._sold = self._offers, self._opening, self._sold.copy()
        return other

    def on(self, day: int) -> DayOffers:
        """What is offered on a simulated day, 0 for the first; days are asked for in order."""
        return self._offers.on(self._opening + day, self._sold)

    def take_off(self, day: int, sold: Sequence[Sold]) -> None:
        """Reduce the stock by what was bought on a day, in whatever order it is named."""
        if not sold:
            return
        items, units = (np.concatenate(part) for part in zip(*sold, strict=True))
        order = np.lexsort((units, items))  # floating-point sums depend on their order
        rows = self._offers.rows_on(self._opening + day)[items[order]]
        np.add.at(self._sold, rows[rows >= 0], units[order][rows >= 0])


def sold_in(record: CohortRecord) -> Sold:
    """What was bought in a cohort's sessions; nothing where interactions are no purchases."""
    items, units = [np.zeros(0, dtype=np.int32)], [np.zeros(0)]
    if record.schema.interaction == PURCHASE:
        for logged in record.turns:
            bought = logged.turn.decision[PURCHASE]
            items.append(logged.turn.page.items[bought])
            units.append(units_bought(logged.turn.decision)[bought])
    return np.concatenate(items), np.concatenate(units)


def without(seen: sp.csr_array, hidden_items: BoolArray) -> sp.csr_array:
    """What each session must not be shown, with what nobody may be shown, shape (n_items,)."""
    hidden = np.flatnonzero(hidden_items)
    if not len(hidden):
        return seen
    n_sessions = seen.shape[0]
    columns = np.tile(hidden, n_sessions)
    starts = np.arange(n_sessions + 1) * len(hidden)
    return seen + sp.csr_array((np.ones(len(columns), dtype=seen.dtype), columns, starts), shape=seen.shape)


def largest_cohort(size: int, hidden_items: BoolArray | None) -> int:
    """How many sessions may be asked for at once, so that hiding items from everybody takes little memory."""
    if hidden_items is None:
        return size
    return max(1, min(size, _HIDDEN_CELLS // max(1, int(hidden_items.sum()))))
