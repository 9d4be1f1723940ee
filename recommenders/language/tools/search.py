"""The tool `search`: the items whose words fit a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.recommenders.language.grounding import normal
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import ItemWords

_FOUND = 8


def words_of(title: str, categories: Sequence[str], text: str | None = None) -> list[str]:
    """The words by which an item is found, each once, sorted."""
    return sorted(set(normal(" ".join((title, *categories, text or ""))).split()))


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
            words_of(title, genres, text)
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

    def scores(self, request: str) -> FloatArray:
        """How well each item fits, shape (n_items,), 0 where no word is shared.

        The cosine times the length of the request's vector: requests cannot be compared with each other.
        """
        scores: FloatArray = np.zeros(len(self._lengths))
        for word in sorted(set(normal(request).split())):
            if word in self._places:
                scores[self._places[word]] += self._weights[word] ** 2
        return scores / self._lengths

    def best(self, request: str, most: int) -> list[int]:
        """The items that share a word with the request, the best first, at most so many."""
        scores = self.scores(request)
        order = np.argsort(-scores, kind="stable")[:most]
        return order[scores[order] > 0].tolist()

    def use(self, request: str, seat: Seat) -> str:  # noqa: ARG002 - the same for all users
        """The names of the best items; raises `ToolFault` where no item has one of the words."""
        found = self.best(request, _FOUND)
        if not found:
            raise ToolFault(f"none of the {self._words.many} has one of these words")
        return "; ".join(self._words.name(item) for item in found)
