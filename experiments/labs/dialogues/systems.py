"""The recommenders, and on what each is fitted: on dialogues of other people, and on what was named so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender
from groundlings.recommenders.search.queried import QueryRecommender

BASELINE = "popular"

SYSTEMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    BASELINE: ("popular", {}),
    "item_knn": ("item_knn", {}),
    "bm25": ("bm25", {}),
    "text_search": ("text_search", {}),
    "blend": (
        "blend",
        {"of": [{"recommender": name} for name in ("bm25", "item_knn", "popular")], "how": "weighted"},
    ),
}
"""Name -> recommender and options; any other name is a recommender of the platform, or `module:Class`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Turns of different dialogues, and what their recommenders may learn from.

    Attributes:
        turns: Each the user of its own place in `interactions`.
        named: Items that the context of each turn names.
        interactions: The items that are named in dialogues of other parts, and in the contexts of these turns.
    """

    turns: tuple[Turn, ...]
    named: tuple[frozenset[int], ...]
    interactions: Interactions


@dataclass(frozen=True)
class Material:
    """Dialogues, and which items are named in them.

    Attributes:
        dialogues: All of them.
        parts: So many parts are made of the dialogues; recommenders learn from the parts of others.
        seed: Of the parts.
    """

    dialogues: Dialogues
    parts: int
    seed: int

    def named(self, turn: Turn) -> frozenset[int]:
        """Items named before a turn, by their names as the items have them."""
        return self._names.items("\n".join(turn.context))

    def batches(self, turns: Sequence[Turn]) -> Iterator[Batch]:
        """All of some turns; those of one dialogue in different batches, so that none is told what comes later."""
        places: dict[tuple[int, int], list[Turn]] = {}
        before: dict[int, int] = {}
        for turn in turns:
            before[turn.dialogue] = before.get(turn.dialogue, -1) + 1
            places.setdefault((self._part[turn.dialogue], before[turn.dialogue]), []).append(turn)
        for (part, _), some in sorted(places.items()):
            others = [items for row, items in enumerate(self._items) if self._part[row] != part]
            named = tuple(self.named(turn) for turn in some)
            yield Batch(tuple(some), named, _interactions([*named, *others], len(self.dialogues.catalog)))

    @cached_property
    def _names(self) -> TitlesNamed:
        return TitlesNamed(self.dialogues.names)

    @cached_property
    def _part(self) -> list[int]:
        """Of each dialogue."""
        order = sorted(range(len(self.dialogues.ids)), key=lambda row: name_key(self.seed, self.dialogues.ids[row]))
        part = dict(zip(order, np.arange(len(order)) % self.parts, strict=True))
        return [int(part[row]) for row in range(len(order))]

    @cached_property
    def _items(self) -> list[set[int]]:
        """The items that each dialogue names or recommends, from its first turn to its last."""
        found: list[set[int]] = [set() for _ in self.dialogues.ids]
        for turn in self.dialogues.turns:
            found[turn.dialogue] |= {*turn.targets, *self.named(turn)}
        return found


def build_system(name: str, dialogues: Dialogues) -> AsyncRecommender:
    """A recommender that is not fitted yet; raises `ConfigError` where there is none of the name."""
    spec, options = SYSTEMS.get(name, (name, {}))
    system = build_recommender(spec, options, RecommenderContext(dialogues.catalog, (), Path()), where=f"system {name}")
    if system.converses:
        raise ConfigError(
            f"system: found {name}, which chooses its own moves; expected a recommender that lists items, because the "
            "moves are iEvaLM's here. See groundlings conversation, and environment: conversation"
        )
    return system


def fit(system: AsyncRecommender, batch: Batch, dialogues: Dialogues, *, first: bool) -> None:
    """Fit it for a batch; what answers queries alone learns nothing from interactions, and is fitted once."""
    if first or not isinstance(system, QueryRecommender):
        system.fit(batch.interactions, dialogues.catalog)


def _interactions(histories: Sequence[frozenset[int] | set[int]], n_items: int) -> Interactions:
    users = np.repeat(np.arange(len(histories)), [len(items) for items in histories])
    items = np.array([item for each in histories for item in sorted(each)], dtype=np.int32)
    times = np.zeros(len(items), dtype=np.int64)
    return Interactions.of(users, items, None, times, n_users=len(histories), n_items=n_items)
