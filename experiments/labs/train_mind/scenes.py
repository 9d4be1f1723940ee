"""What is learned from, and what is asked about.

    learned from   moments of people of the fitting third in the earlier rows: the items they met next, and others
    asked about    the choice among five of `fidelity`, strict version, of the test and the validation third; and lists,
                   half of them the next items really met after a scene's moment, half items never met

Earlier and later rows are divided at one moment for everybody (`choice.later`), so nothing that is learned from lies
after what is asked about. Nobody of the test third is learned from, and nobody's later rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.split import people_in_thirds
from groundlings.experiments.labs.fidelity.lists import Lists
from groundlings.experiments.labs.fidelity.scenes import (
    CHOICES,
    FEWEST_BEFORE,
    Moments,
    SceneGround,
    SceneGroups,
    Scenes,
    SceneSampler,
    SceneSettings,
    draw_scenes,
    histories_of,
    rows_before,
)
from groundlings.experiments.labs.train_mind.config import ExamplesConfig, TrainMindConfig
from groundlings.experiments.labs.train_mind.selection import Selection, moments_to_learn, select

FITTING_THIRD = 0
NONE: IntArray = np.zeros(0, dtype=np.int64)
"""No items."""

Others = Literal["like scenes", "uniform"]

_AT_ONCE = 128


class MaterialSettings(SceneSettings, Protocol):
    """What a file says of all scenes."""

    @property
    def examples(self) -> ExamplesConfig:
        """What is learned from."""
        ...

    @property
    def list_items(self) -> int:
        """Items of a list, half of them really met."""
        ...


class MaterialGround(SceneGround, Protocol):
    """What all scenes are drawn from; `Ground` is one."""

    @property
    def config(self) -> MaterialSettings:
        """How many scenes of whom."""
        ...


@dataclass(frozen=True)
class Ground:
    """The data of one training.

    Attributes:
        config: The file.
        dataset: Users, items and interactions.
    """

    config: TrainMindConfig
    dataset: Dataset

    def chance(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose, the same in every run of the same seed and salt."""
        return np.random.default_rng(name_key("train-mind", self.config.seed, self.config.split.salt, *purpose))


@dataclass(frozen=True)
class Material:
    """All scenes of a training.

    Attributes:
        groups: The choices among five, and the earlier rows that everything is counted on.
        learned: What is learned from.
        selection: How that was chosen.
        test_lists, validation_lists: Of one moment per user.
    """

    groups: SceneGroups
    learned: Scenes
    selection: Selection
    test_lists: Scenes
    validation_lists: Scenes


def draw_material(ground: MaterialGround, new: IntArray = NONE) -> Material:
    """All scenes.

    Args:
        ground: The data.
        new: Items that are hidden from what is learned from (`new_items`).

    Raises:
        DataError: The data set has no times, or there are too few people with later rows.
    """
    if not ground.dataset.times_known:
        raise DataError(
            f"{ground.dataset.name} has no times, so nobody can say what was met next; a model is trained on histories "
            "with times (dataset.own.interactions.timestamp)"
        )
    groups = draw_scenes(ground)
    if min(len(groups.test), len(groups.validation)) == 0:
        raise DataError(
            f"nobody of the {'test' if not len(groups.test) else 'validation'} third of {ground.dataset.name} met "
            f"anything in the latest {ground.config.choice.later:.0%} of all rows after {FEWEST_BEFORE} items before; "
            "expected some: raise choice.later"
        )
    sampler = SceneSampler.of(ground.dataset, groups.statistics)
    learned, selection = draw_learned(ground, groups.statistics, new, sampler)
    if not len(learned):
        raise DataError(f"nobody of {ground.dataset.name} outside the tested users met {FEWEST_BEFORE + 1} items")
    test_lists, validation_lists = (_lists(ground, each, sampler) for each in (groups.test, groups.validation))
    return Material(groups, learned, selection, test_lists, validation_lists)


def new_items(ground: Ground) -> IntArray:
    """The items of `slices.new_items`, ascending: nothing is learned of them, and nothing is counted on them.

    Raises:
        ConfigError: They are too few for a choice among five.
    """
    share = ground.config.slices.new_items
    occurring = np.flatnonzero(ground.dataset.history.item_counts)
    size = round(share * len(occurring))
    if share and size < CHOICES:
        raise ConfigError(
            f"slices.new_items: {share} of the {len(occurring)} items of {ground.dataset.name} are {size}; expected at "
            f"least {CHOICES} of them to choose among: raise it, or write 0 to leave new items out"
        )
    return np.sort(ground.chance("new items").permutation(occurring)[:size])


def without(rows: Interactions, items: IntArray) -> Interactions:
    """The rows that are not about some items; the same object where there are none."""
    return rows.take(~np.isin(rows.items, items)) if len(items) else rows


def draw_learned(
    ground: MaterialGround, statistics: Interactions, new: IntArray, sampler: SceneSampler | None
) -> tuple[Scenes, Selection]:
    """Moments of the fitting third, spread evenly over people, in random order, and how they were chosen.

    Args:
        ground: The data.
        statistics: The rows that moments are taken from.
        new: Items that nobody has met in the world of these scenes; they are in no history, and in no list.
        sampler: Of a world without new items; made anew where there are some.
    """
    statistics = without(statistics, new)
    if len(new) or sampler is None:
        sampler = SceneSampler.of(ground.dataset, statistics)
        known = np.setdiff1d(sampler.occurring, new)
        sampler = replace(sampler, history=without(sampler.history, new), occurring=known, unborn=new)
    options, chance = ground.config.examples, ground.chance("learned")
    fitting = people_in_thirds(ground.dataset.people.user_ids, ground.config.split.salt) == FITTING_THIRD
    moments = moments_to_learn(statistics, fitting, options, chance)
    drawn = _draw(statistics, moments, sampler, options.targets, options.others, "like scenes", chance)
    return select(drawn, options, statistics)


def _lists(ground: MaterialGround, scenes: Scenes, sampler: SceneSampler) -> Scenes:
    """One list per user, of the moment of the user's first scene."""
    history, half = ground.dataset.history, ground.config.list_items // 2
    first = np.unique(scenes.users, return_index=True)[1]
    real = scenes.lists.items[first][scenes.lists.positive[first]].astype(np.int64)
    users = scenes.users[first]
    order = np.lexsort((history.timestamps, history.items, history.users))
    cells = history.users[order] * history.n_items + history.items[order]
    known, place = np.unique(cells, return_index=True)
    times = history.timestamps[order[place]][np.searchsorted(known, users * history.n_items + real)]
    chance = ground.chance("lists", len(users))
    return _draw(history, Moments(users, real, times), sampler, half, half, "uniform", chance)


def _draw(
    history: Interactions,
    moments: Moments,
    sampler: SceneSampler,
    targets: int,
    others: int,
    kind: Others,
    chance: np.random.Generator,
) -> Scenes:
    """A scene for each moment: the next items really met, and others, in random order.

    Args:
        history: What targets are taken from.
        moments: Real choices.
        sampler: For the others.
        targets: Real items at most.
        others: Others at most; of `uniform`, as many as there are real items.
        kind: How others are drawn.
        chance: Random numbers.
    """
    rows, real = rows_before(sampler.history, moments), next_items(history, moments, targets)

    def drawn() -> Iterator[IntArray]:
        for first in range(0, len(rows), _AT_ONCE):
            part = slice(first, min(first + _AT_ONCE, len(rows)))
            if kind == "like scenes":
                yield from list(sampler.others(moments, rows, part, others, chance))
            else:
                numbers = range(part.start, part.stop)
                yield from [_unmet(sampler, moments, number, len(real[number]), chance) for number in numbers]

    return compose(sampler.history, moments, real, drawn(), targets + others, chance)


def compose(
    known: Interactions,
    moments: Moments,
    real: Sequence[IntArray],
    others: Iterable[IntArray],
    width: int,
    chance: np.random.Generator,
) -> Scenes:
    """Scenes of real items and others in random order; a moment that lacks either is left out.

    Args:
        known: The rows that histories are taken from.
        moments: Real choices.
        real, others: The items of each moment.
        width: Items of a scene at most.
        chance: Random numbers.
    """
    items = np.full((len(real), width), NO_ITEM, dtype=np.int32)
    positive = np.zeros(items.shape, dtype=np.bool_)
    for number, (met, unmet) in enumerate(zip(real, others, strict=True)):
        both = np.concatenate([met, unmet])
        order = chance.permutation(len(both))
        items[number, : len(both)] = both[order]
        positive[number, : len(both)] = order < len(met)
    kept = np.flatnonzero(positive.any(axis=1) & ((items != NO_ITEM) & ~positive).any(axis=1))
    rows = rows_before(known, moments)
    return Scenes(
        moments.users[kept],
        Lists(np.arange(len(kept)), items[kept], positive[kept]),
        histories_of(known, [rows[number] for number in kept], kinds=True),
    )


def next_items(history: Interactions, moments: Moments, most: int) -> list[IntArray]:
    """The first items met at each moment or after it and not before, the real one of the moment first."""
    order = np.lexsort((history.timestamps, history.users))
    theirs, when = history.users[order], history.timestamps[order]
    found = []
    for user, item, time in zip(moments.users, moments.items, moments.times, strict=True):
        start, end = np.searchsorted(theirs, user, side="left"), np.searchsorted(theirs, user, side="right")
        cut = start + int(np.searchsorted(when[start:end], time))
        known = set(history.items[order[start:cut]].tolist())
        ahead = dict.fromkeys([int(item), *history.items[order[cut:end]].tolist()])
        found.append(np.array([each for each in ahead if each not in known][:most], dtype=np.int64))
    return found


def _unmet(sampler: SceneSampler, moments: Moments, number: int, size: int, chance: np.random.Generator) -> IntArray:
    """Items that occur and that the user never met, uniformly."""
    met = sampler.history.met_by(moments.users[number : number + 1]).indices
    pool = sampler.occurring[~np.isin(sampler.occurring, met)]
    return chance.choice(pool, min(size, len(pool)), replace=False)
