"""Selection of users: whose simulated first interactions a cold-start item gets.

A recommender learns about an item from the histories of the users who interacted with it. The ten users who are most
likely to interact are similar to each other and very active, so their histories say little about the item. Instead,
each user is a unit vector in the space of a factorisation of the training rows, and the selection is the k users whose
sum is closest to the item's target vector.

    target      the direction of w, the vector that explains best, in least squares, how likely each user of the panel
                interacts with the item; its length grows with the length of w
    selection   greedy: the next user is whoever brings the sum closest to the target; then each is exchanged for
                whoever fits better

The selection is kernel herding (Chen, Welling and Smola 2010, "Super-samples from kernel herding") with a sum instead
of a mean as its target: the longer the target, the more similar to each other the selected users are.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray

AGREEMENT, AT_QUANTILE = 0.8, 0.95
"""The target of an item at this quantile of |w| is this share of the greatest length a sum can have (the volume)."""

_EXCHANGES = 2
_RIDGE = 1e-3
_NOT_ALLOWED = 1e6


def select_users(people: FloatArray, chance: FloatArray, allowed: BoolArray, volume: int) -> IntArray:
    """The selected users of each item, rows of the panel in the order of selection, shape (n_items, volume).

    Args:
        people: The panel's user vectors, of any length, shape (n_panel, d).
        chance: P(a user interacts with an item), shape (n_panel, n_items).
        allowed: Who may be chosen first, shape (n_panel, n_items); where they are fewer than `volume`, the likeliest of
            the others follow.
        volume: Users per item.
    """
    with threadpool_limits(1, "blas"):
        lengths = np.linalg.norm(people, axis=1, keepdims=True)
        units = np.divide(people, lengths, out=np.zeros(people.shape), where=lengths > 0)
        targets = _target_directions(people, chance)
        strengths = np.linalg.norm(targets, axis=0)
        usual = np.quantile(strengths, AT_QUANTILE)
        targets = targets * (AGREEMENT * volume / usual if usual > 0 else 0.0)
        wanted = units @ targets  # v . target of every user and item, shape (n_panel, n_items)
        # Users that are not allowed come after all others, the likeliest of them first.
        wanted -= np.where(allowed, 0.0, _NOT_ALLOWED * (2 - chance))
        return np.stack([_choose(units, wanted[:, item], volume) for item in range(chance.shape[1])])


def _target_directions(people: FloatArray, chance: FloatArray) -> FloatArray:
    """Target vectors before scaling, shape (d, n_items): ridge regression of the chances on the user vectors."""
    gram = people.T @ people
    ridge = _RIDGE * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), people.T @ chance))


def _choose(units: FloatArray, wanted: FloatArray, volume: int) -> IntArray:
    """The selected users of one item, shape (volume,).

    |sum + v - target|^2 is smallest where v . (target - sum) is largest, because all v have length 1. The first
    `volume` turns fill the places; each later turn takes the user of one place out and fills it with the best one left.
    """
    left = wanted.copy()  # v . (target - sum) of every user v, kept up to date as the sum changes
    chosen = np.empty(volume, dtype=np.int64)
    free = np.ones(len(units), dtype=np.bool_)
    for turn in range(volume * (1 + _EXCHANGES)):
        place = turn % volume  # turns 0 to volume - 1 fill the places, later ones revisit them in the same order
        if turn >= volume:
            left += units @ units[chosen[place]]
            free[chosen[place]] = True
        chosen[place] = np.argmax(np.where(free, left, -np.inf))
        left -= units @ units[chosen[place]]
        free[chosen[place]] = False
    return chosen
