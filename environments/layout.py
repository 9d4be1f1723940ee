"""What stands where on a page: the lines of a grid, and named carousels with what fills each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Places
from groundlings.environments.plugins import nearest

Filter: TypeAlias = Literal["ranking", "category", "most_liked"]
"""What a carousel holds: the next items of the ranking, or the best of a category."""

CATEGORY = "{category}"
"""Stands in the name of a carousel for the category that it shows."""

_CELLS = 2**22


@dataclass(frozen=True, slots=True)
class Carousel:
    """A named row of slots.

    Attributes:
        name: As people read it and as the log has it; `{category}` stands for the category that is shown.
        visible: Slots in view.
        scrolled: Slots that are reached by scrolling.
        filter: What it holds; `most_liked` is the best of the category that a user liked most before.
        category: That of the filter `category`, "" otherwise.
    """

    name: str
    visible: int
    scrolled: int = 0
    filter: Filter = "ranking"
    category: str = ""

    @property
    def slots(self) -> int:
        """All of them."""
        return self.visible + self.scrolled

    def titled(self, category: str) -> str:
        """Its name where it shows a category."""
        return self.name.replace(CATEGORY, category)


def item_category(catalog: Catalog, category: str, where: str) -> BoolArray:
    """The items of a category, shape (n_items,).

    Args:
        catalog: The items.
        category: As the data set writes it.
        where: Key path that names it, for the message.

    Raises:
        ConfigError: No item is of this category.
    """
    if category not in catalog.genre_names:
        known = catalog.genre_names
        few = f"; the categories are {', '.join(known)}" if 0 < len(known) <= _FEW else ""
        none = "; no item of this data set has a category" if not known else ""
        raise ConfigError(f"{where}: no item has the category {shown(category)}{nearest(category, known)}{few}{none}")
    return np.asarray(catalog.genre_matrix[:, catalog.genre_names.index(category)], dtype=np.bool_)


_FEW = 30
"""Categories that a message lists."""


def most_liked_categories(history: Interactions, catalog: Catalog, like_from: float | None) -> IntArray:
    """The category of most of each user's likes, a column of `catalog.genre_matrix`, shape (n_users,); -1 for no likes.

    An item counts for each of its categories; of equal ones the first in the order of `genre_names` is taken.

    Args:
        history: What is known of users.
        catalog: The items.
        like_from: A rating from here on is a like; None where there are no ratings: every interaction then counts.
    """
    liked = np.ones(len(history), dtype=np.bool_) if like_from is None else history.ratings >= like_from
    genres = catalog.genre_matrix.astype(np.int64)
    found = np.full(history.n_users, -1, dtype=np.int64)
    if not genres.shape[1]:
        return found
    users, items = history.users[liked], history.items[liked]
    order = np.argsort(users, kind="stable")
    users, items = users[order], items[order]
    height = max(1, _CELLS // genres.shape[1])
    for first in range(0, history.n_users, height):
        here = slice(*np.searchsorted(users, (first, first + height)))
        shape = (min(height, history.n_users - first), history.n_items)
        met = sp.csr_array((np.ones(len(users[here]), dtype=np.int64), (users[here] - first, items[here])), shape=shape)
        counts = np.asarray(met @ genres)
        some = counts.any(axis=1)
        found[first : first + len(counts)][some] = counts.argmax(axis=1)[some]
    return found


def grid_places(sessions: int, slots: int, columns: int) -> Places:
    """The places of a grid that is filled line by line."""
    lines, columns_of = np.divmod(np.arange(slots), columns)
    shape = (sessions, slots)
    return Places(
        rows=np.broadcast_to(lines, shape),
        slots=np.broadcast_to(columns_of, shape),
        scrolls=np.broadcast_to(np.int64(0), shape),
        named=np.broadcast_to(np.int64(-1), shape),
    )


def row_places(items: ItemArray, carousels: Sequence[Carousel], named: IntArray, names: tuple[str, ...]) -> Places:
    """The places of the slots of carousels, one behind the other.

    Args:
        items: Item numbers, shape (n_sessions, slots of all carousels), no gap within a carousel.
        carousels: From the top.
        named: Which of `names` each carousel has, shape (n_sessions, n_carousels).
        names: What they may be called.
    """
    number = np.repeat(np.arange(len(carousels)), [carousel.slots for carousel in carousels])
    slots = np.concatenate([np.arange(carousel.slots) for carousel in carousels])
    visible = np.array([carousel.visible for carousel in carousels])[number]
    firsts = np.cumsum([0, *(carousel.slots for carousel in carousels[:-1])])
    shows = items[:, firsts] != NO_ITEM
    above = np.cumsum(shows, axis=1) - shows
    return Places(
        rows=above[:, number],
        slots=np.broadcast_to(slots, items.shape),
        scrolls=np.broadcast_to(np.maximum(slots - visible + 1, 0), items.shape),
        named=named[:, number],
        names=names,
    )


def packed(items: ItemArray) -> IntArray | None:
    """The order of slots in which those without an item come last, shape of `items`; None where it is so already."""
    empty = items == NO_ITEM
    if not (empty[:, :-1] & ~empty[:, 1:]).any():
        return None
    return np.argsort(empty, axis=1, kind="stable")
