"""Which item a name in a request means."""

from __future__ import annotations

from groundlings.environments.catalog import Catalog
from groundlings.recommenders.language.grounding import normal
from groundlings.recommenders.language.tools.tool import ToolFault
from groundlings.recommenders.language.wording import ItemWords

NOT_KNOWN = "is called that"
"""What the answer to a name that no item has ends with."""


class ItemNames:
    """The items of a catalogue by their names, letters and digits alone; of equal names the first counts.

    Args:
        catalog: The items.
    """

    def __init__(self, catalog: Catalog) -> None:
        words = ItemWords(catalog)
        self._many = words.many
        self._numbers: dict[str, int] = {}
        for name in (words.title, words.name):  # a name with its year decides before a title without
            self._numbers |= {normal(name(item)): item for item in reversed(range(len(catalog.item_ids)))}

    def item(self, name: str) -> int:
        """The item of that name; raises `ToolFault` where there is none."""
        item = self._numbers.get(normal(name))
        if item is None:
            raise ToolFault(f"none of the {self._many} {NOT_KNOWN}")
        return item
