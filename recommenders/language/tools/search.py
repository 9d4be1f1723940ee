"""The tool `search`: the items whose words fit a text."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.recommenders.language.grounding import normal
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import ItemWords

_FOUND = 8


class CatalogueSearch:
    """Finds items by the words of their titles, categories and texts, rare words first.

    Items and requests are vectors of inverse document frequencies, and the items of highest cosine are found (Salton
    and Buckley 1988, "Term-weighting approaches in automatic text retrieval"); equal ones in the order of the
    catalogue.

    Args:
        catalog: The items.
    """

    name = "search"
    about = "words of a title, a category or a description; answers the items that fit best"

    def __init__(self, catalog: Catalog) -> None:
        self._words = ItemWords(catalog)
        texts = catalog.texts or (None,) * len(catalog.item_ids)
        known = [
            sorted(set(normal(" ".join((title, *genres, text or ""))).split()))
            for title, genres, text in zip(catalog.titles, catalog.genres, texts, strict=True)
        ]
        counts = Counter(word for words in known for word in words)
        self._weights = {word: math.log(1 + len(known) / count) for word, count in counts.items()}
        places: dict[str, list[int]] = {word: [] for word in counts}
        for item, words in enumerate(known):
            for word in words:
                places[word].append(item)
        self._places = {word: np.array(items) for word, items in places.items()}
        lengths = [math.sqrt(sum(self._weights[word] ** 2 for word in words)) for words in known]
        self._lengths = np.array([length or 1.0 for length in lengths])

    def best(self, request: str, most: int) -> list[int]:
        """The items that share a word with the request, the best first, at most so many."""
        scores = np.zeros(len(self._lengths))
        for word in sorted(set(normal(request).split())):
            if word in self._places:
                scores[self._places[word]] += self._weights[word] ** 2
        scores /= self._lengths
        order = np.argsort(-scores, kind="stable")[:most]
        return order[scores[order] > 0].tolist()

    def use(self, request: str, seat: Seat) -> str:  # noqa: ARG002 - the same for all users
        """The names of the best items; raises `ToolFault` where no item has one of the words."""
        found = self.best(request, _FOUND)
        if not found:
            raise ToolFault(f"none of the {self._words.many} has one of these words")
        return "; ".join(self._words.name(item) for item in found)
