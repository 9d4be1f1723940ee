"""Which kinds of events are interactions, and which only tell more about a person.

The stages of a shop follow one another: a view, a click, an item in the cart, a purchase. Only the furthest stage that
a data set has is an interaction: personas are measured on it, recommenders learn from it, and it is held out. Were all
stages interactions, each purchase would look like one item met four times. What lies before that stage is known of a
person and learnt by nobody.

    stage 1   purchase, play, rating, like, interaction
    stage 2   add_to_cart, where the data have nothing of stage 1
    stage 3   click, where they have nothing of stages 1 and 2
    stage 4   view, where they have nothing else
    dislike   an interaction with a negative opinion, as a low rating is one. The item is not recommended again, the
              opinion counts where ratings do, and no recommender or taste takes it for a choice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

import numpy as np

from groundlings.environments.arrays import BoolArray
from groundlings.environments.interactions import KINDS, Interactions, Kind

STAGES: Final[tuple[tuple[Kind, ...], ...]] = (
    ("interaction", "purchase", "play", "rating", "like"),
    ("add_to_cart",),
    ("click",),
    ("view",),
)
"""The kinds that may be interactions, the furthest stage first."""

Opinions = Literal["ratings", "likes", "none"]
"""How people say what they think of an item: on a scale, by liking and disliking it, or not at all."""


def occurring_kinds(history: Interactions) -> tuple[Kind, ...]:
    """The kinds that a history has, in the order of `KINDS`; those of a history that tells none apart are unknown."""
    if history.kinds is None:
        return ()
    counts = np.bincount(history.kinds, minlength=len(KINDS))
    return tuple(kind for kind, count in zip(KINDS, counts, strict=True) if count)


def default_counted(kinds: Collection[Kind]) -> tuple[Kind, ...]:
    """The kinds of the furthest stage among those that occur; empty where none of them may be an interaction."""
    for stage in STAGES:
        if found := tuple(kind for kind in stage if kind in kinds):
            return found
    return ()


def is_counted(history: Interactions, counted: Sequence[Kind] | None) -> BoolArray:
    """Whether each row is an interaction, dislikes included, shape (n,).

    Args:
        history: All rows.
        counted: The kinds that are; None = those of `default_counted`.
    """
    if history.kinds is None:
        return np.ones(len(history), dtype=np.bool_)
    kinds = default_counted(occurring_kinds(history)) if counted is None else counted
    return np.isin(history.kinds, [KINDS.index(kind) for kind in (*kinds, "dislike")])
