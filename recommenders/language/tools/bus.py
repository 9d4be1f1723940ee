"""The candidate bus: items that tools narrow and order, out of sight of the language model that planned their use.

A model reads a *track*, one line per tool, and never the candidates themselves: so a plan may work on a whole catalogue
(Huang et al. 2025, "Recommender AI agent: integrating large language models for interactive recommendations").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import one_line
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.language.plans import ToolUse
from groundlings.recommenders.language.titles import Titles
from groundlings.recommenders.language.tools.catalogue import CatalogueSql
from groundlings.recommenders.language.tools.tool import FAILED, LONGEST, Seat, ToolFault
from groundlings.recommenders.language.wording import ItemWords

QUERY, FILTER, SIMILAR, RANK, MAP = "query", "filter", "similar", "rank", "map"

ABOUT = {
    QUERY: f"input is {CatalogueSql.about}; its answer goes into the report and changes no candidate",
    FILTER: "input is an SQLite condition on these tables, as it stands behind WHERE; keeps the candidates that fit it",
    SIMILAR: "items are names; keeps the candidates that users take together with one of these",
    RANK: (
        "input is popularity, similarity (to items, or to those of similar) or preference (of this user, the "
        "candidates like items first); orders the candidates, without those that unwanted names"
    ),
    MAP: "input is a number; tells the names of so many candidates, the first ones",
}
"""Tool -> what it takes and does, in a line of a prompt; in the order in which a plan has them."""

_ASKED = 160
"""Characters of what a step was asked, in the track."""


@dataclass(slots=True)
class Bus:
    """The candidates of one session while a plan is carried out.

    Attributes:
        items: Those that are left, in their order.
        begun: Those that there were at first, in the order of preference.
        alike: How alike each item of the catalogue is to those of the last soft filter; None before one.
        track: A line for each tool that was used, in order.
    """

    items: ItemArray
    begun: ItemArray
    alike: FloatArray | None = None
    track: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, items: ItemArray) -> Bus:
        """One that nothing was done with; `items` in the order of preference."""
        return cls(items, items)


class ToolBox:
    """Carries plans out, one tool after the other.

    Args:
        catalog: The items.
        known: What the recommender has learnt from.
        titles: The items by their names.
        near: Says which items are alike, fitted.
    """

    def __init__(self, catalog: Catalog, known: Interactions, titles: Titles, near: ItemKnnRecommender) -> None:
        self._words, self._titles, self._near = ItemWords(catalog), titles, near
        self._sql = CatalogueSql(catalog, known)
        self._counts = known.item_counts
        self._tools: dict[str, Callable[[ToolUse, Bus, Seat], str]] = {
            QUERY: self._query, FILTER: self._filter, SIMILAR: self._similar, RANK: self._rank, MAP: self._map,
        }  # fmt: skip

    def carry_out(self, plan: Sequence[ToolUse], bus: Bus, seat: Seat) -> None:
        """Use the tools of a plan on a bus; one that cannot serve leaves the candidates as they are."""
        for number, use in enumerate(plan, start=1):
            try:
                answer, failed = self._tools[use.tool](use, bus, seat), ""
            except ToolFault as fault:
                answer, failed = str(fault), FAILED
            asked = "; ".join(each for each in (use.request, *use.items, *(f"not {name}" for name in use.unwanted)))
            told = f"{use.tool} {one_line(asked, _ASKED)} -> {one_line(answer, LONGEST)}"
            bus.track.append(f"{number}. {failed}{told} ({len(bus.items)} left)")

    def _query(self, use: ToolUse, _bus: Bus, seat: Seat) -> str:
        return self._sql.use(use.request, seat)

    def _filter(self, use: ToolUse, bus: Bus, seat: Seat) -> str:
        kept = self._sql.matching(use.request, seat)
        bus.items = bus.items[np.isin(bus.items, kept)]
        return f"holds for {len(kept)}"

    def _similar(self, use: ToolUse, bus: Bus, _seat: Seat) -> str:
        named = self._meant(use.items)
        if not named:
            raise ToolFault(f"items: none of the names is one of the {self._words.many}")
        bus.alike = self._near.score_history(named)
        bus.items = bus.items[bus.alike[bus.items] > 0]
        return f"like {self._named(named)}"

    def _rank(self, use: ToolUse, bus: Bus, _seat: Seat) -> str:
        named, unwanted = self._meant(use.items), self._meant(use.unwanted)
        ordered = bus.items[np.lexsort(self._keys(use.request, bus, named))]
        bus.items = ordered[~np.isin(ordered, unwanted)]
        return f"ordered by {use.request}"

    def _keys(self, by: str, bus: Bus, named: Sequence[int]) -> tuple[FloatArray | IntArray, ...]:
        """What candidates are sorted by, the last key first; raises `ToolFault`."""
        if by == "popularity":
            return (-self._counts[bus.items],)
        alike = self._near.score_history(named) if named else bus.alike
        if by == "similarity":
            if alike is None:
                raise ToolFault("similarity to what? Name items, or use similar before")
            return (-alike[bus.items],)
        if by == "preference":
            place = np.zeros(len(self._counts), dtype=np.int64)
            place[bus.begun] = np.arange(len(bus.begun))
            far = self._near.score_history(named)[bus.items] <= 0 if named else np.zeros(len(bus.items))
            return (place[bus.items], far.astype(np.int64))
        raise ToolFault("input: expected popularity, similarity or preference")

    def _map(self, use: ToolUse, bus: Bus, _seat: Seat) -> str:
        if not use.request.strip().isdecimal() or len(use.request) > 3:
            raise ToolFault("input: expected how many, a number below 1,000")
        return self._named(bus.items[: int(use.request)].tolist())

    def _meant(self, names: Sequence[str]) -> list[int]:
        """The items that some names mean; the others are counted from the log."""
        return list(self._titles.ground(names).order)

    def _named(self, items: Sequence[int]) -> str:
        return "; ".join(self._words.name(item) for item in items)
