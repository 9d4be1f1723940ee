"""Casting: which of the interested people are to be an item's first.

A recommender learns about an item from the histories of those who took it. Ten people who are each very likely to
take it are much alike and mostly busy: together they say "for people who watch everything". So the interested are
chosen as a cast: people in a space of taste (any factorisation of the training rows) point somewhere, each with one
voice, and the cast is to point where the item is expected to stand, with a strength that tells how many will like it.

    where the item stands   the vector w that explains best, in least squares, how likely each of the panel takes it
    the cast                one person after another, whoever brings the sum of unit vectors nearest to a multiple of w;
                            then each is exchanged for whoever fits better

The second is kernel herding (Chen, Welling and Smola 2010, "Super-samples from kernel herding") with a target that is
not a mean but a sum, so that an item that will find many has a cast that agrees, and one for few a cast that differs.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray

AGREEMENT, AT_QUANTILE = 0.8, 0.95
"""An item at this quantile of strength gets a cast whose sum is to be this share of its greatest length."""

_EXCHANGES = 2
_RIDGE = 1e-3
_NOT_ALLOWED = 1e6


def cast(people: FloatArray, chance: FloatArray, allowed: BoolArray, volume: int) -> IntArray:
    """The casts, rows of the panel in the order in which they were chosen, shape (n_items, volume).

    Args:
        people: The panel in the space of taste, shape (n_panel, d).
        chance: P(a person takes an item), shape (n_panel, n_items).
        allowed: Who may be chosen first, shape (n_panel, n_items); where they are fewer than `volume`, the likeliest of
            the others follow.
        volume: People an item.
    """
    with threadpool_limits(1, "blas"):
        lengths = np.linalg.norm(people, axis=1, keepdims=True)
        voices = np.divide(people, lengths, out=np.zeros(people.shape), where=lengths > 0)
        targets = _stand(people, chance)
        strengths = np.linalg.norm(targets, axis=0)
        usual = np.quantile(strengths, AT_QUANTILE)
        targets = targets * (AGREEMENT * volume / usual if usual > 0 else 0.0)
        wanted = voices @ targets
        wanted -= np.where(allowed, 0.0, _NOT_ALLOWED * (2 - chance))
        return np.stack([_choose(voices, wanted[:, item], volume) for item in range(chance.shape[1])])


def _stand(people: FloatArray, chance: FloatArray) -> FloatArray:
    """Where each item stands, shape (d, n_items): ridge regression of the chances on the people's vectors."""
    gram = people.T @ people
    ridge = _RIDGE * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), people.T @ chance))


def _choose(voices: FloatArray, wanted: FloatArray, volume: int) -> IntArray:
    """|sum + v - target|^2 is least where v . (target - sum) is greatest, all v being of one length.

    One after another, and then `_EXCHANGES` times round: each steps back, and whoever now fits best takes the place.
    """
    left = wanted.copy()  # v . (target - sum) of everybody
    chosen = np.empty(volume, dtype=np.int64)
    free = np.ones(len(voices), dtype=np.bool_)
    for turn in range(volume * (1 + _EXCHANGES)):
        place = turn % volume
        if turn >= volume:
            left += voices @ voices[chosen[place]]
            free[chosen[place]] = True
        chosen[place] = np.argmax(np.where(free, left, -np.inf))
        left -= voices @ voices[chosen[place]]
        free[chosen[place]] = False
    return chosen
