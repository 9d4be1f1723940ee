"""What the items of a data set are called, and what people do with them, in the words of prompts and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from groundlings.environments.interactions import Kind

VERBS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "interaction": "chose",
        "view": "looked at",
        "click": "opened",
        "add_to_cart": "put in the cart",
        "purchase": "bought",
        "play": "played",
        "rating": "rated",
        "like": "liked",
        "dislike": "disliked",
    }
)
"""Kind of an interaction -> what somebody did, in the past tense, before the name of the item."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one data set.

    Example:
        >>> words = Words("product", "products", {"interaction": "bought"})
        >>> words.counted(3), words.did("interaction"), words.did("view")
        ('3 products', 'bought', 'looked at')

    Attributes:
        one, many: What an item is called.
        verbs: Kind of an interaction -> its verb in the past tense, where it is not that of `VERBS`.
        counts_plays: Whether the weight of a play is how often it was played, and not how long.
    """

    one: str = "item"
    many: str = "items"
    verbs: Mapping[Kind, str] = field(default_factory=dict)
    counts_plays: bool = False

    def did(self, kind: Kind) -> str:
        """The verb of a kind, in the past tense."""
        return self.verbs.get(kind, VERBS[kind])

    def counted(self, number: int) -> str:
        """A number of items in words."""
        return plural(number, self.one, self.many)


def plural(number: int, one: str, many: str = "") -> str:
    """A count and what it counts: "1 row", "1,200 rows"; `many` where it is not `one` with an "s"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def persons(number: int) -> str:
    """A count of people: "1 person", "1,200 people"."""
    return plural(number, "person", "people")


PRODUCTS: Final = Words("product", "products", {"interaction": "bought"})
"""Of the Complete Journey."""

SHIPPED: Final[Mapping[str, Words]] = MappingProxyType({"complete-journey": PRODUCTS})
"""Name of a shipped data set -> its words, where a report needs the verb of interactions to say what a click is."""
