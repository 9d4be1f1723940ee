"""Lists in which scorers must separate a user's held-out items from sampled negatives.

As in Agent4Rec (Zhang et al. 2024, section 3.1): `length // (m + 1)` held-out items, drawn at random, fewer if a user
has fewer, and m times as many unobserved items, with no interaction in training or after. A user for whom so many are
not left has fewer held-out items in the list, or an empty list: with fewer negatives it would be another, easier task.
Negatives are sampled either uniformly from all items that occur in the history, or matched in popularity: for each
held-out item from those nearest to it in the order of training popularity, so that popularity alone carries no
information. No item is in a list twice. The order of a list carries no information: positives come first, but scorers
do not see positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.words import persons, plural
from groundlings.experiments.labs.fidelity.stage import Stage

Negatives = Literal["uniform", "popularity-matched"]

NEAREST = 10
"""Number of neighbours on each side, in order of popularity, from which matched negatives are sampled."""


@dataclass(frozen=True, slots=True)
class Lists:
    """One list per user.

    Attributes:
        users: Shape (n,).
        items: Item numbers, shape (n, width), `NO_ITEM` after the last.
        positive: Whether the user really interacted with (or liked) the item, shape (n, width).
    """

    users: IntArray
    items: ItemArray
    positive: BoolArray

    @property
    def listed(self) -> BoolArray:
        """Whether a place of a list holds an item."""
        return self.items != NO_ITEM


def share_of_list(values: FloatArray | BoolArray, listed: BoolArray) -> FloatArray:
    """Mean over the items of each list, NaN for an empty one, shape (n,).

    Args:
        values: One per place, shape (n, width).
        listed: Which places count, same shape.
    """
    sizes = listed.sum(axis=1)
    sums = np.where(listed, values, 0.0).sum(axis=1)
    return np.divide(sums, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)


def draw_lists(stage: Stage, users: IntArray, group: str) -> Mapping[tuple[Negatives, int], Lists]:
    """The lists of all tasks for some users.

    Args:
        stage: The data.
        users: The users.
        group: "test" or "validation"; the two have different random numbers.

    Raises:
        ConfigError: For one of the ratios nobody has enough items that they never met.
    """
    settings = stage.config.lists
    drawn = {
        (negatives, ratio): _draw(stage, users, negatives, ratio, settings.length, group)
        for negatives in get_args(Negatives)
        for ratio in settings.ratios
    }
    for (_, ratio), lists in drawn.items():
        if not lists.listed.any():
            raise ConfigError(
                f"lists.ratios: found {ratio}, but none of the {persons(len(users))} to be examined ({group}) is left "
                f"with {plural(ratio, 'item')} never met; write smaller ratios, or give data with more items"
            )
    return drawn


def _draw(stage: Stage, users: IntArray, negatives: Negatives, ratio: int, length: int, group: str) -> Lists:
    most = max(length // (ratio + 1), 1)
    chance = stage.chance("lists", group, negatives, ratio)
    occurring = np.flatnonzero(stage.dataset.interactions.item_counts)
    counts = stage.train.item_counts[occurring]
    # Items of equal popularity are in random order, so that item numbers carry no information.
    by_popularity = occurring[np.lexsort((chance.random(len(occurring)), counts))]
    items = np.full((len(users), most * (ratio + 1)), NO_ITEM, dtype=np.int32)
    positive = np.zeros(items.shape, dtype=np.bool_)
    held_out, met = stage.held_out, stage.dataset.interactions.matrix
    for row, user in enumerate(users):
        ahead = held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]]
        unobserved = np.ones(stage.train.n_items, dtype=np.bool_)
        unobserved[met.indices[met.indptr[user] : met.indptr[user + 1]]] = False
        pool = occurring[unobserved[occurring]]
        chosen = chance.permutation(np.sort(ahead))[: min(most, len(pool) // ratio)]
        if negatives == "uniform":
            others = chance.choice(pool, ratio * len(chosen), replace=False)
        else:
            others = _nearby(by_popularity, unobserved, chosen, ratio, chance)
        both = np.concatenate([chosen, others])
        items[row, : len(both)] = both
        positive[row, : len(chosen)] = True
    return Lists(users, items, positive)


def _nearby(
    by_popularity: IntArray, unobserved: BoolArray, chosen: IntArray, ratio: int, chance: np.random.Generator
) -> IntArray:
    """For each chosen item `ratio` unobserved items nearest in popularity, none twice; there are enough for all."""
    place = np.empty(len(unobserved), dtype=np.int64)
    place[by_popularity] = np.arange(len(by_popularity))
    free = unobserved[by_popularity]
    taken: list[int] = []
    reach = max(NEAREST, ratio)
    for item in chance.permutation(chosen):
        here = place[item]
        below = np.flatnonzero(free[:here])[-reach:]
        above = here + 1 + np.flatnonzero(free[here + 1 :])[:reach]
        near = np.concatenate([below, above])
        picked = chance.choice(near, ratio, replace=False)
        free[picked] = False
        taken.extend(by_popularity[picked].tolist())
    return np.array(taken, dtype=np.int64)
