"""Pages of slots, for a whole cohort of sessions at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray, read_only, seal_arrays


@dataclass(frozen=True, slots=True)
class Places:
    """Where the slots of a page stand, where a page is more than one list from top to bottom.

    All arrays have the page's shape (n_sessions, n_slots); what they hold behind the last item has no meaning.

    Attributes:
        rows: The line of the page, 0 for the first: a line of a grid, or a carousel. Carousels without an item are not
            shown and not counted.
        slots: The slot in that line, 0 for the first.
        scrolls: How far a carousel has to be scrolled before the slot is in view; 0 for what is in view at once.
        named: Which of `names` the line has, -1 for none; a carousel keeps its name whatever stands above it.
        names: Names of carousels; empty in a grid.
    """

    rows: IntArray
    slots: IntArray
    scrolls: IntArray
    named: IntArray
    names: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.integer]) -> Places:
        """The places of some sessions."""
        return Places(self.rows[rows], self.slots[rows], self.scrolls[rows], self.named[rows], self.names)


@dataclass(frozen=True, slots=True)
class Page:
    """The same page number as each session of a cohort sees it.

    A page holds item numbers and nothing else: scores and propensities stay with the ranking, because
    nobody who browses may see them.

    Attributes:
        number: 1 for the first page.
        first_rank: How many slots came before this page.
        items: Item numbers, shape (n_sessions, n_slots), `NO_ITEM` where a slot is empty.
        further: What an environment shows besides (a price per slot, a message per session), by name; the first
            dimension of each array is the session.
        places: Where each slot stands; None for one list from top to bottom, whose positions say it.
    """

    number: int
    first_rank: int
    items: ItemArray
    further: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    places: Places | None = None

    def __post_init__(self) -> None:
        seal_arrays(self, "items")
        object.__setattr__(self, "further", {name: read_only(cells) for name, cells in self.further.items()})

    @property
    def shown(self) -> BoolArray:
        """Where a slot holds an item, shape (n_sessions, n_slots): these are the impressions."""
        return self.items != NO_ITEM

    def take(self, rows: NDArray[np.integer]) -> Page:
        """The page of some sessions."""
        further = {name: cells[rows] for name, cells in self.further.items()}
        places = None if self.places is None else self.places.take(rows)
        return Page(self.number, self.first_rank, self.items[rows], further, places)
