"""What users liked and disliked, as far as the data tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import DISLIKE, Interactions
from groundlings.environments.random_streams import Draws


@dataclass(frozen=True, slots=True)
class Judged:
    """One item and what a user made of it.

    Attributes:
        item: Its number.
        liked: Whether the user liked it.
        drawn: Whether it stands in for a dislike, because the user has none: an item that the user never took.
    """

    item: int
    liked: bool
    drawn: bool = False


def judged_by(
    interactions: Interactions, known: Interactions, users: IntArray, *, most: int, like_from: float, root: int
) -> dict[int, list[Judged]]:
    """User -> the latest items with a like or a dislike, the earliest first; half of them dislikes where there are any.

    A rating from `like_from` on is a like, a lower one a dislike; what has no rating is a like unless its kind is a
    dislike. A user without a dislike is given as many items that nobody said the user disliked: drawn in proportion to
    how many took them, from what the user never met.

    Args:
        interactions: What is learnt from.
        known: All interactions so far: whatever is among them is not drawn.
        users: Who.
        most: Items of a user at most.
        like_from: The least rating that is a like.
        root: The seed of the draws.
    """
    rows = interactions.chronological()
    low = rows.ratings < like_from  # False where there is none
    disliked = low if rows.kinds is None else low | (rows.kinds == DISLIKE)
    found = {}
    for user in users.tolist():
        mine = np.flatnonzero(rows.users == user)
        verdicts = {int(rows.items[row]): not bool(disliked[row]) for row in mine}  # the latest counts
        likes = [item for item, liked in verdicts.items() if liked]
        dislikes = [item for item, liked in verdicts.items() if not liked]
        half = most // 2
        few = min(len(dislikes), half) if dislikes else 0
        chosen = {*likes[len(likes) - min(len(likes), most - (few or half)) :], *dislikes[len(dislikes) - few :]}
        listed = [Judged(item, liked) for item, liked in verdicts.items() if item in chosen]
        if listed and not dislikes:
            listed = _with_drawn(listed, known, user, half, root)
        if listed:
            found[user] = listed
    return found


def _with_drawn(likes: list[Judged], known: Interactions, user: int, most: int, root: int) -> list[Judged]:
    """Likes, each followed by an item that the user never met."""
    counts = known.item_counts
    free = np.setdiff1d(np.flatnonzero(counts > 0), known.met[[user]].indices)
    draws = Draws.for_sessions(root, np.array([user]), 0)
    lots = draws.uniform("judged: drawn", free[None, :].astype(np.int64))[0]
    # The smallest -log(u) / weight: drawn without replacement in proportion to weights (Efraimidis and Spirakis 2006).
    order = free[np.argsort(-np.log(np.maximum(lots, 2.0**-60)) / counts[free], kind="stable")]
    drawn = [Judged(int(item), False, drawn=True) for item in order[: min(most, len(likes))]]
    mixed: list[Judged] = []
    for place, like in enumerate(likes):
        mixed += [like, *drawn[place : place + 1]]
    return mixed
