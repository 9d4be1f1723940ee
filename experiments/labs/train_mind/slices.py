"""Where text should win: people of whom little is known, and items that nobody has met.

    last k interactions   the scenes of the whole table; of a person the latest k rows before the moment alone are known
    new items             a choice among five and a list of new items alone; nobody has met any of them in the world of
                          these scenes: they are in no count, no history and no scene that was learned from

Each slice is a `Material`, so it is asked about, scored and put into a table as the whole is. Whoever is asked about
new items is of the test or the validation third, and gives no row to what is counted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.split import people_in_thirds, split_history
from groundlings.experiments.labs.fidelity.scenes import (
    CHOICES,
    Moments,
    SceneGroups,
    Scenes,
    SceneSampler,
    choose_moments,
)
from groundlings.experiments.labs.fidelity.stage import TEST_THIRD, VALIDATION_THIRD
from groundlings.experiments.labs.train_mind.scenes import Ground, Material, compose, new_items, next_items, without
from groundlings.experiments.labs.train_mind.selection import some_scenes

NEW_ITEMS = "new items"
_THIRDS = (("test", TEST_THIRD), ("validation", VALIDATION_THIRD))


def draw_slices(ground: Ground, material: Material) -> dict[str, Material]:
    """The slices that the file asks for, by name.

    Raises:
        DataError: Nobody met a new item after the moment that divides the rows.
    """
    slices = {
        f"last {latest} interaction{'s' if latest > 1 else ''}": _shortened(ground, material, latest)
        for latest in ground.config.slices.short_histories
    }
    new = new_items(ground)
    return {**slices, NEW_ITEMS: _among_new(ground, material, new)} if len(new) else slices


def shorten(scenes: Scenes, people: IntArray, latest: int) -> Scenes:
    """The scenes of some users, with the latest rows of each history alone.

    Args:
        scenes: Their histories are oldest first.
        people: Users, ascending.
        latest: How many rows are kept.
    """
    theirs = some_scenes(scenes, np.flatnonzero(np.isin(scenes.users, people)))
    rows = theirs.histories
    ends = np.cumsum(np.bincount(rows.users, minlength=len(theirs)))
    from_end = ends[rows.users] - 1 - np.arange(len(rows))
    return replace(theirs, histories=rows.take(from_end < latest))


def _shortened(ground: Ground, material: Material, latest: int) -> Material:
    groups, most = material.groups, ground.config.slices.people
    some = {
        name: np.sort(ground.chance("slice people", name).permutation(np.unique(scenes.users))[:most])
        for name, scenes in (("test", groups.test), ("validation", groups.validation))
    }
    return replace(
        material,
        groups=replace(
            groups,
            test=shorten(groups.test, some["test"], latest),
            validation=shorten(groups.validation, some["validation"], latest),
        ),
        test_lists=shorten(material.test_lists, some["test"], latest),
        validation_lists=shorten(material.validation_lists, some["validation"], latest),
    )


def _among_new(ground: Ground, material: Material, new: IntArray) -> Material:
    """Scenes and lists of new items alone, in a world in which nobody has met them before."""
    history, salt = ground.dataset.history, ground.config.split.salt
    known, later = without(history, new), split_history(history, "global_temporal", ground.config.choice.later)
    met_new = later.test.take(np.isin(later.test.items, new))
    thirds = people_in_thirds(ground.dataset.people.user_ids, salt)
    moments = {
        group: choose_moments(ground, known, met_new, thirds == third, f"new {group}", ground.config.slices.people)
        for group, third in _THIRDS
    }
    asked = np.concatenate([each.users for each in moments.values()])
    statistics = without(later.train.take(~np.isin(later.train.users, asked)), new)
    sampler = SceneSampler.of(ground.dataset, statistics)
    five, lists = {}, {}
    for group, each in moments.items():
        five[group] = _five(ground, sampler, each, new, group)
        lists[group] = _lists(ground, sampler, each, new, group)
        if not len(five[group]) or not len(lists[group]):
            raise DataError(
                f"slices.new_items: nobody of the {group} third met one of the {len(new)} new items in the latest "
                f"{ground.config.choice.later:.0%} of all rows; raise slices.new_items or choice.later"
            )
    groups = SceneGroups(statistics, five["test"], five["validation"])
    return Material(groups, material.learned, material.selection, lists["test"], lists["validation"])


def _five(ground: Ground, sampler: SceneSampler, moments: Moments, new: IntArray, group: str) -> Scenes:
    """The real new item of each moment among four others that were out; moments without four are left out."""
    chance = ground.chance("new five", group)
    pools = [sampler.unmet(new, moments, number) for number in range(len(moments.items))]
    enough = np.flatnonzero([len(pool) >= CHOICES - 1 for pool in pools])
    kept = Moments(moments.users[enough], moments.items[enough], moments.times[enough])
    others = [chance.choice(pools[number], CHOICES - 1, replace=False) for number in enough]
    real = [np.array([item]) for item in kept.items]
    return compose(without(sampler.history, new), kept, real, others, CHOICES, chance)


def _lists(ground: Ground, sampler: SceneSampler, moments: Moments, new: IntArray, group: str) -> Scenes:
    """One list per user: the new items that were met from the first moment on, and as many that never were."""
    chance, half = ground.chance("new lists", group), ground.config.list_items // 2
    first = np.unique(moments.users, return_index=True)[1]
    of_users = Moments(moments.users[first], moments.items[first], moments.times[first])
    history = sampler.history
    real = next_items(history.take(np.isin(history.items, new)), of_users, half)
    pools = [sampler.unmet(new, of_users, number) for number in range(len(first))]
    others = [
        chance.choice(pool, min(len(met), len(pool)), replace=False) for met, pool in zip(real, pools, strict=True)
    ]
    return compose(without(history, new), of_users, real, others, 2 * half, chance)
