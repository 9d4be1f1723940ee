"""Pairs of an item that a user took and one that the user did not, from which agents learn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.language.histories import Histories


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair.

    Attributes:
        user: Whose.
        right: The item that the user took.
        wrong: One that the user did not.
        right_first: Whether `right` is shown first.
        lot: A uniform number in [0, 1), for the sampling seed.
        place: Which of the user's pairs it is, from 0.
    """

    user: int
    right: int
    wrong: int
    right_first: bool
    lot: float
    place: int


def pairs_of(interactions: Interactions, known: Interactions, most: int, users: IntArray, root: int) -> list[Pair]:
    """The pairs of each user's latest interactions, in rounds: the earliest of each user, then the next.

    Args:
        interactions: Where the positive items come from; dislikes are none of them.
        known: All interactions so far. No item that a user took is a negative one, and negative items are drawn in
            proportion to how many took them, so that popularity alone does not tell the two apart.
        most: Pairs of a user at most, of the latest.
        users: Who learns, ascending.
        root: The seed.
    """
    latest, taken, counts = Histories.of(interactions, most), known.matrix, known.item_counts
    rounds: list[list[Pair]] = []
    items = np.flatnonzero(counts > 0)
    for user in users.tolist():
        free = np.setdiff1d(items, taken[[user]].indices)
        if not len(free):
            continue
        draws = Draws.for_sessions(root, np.array([user]), 0)
        reach = np.cumsum(counts[free])
        for place, right in enumerate(latest.of_user(user)[0]):
            about = np.array([[right]], dtype=np.int64)
            lot = float(draws.uniform("pair: negative item", about)[0, 0])
            wrong = int(free[np.searchsorted(reach, lot * reach[-1], side="right")])
            first = bool(draws.uniform("pair: shown first", about)[0, 0] < 0.5)
            seed = float(draws.uniform("pair: reply", about)[0, 0])
            while len(rounds) <= place:
                rounds.append([])
            rounds[place].append(Pair(user, right, wrong, first, seed, place))
    return [pair for each in rounds for pair in each]


async def in_turn(pairs: Sequence[Pair], learn: Callable[[Pair], Coroutine[Any, Any, None]]) -> None:
    """Learn from each pair once all earlier ones with its user or one of its items are done.

    What comes of it is that of one pair after the other, and pairs without an agent in common do not wait.
    """
    done = [asyncio.Event() for _ in pairs]

    async def one(place: int, before: Sequence[int]) -> None:
        for each in before:
            await done[each].wait()
        await learn(pairs[place])
        done[place].set()  # not where it failed: what rests on it is not asked

    await side_by_side(one(place, before) for place, before in enumerate(waited_for(pairs)))


def waited_for(pairs: Sequence[Pair]) -> list[list[int]]:
    """For each pair, the latest earlier one of each of its agents, as places in the list, ascending."""
    last: dict[tuple[str, int], int] = {}
    found = []
    for place, pair in enumerate(pairs):
        agents = ("user", pair.user), ("item", pair.right), ("item", pair.wrong)
        found.append(sorted({last[agent] for agent in agents if agent in last}))
        last |= dict.fromkeys(agents, place)
    return found
