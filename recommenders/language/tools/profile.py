"""The tools `user_info`, `user_history` and `item_info`: what is known of the user in hand, and of an item."""

from __future__ import annotations

import re

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.prompts import one_line
from groundlings.recommenders.language.tools.names import ItemNames
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import ItemWords

_TEXT = 200
"""Characters of an item's description."""
_NUMBER = re.compile(r"\d{1,4}")


class UserInfo:
    """Tells what the user in hand said of themselves.

    Args:
        people: All users.
    """

    name = "user_info"
    about = "nothing; answers what the user said of themselves"

    def __init__(self, people: People) -> None:
        self._people = people

    def use(self, request: str, seat: Seat) -> str:  # noqa: ARG002 - there is one user in hand
        """The attributes; raises `ToolFault` where the user said nothing."""
        said = self._people.attributes[seat.user]
        if not said:
            raise ToolFault("nothing is known")
        return "; ".join(f"{name} {value}" for name, value in said.items())


class UserHistory:
    """Tells the latest items of the user in hand, the most recent first, with the user's ratings where there are any.

    Args:
        catalog: The items.
        interactions: What the recommender has learnt from.
    """

    name = "user_history"
    about = "a number k; answers the k latest in the user's history, with the user's ratings"

    def __init__(self, catalog: Catalog, interactions: Interactions) -> None:
        self._words = ItemWords(catalog)
        rated = interactions.take(~np.isnan(interactions.ratings)).chronological()
        order = np.argsort(rated.users, kind="stable")
        self._items, self._ratings = rated.items[order], rated.ratings[order]
        self._starts = np.searchsorted(rated.users[order], np.arange(interactions.n_users + 1))

    def use(self, request: str, seat: Seat) -> str:
        """The names; raises `ToolFault` where the request holds no number, or there is no history."""
        number = _NUMBER.search(request)
        if number is None or not int(number[0]):
            raise ToolFault("expected a number, such as 5")
        if not seat.history:
            raise ToolFault("the user has no history yet")
        mine = slice(int(self._starts[seat.user]), int(self._starts[seat.user + 1]))
        ratings = dict(zip(self._items[mine].tolist(), self._ratings[mine].tolist(), strict=True))
        latest = list(reversed(seat.history))[: int(number[0])]
        return "; ".join(
            self._words.name(item) + (f", rated {ratings[item]:g}" if item in ratings else "") for item in latest
        )


class ItemInfo:
    """Tells what the catalogue says of an item.

    Args:
        catalog: The items.
    """

    name = "item_info"
    about = "the name of one item; answers its categories and its description"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._words, self._names = catalog, ItemWords(catalog), ItemNames(catalog)

    def use(self, request: str, seat: Seat) -> str:  # noqa: ARG002 - the same for all users
        """Name, categories and text; raises `ToolFault` where the catalogue has no item of that name."""
        item = self._names.item(request)
        text = self._catalog.texts[item] if self._catalog.texts else None
        parts = [", ".join(self._catalog.genres[item]) or "no category is known"]
        return f"{self._words.name(item)}: " + "; ".join([*parts, *([one_line(text, _TEXT)] if text else [])])
