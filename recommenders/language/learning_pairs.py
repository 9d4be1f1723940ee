"""Pairs of an item that a user took and one that the user did not, from which agents learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
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


def waves(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """The pairs in their order, in groups of which no two share a user or an item."""
    wave: list[Pair] = []
    busy: set[tuple[str, int]] = set()
    for pair in pairs:
        touched = {("user", pair.user), ("item", pair.right), ("item", pair.wrong)}
        if touched & busy:
            yield wave
            wave, busy = [], set()
        wave.append(pair)
        busy |= touched
    if wave:
        yield wave
