"""The tool `summarise`: what all users made of an item."""

from __future__ import annotations

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.language.tools.names import ItemNames
from groundlings.recommenders.language.tools.tool import Seat
from groundlings.recommenders.language.wording import ItemWords


class ItemSummary:
    """Says of an item how many users took it, how they rated it, and what most of them took as well.

    Args:
        catalog: The items.
        interactions: What the recommender has learnt from.
    """

    name = "summarise"
    about = "the name of one item; answers how many users took it, their mean rating, and what they took as well"

    def __init__(self, catalog: Catalog, interactions: Interactions) -> None:
        self._words, self._matrix = ItemWords(catalog), interactions.matrix
        self._takers = self._matrix.tocsc()  # a column per item: a request reads its takers, not all interactions
        rated = ~np.isnan(interactions.ratings)
        items, ratings, size = interactions.items[rated], interactions.ratings[rated], interactions.n_items
        self._rated = np.bincount(items, minlength=size)
        self._stars = np.bincount(items, weights=ratings, minlength=size)
        self._names = ItemNames(catalog)

    def use(self, request: str, seat: Seat) -> str:  # noqa: ARG002 - the same for all users
        """The summary; raises `ToolFault` where the catalogue has no item of that name."""
        item = self._names.item(request)
        matrix, column = self._matrix, slice(*self._takers.indptr[item : item + 2])
        takers = np.sort(self._takers.indices[column][self._takers.data[column] != 0])
        parts = [f"{self._words.name(item)} was taken by {len(takers)} of {matrix.shape[0]} users"]
        if rated := self._rated[item]:
            parts.append(f"mean rating {self._stars[item] / rated:.2f} of {rated} ratings")
        together = np.bincount(matrix[takers].indices, minlength=matrix.shape[1])
        together[item] = 0
        also = [other for other in np.argsort(-together, kind="stable")[:3].tolist() if together[other]]
        if also:
            named = ", ".join(f"{self._words.name(other)} ({together[other]})" for other in also)
            parts.append(f"of these users many took {named}")
        return "; ".join(parts)
