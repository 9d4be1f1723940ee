"""Which pairs the teacher is asked about.

Candidates are drawn once: for each person as many items from each fifth of the items by popularity that the person has
not met before. Rules choose among them; `uncertainty` is a query by committee (Seung et al. 1992) whose members have
learned from resamples (Abe and Mamitsuka 1998), of people and not of pairs, because pairs of one person are alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.lists import Lists
from groundlings.experiments.labs.fidelity.scenes import Scenes

STRATA = 5
"""Groups of equal size of the items that occur, by how many people have met them."""


def draw_candidates(scenes: Scenes, statistics: Interactions, most: int, chance: np.random.Generator) -> Scenes:
    """The same people with candidates in the place of their items, `most` each, fewer where fewer are unmet.

    Args:
        scenes: Moments of people.
        statistics: The rows that popularity is counted on; an item that does not occur in them is no candidate.
        most: Candidates of each person.
        chance: Random numbers.
    """
    counts = statistics.item_counts
    occurring = np.flatnonzero(counts)
    strata = np.array_split(occurring[np.argsort(counts[occurring], kind="stable")], STRATA)
    most = min(most, len(occurring))
    items = np.full((len(scenes), most), NO_ITEM, dtype=np.int32)
    for row in range(len(scenes)):
        met = scenes.histories.met_by(np.array([row])).indices
        turns = [chance.permutation(each[~np.isin(each, met)]) for each in strata]
        # The first of each stratum, then the second of each, and so on: most of them equally many.
        longest = max(map(len, turns))
        laid = np.full((longest, STRATA), NO_ITEM, dtype=np.int64)
        for column, each in enumerate(turns):
            laid[: len(each), column] = each
        found = laid[laid != NO_ITEM][:most]
        items[row, : len(found)] = found
    return replace(scenes, lists=Lists(np.arange(len(scenes)), items, np.zeros(items.shape, dtype=np.bool_)))


def choose_uniformly(left: BoolArray, count: int, chance: np.random.Generator) -> BoolArray:
    """`count` of the pairs that are left, drawn uniformly and spread evenly over people, shape of `left`.

    Args:
        left: Which candidates may be chosen, shape (n_people, n_candidates).
        count: How many; all where fewer are left.
        chance: Random numbers.
    """
    # Everybody's first before anybody's second. Candidates are equally many of each stratum, so draws are too.
    keys = np.where(left, chance.random(left.shape), np.inf)
    turn = np.argsort(np.argsort(keys, axis=1), axis=1)
    return _first(np.where(left, turn + chance.random(left.shape), np.inf), count)


def choose_uncertain(
    left: BoolArray, predicted: FloatArray, count: int, most_of_a_person: int, chance: np.random.Generator
) -> BoolArray:
    """`count` of the pairs that are left in which predictions differ most, shape of `left`.

    Args:
        left: Which candidates may be chosen, shape (n_people, n_candidates).
        predicted: By each of several students, shape (n_students, n_people, n_candidates).
        count: How many; all that are allowed where fewer are.
        most_of_a_person: Pairs of one person at most: what one person's pairs teach is much alike.
        chance: Random numbers, for ties.
    """
    keys = np.where(left, -predicted.std(axis=0), np.inf)
    own = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1)
    return _first(np.where(left & (own < most_of_a_person), keys + 1e-12 * chance.random(left.shape), np.inf), count)


def _first(keys: FloatArray, count: int) -> BoolArray:
    """The cells with the lowest finite keys."""
    chosen = np.zeros(keys.shape, dtype=np.bool_)
    order = np.argsort(keys, axis=None, kind="stable")[: min(count, int(np.isfinite(keys).sum()))]
    chosen.ravel()[order] = True
    return chosen
