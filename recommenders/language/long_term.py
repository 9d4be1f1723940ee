"""What a recommender remembers of the long run: situations, what was shown there, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Kind
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.text_vectors import plain_vectors

DISCOUNT = 0.5
"""What a later day counts of an earlier one (gamma)."""
LOWEST, HIGHEST = -5, 5
"""Values of a situation; the lowest is that of a user who stays away."""

_WIDTH = 64


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a user before a list.

    Attributes:
        items: The latest different items, the earliest first.
        kinds: What the user did with them.
    """

    items: tuple[int, ...] = ()
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """A user's day with sessions, and what came of it.

    Attributes:
        user: Row number.
        day: The place of the day among those that were told of.
        before: The situation in which the day began.
        shown: Items that were shown on the day, ascending.
        taken: Of these, the ones that the user interacted with.
        after: The situation on the next day with a session; None for a user who stays away.
        days: Days until that day, or the days without a session so far.
    """

    user: int
    day: int
    before: Situation
    shown: tuple[int, ...]
    taken: tuple[int, ...]
    after: Situation | None = None
    days: int = 0


class Episodes:
    """Follows users from one day with sessions to the next, by what was shown to whom.

    An episode is over when the user is shown something on a later day, or after `away` days without that. Whoever
    comes back later still begins a new one.

    Args:
        away: Days without a session after which a user counts as staying away.
    """

    def __init__(self, away: int) -> None:
        self._away = away
        self._day = 0
        self._open: dict[int, Episode] = {}
        self._over: list[list[Episode]] = []

    def follow(self, impressions: Impressions, situation: Callable[[int], Situation]) -> None:
        """Take note of one day; `situation` is that of a user before the day."""
        day, self._day = self._day, self._day + 1
        over = []
        users, starts = np.unique(impressions.users, return_index=True)
        bounds = pairwise([*starts.tolist(), len(impressions.users)])
        for user, (first, end) in zip(users.tolist(), bounds, strict=True):
            before, items = situation(user), impressions.items[first:end]
            if user in self._open:
                last = self._open[user]
                over.append(replace(last, after=before, days=day - last.day))
            taken = items[impressions.taken[first:end]]
            self._open[user] = Episode(user, day, before, tuple(items.tolist()), tuple(taken.tolist()))
        for user, last in sorted(self._open.items()):
            if day - last.day >= self._away:
                over.append(replace(self._open.pop(user), days=day - last.day))
        self._over.append(sorted(over, key=lambda each: each.user))

    def over(self) -> list[list[Episode]]:
        """The episodes that each day has ended, by user, day by day; a second call gets those since the first."""
        ended, self._over = self._over, []
        return ended


@dataclass(frozen=True, slots=True)
class Case:
    """What was good and bad in a situation, by the sign of the advantage.

    Attributes:
        before: The latest items of the situation.
        good, bad: Items shown there.
    """

    before: tuple[int, ...]
    good: tuple[int, ...]
    bad: tuple[int, ...]


def advantage(taken: bool, before: int, after: int) -> float:
    """A = r + gamma V(s') - V(s) of having shown an item, with a reward of 1 for one that was taken and else 0.

    Args:
        taken: Whether the user interacted with it.
        before, after: Values of the situations in which the day began and that followed.
    """
    return float(taken) + DISCOUNT * after - before


def case_of(episode: Episode, before: int, after: int, items: Sequence[int], latest: int) -> Case | None:
    """The case that some of the items shown make, None where no advantage has a sign.

    Args:
        episode: Of which day.
        before, after: Values of its situations.
        items: The items to be remembered.
        latest: How many items of the situation are.
    """
    found = {item: advantage(item in episode.taken, before, after) for item in items}
    good, bad = (tuple(item for item, value in found.items() if sign * value > 0) for sign in (1, -1))
    return Case(episode.before.items[-latest:], good, bad) if good or bad else None


_Kept = TypeVar("_Kept", str, Case)


@dataclass(slots=True)
class Memory:
    """What was learnt, each with the vector of its situation; the oldest make room.

    Attributes:
        most: How many reflections, and how many cases, are kept.
        reflections: Texts.
        cases: What was good and bad.
    """

    most: int
    reflections: list[tuple[FloatArray, str]] = field(default_factory=list)
    cases: list[tuple[FloatArray, Case]] = field(default_factory=list)

    def add(self, situation: FloatArray, reflection: str | None, case: Case | None) -> None:
        """Keep what one episode has taught."""
        if reflection:
            self.reflections = [*self.reflections, (situation, reflection)][-self.most :]
        if case is not None:
            self.cases = [*self.cases, (situation, case)][-self.most :]

    def similar_reflections(self, situation: FloatArray, most: int) -> list[str]:
        """The reflections on the most similar situations, the most similar first, the later first where alike."""
        return _nearest(self.reflections, situation, most, -np.inf)

    def similar_cases(self, situation: FloatArray, most: int, least: float) -> list[Case]:
        """The cases of the most similar situations whose cosine is at least `least`."""
        return _nearest(self.cases, situation, most, least)

    def told(self) -> str:
        """All that was learnt, for a hash."""
        return repr(([text for _, text in self.reflections], [case for _, case in self.cases]))


def situation_vectors(catalog: Catalog) -> FloatArray:
    """Item vectors of length 1 from which the vector of a situation is made, shape (n_items, width); 0 if unknown."""
    return _of_length_one(plain_vectors(catalog, _WIDTH))


def situation_vector(vectors: FloatArray, items: Iterable[int]) -> FloatArray:
    """The mean of the items' vectors, of length 1, shape (width,); 0 without any item."""
    found = list(items)
    mean = vectors[found].mean(axis=0) if found else np.zeros(vectors.shape[1])
    return _of_length_one(mean[None])[0]


def _of_length_one(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)


def _nearest(kept: Sequence[tuple[FloatArray, _Kept]], situation: FloatArray, most: int, least: float) -> list[_Kept]:
    if not kept:
        return []
    # Row by row, so that a cosine does not depend on how many rows there are; the latest first, as ties are.
    alike = np.array([float((vector * situation).sum()) for vector, _ in reversed(kept)])
    order = [place for place in np.argsort(-alike, kind="stable")[:most] if alike[place] >= least]
    return [kept[len(kept) - 1 - place][1] for place in order]
