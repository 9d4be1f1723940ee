"""Needs drawn from what people chose before: requirements that some of it meets, and how much each item would please.

No requirement is on a title or an id, nor on a word of another field that names a title, such as a maker whose product
bears its name, so that none can tell of an item that somebody will choose later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.conversation.attributes import Attributes, Requirement
from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.personas.conversation.need import REVEALS, Need, Reveal, Wish

_TRIES = 20
"""Sets of wishes that are drawn until one is met by something, or, for a need without an answer, by nothing."""

_UPPER, _LOWER = np.linspace(0.3, 0.9, 9), np.linspace(0.1, 0.7, 9)
"""Quantiles of the catalogue's numbers that people set as upper and as lower bounds."""


class NeedDrawer:
    """Draws needs.

    A wish is a requirement that an item of the history meets: all wishes of one need are met by the same item, which
    the user has had already, so that others like it are looked for. A need without an answer takes each wish from
    another item. The first wish is volunteered; how the others come to light is drawn. Items of which nothing is known
    bear no wish, and a need without a wish would be met by anything: it is never drawn from them alone.

    Args:
        attributes: The catalogue.
        wishes: How many a need has; fewer where items have fewer fields.
        reveal: Weights of the ways in which a wish comes to light, in the order of `REVEALS`.
        unanswerable: P(nothing in the catalogue meets the need).
    """

    def __init__(self, attributes: Attributes, wishes: int, reveal: Sequence[float], unanswerable: float) -> None:
        self._attributes, self._wishes, self._unanswerable = attributes, wishes, unanswerable
        self._reveal = np.array(reveal) / np.sum(reveal)
        self._bears: dict[int, bool] = {}
        self._numbers = {field: _marks(attributes, field) for field in attributes.fields}
        self._naming = _naming(attributes)
        words = {field: _frequent(attributes, field) for field in attributes.fields}
        self._words = {field: [word for word in some if word not in self._naming] for field, some in words.items()}

    def draw(self, had: IntArray, liked: IntArray, utility: FloatArray, chance: np.random.Generator) -> Need:
        """What somebody looks for.

        Args:
            had: Items that they had before; none of them suits them again.
            liked: Items that the need is drawn from, at least one that bears a wish (`bearing`).
            utility: How much they would like each item, shape (n_items,).
            chance: For the choice.
        """
        liked = self.bearing(liked)
        wanted = chance.random() >= self._unanswerable
        need = Need((), np.zeros(len(self._attributes), dtype=np.bool_), utility)
        for _ in range(_TRIES):
            like = [int(chance.choice(liked))] if wanted else chance.choice(liked, size=self._wishes).tolist()
            need = Need.of(self._tagged(self._requirements(like, chance), chance), self._attributes, utility)
            need.suitable[had] = False
            if need.suitable.any() == wanted:
                break
        return need

    def bearing(self, items: IntArray) -> IntArray:
        """Those of some items of which something is known that somebody may wish."""
        unknown = [item for item in items.tolist() if item not in self._bears]
        # Which one is drawn does not matter here, only whether there is any.
        self._bears |= {item: next(self._met_by(item, np.random.default_rng(0)), None) is not None for item in unknown}
        return items[np.array([self._bears[item] for item in items.tolist()], dtype=np.bool_)]

    def _requirements(self, items: Sequence[int], chance: np.random.Generator) -> list[Requirement]:
        """Requirements of different kinds, each met by one of some items in turn."""
        found: dict[tuple[str, str], Requirement] = {}
        for number in range(self._wishes):
            item = items[number % len(items)]
            possible = [each for each in self._met_by(item, chance) if (each.field, each.op) not in found]
            if possible:
                chosen = possible[int(chance.integers(len(possible)))]
                found[chosen.field, chosen.op] = chosen
        return list(found.values())

    def _met_by(self, item: int, chance: np.random.Generator) -> Iterator[Requirement]:
        """One requirement of each kind that an item meets."""
        for field, cells in self._attributes.fields.items():
            cell = cells[item]
            if cell is None:
                continue
            if isinstance(cell, str):
                if cell not in self._naming:
                    yield Requirement(field, "==", cell)
            elif isinstance(cell, tuple):
                if said := [word for word in cell if word not in self._naming]:
                    yield Requirement(field, "contains", said[int(chance.integers(len(said)))])
                if absent := [word for word in self._words[field] if word not in cell]:
                    yield Requirement(field, "not_contains", absent[int(chance.integers(len(absent)))])
            else:
                for op, marks in zip(("<=", ">="), self._numbers[field], strict=True):
                    met = marks[marks >= cell] if op == "<=" else marks[marks <= cell]
                    if len(met):
                        yield Requirement(field, op, float(chance.choice(met)))

    def _tagged(self, requirements: Sequence[Requirement], chance: np.random.Generator) -> list[Wish]:
        """Wishes, the first of them volunteered."""
        drawn = chance.choice(len(REVEALS), size=len(requirements), p=self._reveal).tolist()
        tags: list[Reveal] = ["volunteer", *(REVEALS[tag] for tag in drawn[1:])]
        return [Wish(each, tag) for each, tag in zip(requirements, tags, strict=False)]


def _marks(attributes: Attributes, field: str) -> tuple[FloatArray, FloatArray]:
    """Bounds that people may set to a number: upper ones and lower ones; none for other fields."""
    if "<=" not in attributes.operators(field):
        return np.zeros(0), np.zeros(0)
    known = np.array([cell for cell in attributes.fields[field] if cell is not None], dtype=np.float64)
    upper, lower = (np.unique(np.quantile(known, ends, method="nearest")) for ends in (_UPPER, _LOWER))
    return upper, lower


def _naming(attributes: Attributes) -> frozenset[str]:
    """Words of the fields that name a title of the catalogue."""
    cells = [cell for field in attributes.fields.values() for cell in field if isinstance(cell, str | tuple)]
    words = {word for cell in cells for word in ((cell,) if isinstance(cell, str) else cell)}
    titles = TitlesNamed(attributes.titles)
    return frozenset(word for word in words if titles.named(word))


def _frequent(attributes: Attributes, field: str) -> list[str]:
    """Words of a field of lists that one item in ten has, or more: those that somebody may want to avoid."""
    if "contains" not in attributes.operators(field):
        return []
    cells = [cell for cell in attributes.fields[field] if isinstance(cell, tuple)]
    words, counts = np.unique(np.concatenate([np.array(cell) for cell in cells]), return_counts=True)
    return [str(word) for word in words[counts >= 0.1 * len(cells)]]
