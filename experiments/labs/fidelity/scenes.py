"""Scenes of the choice among five: one item that the user really met next, and four that the user never met.

The other four come as in UserMirrorer (Wei et al., ACL 2026; its sampler as coded): three lists of 32 items, random
ones, those that suit the user's history (collaborative, 64 singular vectors of the normalised matrix, weighted by the
root of the number of users), and those whose content is nearest to that of the real item, interleaved at random; less
everything that the user ever met and items that came out after the moment; the first four.

The strict version, because the published one lets a scorer know the answer by other means:

- statistics are counted on the earlier rows of the whole history (`choice.later` says how many are later), and users
  whose choices are examined or fitted on give no row to them; a scene lies in the later rows, and its history is what
  the user met before that moment, rows of the very moment left out
- the real item stands in any of the five places with equal probability (as published, never in the last one)
- an item that the user had met before is no real item of a scene
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.content import Content, measure_content
from groundlings.environments.dataset import Dataset
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import people_in_thirds, split_history
from groundlings.experiments.config.schema import PopulationConfig, SplitConfig
from groundlings.experiments.labs.fidelity.config import ChoiceConfig
from groundlings.experiments.labs.fidelity.lists import Lists
from groundlings.experiments.labs.fidelity.stage import TEST_THIRD, VALIDATION_THIRD

CHOICES = 5
"""Items of a scene."""

FEWEST_BEFORE = 3
"""Items that a user must have met before the moment of a scene."""

LISTED = 32
"""Items of each of the three lists that the others come from."""

_DIMENSIONS = 64
_SCENES_AT_ONCE = 128


@dataclass(frozen=True)
class Scenes:
    """Choices of some users.

    Attributes:
        users: Whose choice it is, shape (n,), scenes of one user together.
        lists: The items, shape (n, 5), in random order; `lists.users` numbers the scenes.
        histories: What was met before the moment, as rows of "users" 0 to n - 1, one per scene.
    """

    users: IntArray
    lists: Lists
    histories: Interactions

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class SceneGroups:
    """The scenes of an examination.

    Attributes:
        statistics: The rows that everything is counted on.
        test, validation: Scenes of the test third and of the validation third.
    """

    statistics: Interactions
    test: Scenes
    validation: Scenes


@dataclass(frozen=True)
class Moments:
    """Real choices: user, item and time of each, shape (n,)."""

    users: IntArray
    items: IntArray
    times: IntArray


class SceneGround(Protocol):
    """What scenes are drawn from; `Stage` is one."""

    @property
    def dataset(self) -> Dataset:
        """Users, items and interactions."""
        ...

    @property
    def config(self) -> SceneSettings:
        """How many scenes of whom."""
        ...

    def chance(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose."""
        ...


class SceneSettings(Protocol):
    """What a file says of scenes."""

    @property
    def choice(self) -> ChoiceConfig:
        """Scenes per user, and what is later."""
        ...

    @property
    def split(self) -> SplitConfig:
        """Its salt decides the thirds."""
        ...

    @property
    def population(self) -> PopulationConfig:
        """Its size is the number of users of each group."""
        ...


def draw_scenes(stage: SceneGround) -> SceneGroups:
    """The scenes of both groups of users; none where no history has later rows."""
    history = stage.dataset.history
    later = split_history(history, "global_temporal", stage.config.choice.later)
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    moments = {
        group: choose_moments(stage, history, later.test, thirds == third, group, stage.config.population.size)
        for group, third in (("test", TEST_THIRD), ("validation", VALIDATION_THIRD))
    }
    asked = np.concatenate([each.users for each in moments.values()])
    statistics = later.train.take(~np.isin(later.train.users, asked))
    sampler = SceneSampler.of(stage.dataset, statistics)
    scenes = {group: sampler.scenes(each, stage.chance("scenes", group)) for group, each in moments.items()}
    return SceneGroups(statistics, scenes["test"], scenes["validation"])


def choose_moments(
    stage: SceneGround,
    known: Interactions,
    later: Interactions,
    third: BoolArray,
    group: str,
    size: int | Literal["all"],
) -> Moments:
    """Up to `choice.scenes` later rows of each user of a third who had met enough before.

    Args:
        stage: The data.
        known: The rows that count as met before.
        later: The rows that moments are chosen from.
        third: Whether a user is of the third, shape (n_users,).
        group: Names the random numbers.
        size: Users at most.
    """
    chance = stage.chance("moments", group)
    rows = np.flatnonzero(third[later.users])
    # Only the first meeting of an item is a choice, and only what was met earlier than its moment is known.
    rows = rows[is_first(stage.dataset.history, later.take(rows))]
    found = Moments(later.users[rows], later.items[rows].astype(np.int64), later.timestamps[rows])
    rows = rows[np.array([len(own) for own in rows_before(known, found)], dtype=np.int64) >= FEWEST_BEFORE]
    rows = rows[chance.permutation(len(rows))]
    rows = rows[np.argsort(later.users[rows], kind="stable")]
    users = later.users[rows]
    place = np.arange(len(rows)) - np.searchsorted(users, users)
    rows = rows[place < stage.config.choice.scenes]
    people = np.unique(later.users[rows])
    if size != "all" and len(people) > size:
        rows = rows[np.isin(later.users[rows], chance.permutation(people)[:size])]
    return Moments(later.users[rows], later.items[rows].astype(np.int64), later.timestamps[rows])


def is_first(history: Interactions, rows: Interactions) -> BoolArray:
    """Whether the user had never met the item before, shape (n,)."""
    order = np.lexsort((history.timestamps, history.items, history.users))
    cells = history.users[order] * history.n_items + history.items[order]
    known, place = np.unique(cells, return_index=True)
    first = history.timestamps[order[place]]
    return np.asarray(rows.timestamps == first[np.searchsorted(known, rows.users * rows.n_items + rows.items)])


@dataclass(frozen=True)
class SceneSampler:
    """Draws the four others of each scene.

    Attributes:
        history: Of everybody: who met what.
        content: Of the items.
        years: When items came out, shape (n_items,).
        vectors: Collaborative ones of the items, shape (n_items, n).
        occurring: The items that random ones are drawn from.
        unborn: Items that are never drawn, because nobody could have met them yet.
    """

    history: Interactions
    content: Content
    years: FloatArray
    vectors: FloatArray
    occurring: IntArray
    unborn: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, dataset: Dataset, statistics: Interactions) -> SceneSampler:
        """From the histories of everybody, and from the rows that vectors are fitted on."""
        catalog, history = dataset.catalog, dataset.history
        occurring = np.flatnonzero(history.item_counts)
        return cls(history, measure_content(catalog), catalog.years, _item_vectors(statistics), occurring)

    def scenes(self, moments: Moments, chance: np.random.Generator) -> Scenes:
        """A scene for each moment that four others are left for."""
        history = self.history
        rows = rows_before(history, moments)
        items, positive, kept = [], [], []
        for first in range(0, len(rows), _SCENES_AT_ONCE):
            part = slice(first, first + _SCENES_AT_ONCE)
            for number, others in enumerate(self.others(moments, rows, part, CHOICES - 1, chance), start=first):
                if len(others) == CHOICES - 1:
                    five = np.concatenate([[moments.items[number]], others])
                    order = chance.permutation(CHOICES)
                    items.append(five[order])
                    positive.append(order == 0)
                    kept.append(number)
        lists = Lists(
            np.arange(len(kept)),
            np.array(items, dtype=np.int32).reshape(-1, CHOICES),
            np.array(positive, dtype=np.bool_).reshape(-1, CHOICES),
        )
        users = moments.users[kept] if kept else np.zeros(0, dtype=np.int64)
        return Scenes(users, lists, histories_of(self.history, [rows[number] for number in kept]))

    def others(
        self, moments: Moments, rows: list[IntArray], part: slice, most: int, chance: np.random.Generator
    ) -> Iterator[IntArray]:
        """For each moment of a part, up to so many items that its user never met; drawn when asked for.

        Args:
            moments: Real choices.
            rows: What was met before each of them.
            part: Which of them; all at once would take much memory.
            most: Items.
            chance: Random numbers.
        """
        nearest = zip(self._nearest(moments, part), self._suited(rows[part]), strict=True)
        for number, two in enumerate(nearest, start=part.start):
            yield self._others(moments, number, two, chance)[:most]

    def _nearest(self, moments: Moments, part: slice) -> IntArray:
        """Items with the content nearest to that of the real ones, shape (n, at most `LISTED`)."""
        everything = np.arange(self.history.n_items)
        return _highest(self.content.similarity(moments.items[part], everything))

    def _suited(self, rows: list[IntArray]) -> IntArray:
        """Items that suit the histories, shape (n, at most `LISTED`)."""
        sums = np.array([self.vectors[self.history.items[own]].sum(axis=0) for own in rows])
        with threadpool_limits(1, "blas"):
            return _highest(sums @ self.vectors.T)

    def _others(
        self, moments: Moments, number: int, two: tuple[IntArray, IntArray], chance: np.random.Generator
    ) -> IntArray:
        """All of the interleaved lists that the user never met and that were out."""
        random = chance.permutation(self.occurring)[:LISTED]
        three = [random, *two]
        turns = chance.permutation(np.repeat(np.arange(3), [len(each) for each in three]))
        merged = np.empty(len(turns), dtype=np.int64)
        for owner, each in enumerate(three):
            merged[turns == owner] = each
        merged = merged[np.sort(np.unique(merged, return_index=True)[1])]
        return self.unmet(merged[~np.isin(merged, self.unborn)], moments, number)

    def unmet(self, items: IntArray, moments: Moments, number: int) -> IntArray:
        """Those of some items that the user of a moment never met and that were out by then."""
        met = self.history.met_by(moments.users[number : number + 1]).indices
        seconds = int(moments.times[number]) // self.history.ticks_per_second
        year = np.datetime64(seconds, "s").astype("datetime64[Y]").astype(np.int64) + 1970
        return items[~np.isin(items, met) & ~(self.years[items] > year)]


def rows_before(history: Interactions, moments: Moments) -> list[IntArray]:
    """The rows of each moment's user strictly before it, oldest first."""
    order = np.lexsort((history.timestamps, history.users))
    theirs, when = history.users[order], history.timestamps[order]
    found = []
    for user, time in zip(moments.users, moments.times, strict=True):
        start, end = np.searchsorted(theirs, user, side="left"), np.searchsorted(theirs, user, side="right")
        found.append(order[start : start + np.searchsorted(when[start:end], time)])
    return found


def histories_of(history: Interactions, rows: list[IntArray], *, kinds: bool = False) -> Interactions:
    """What was met before each scene, as rows of "users" 0 to n - 1.

    Args:
        history: Of everybody.
        rows: Its rows of each scene.
        kinds: Whether kinds of events and amounts are told too, where there are any.
    """
    size = np.array([len(own) for own in rows], dtype=np.int64)
    chosen = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return Interactions.of(
        np.repeat(np.arange(len(rows)), size), history.items[chosen], history.ratings[chosen],
        history.timestamps[chosen], n_users=len(rows), n_items=history.n_items,
        ticks_per_second=history.ticks_per_second,
        kinds=history.kinds[chosen] if kinds and history.kinds is not None else None,
        weights=history.weights[chosen] if kinds and history.weights is not None else None,
    )  # fmt: skip


def _item_vectors(statistics: Interactions) -> FloatArray:
    """Leading right singular vectors of the matrix normalised by both degrees, times the root of the item's degree.

    Shen et al. 2021, "How powerful is graph convolution for recommendation?", CIKM, as UserMirrorer uses it.
    """
    matrix = statistics.matrix.astype(np.float64)
    of_users, of_items = (np.maximum(matrix.sum(axis=axis), 1.0) for axis in (1, 0))
    normal = sp.diags_array(of_users**-0.5) @ matrix @ sp.diags_array(of_items**-0.5)
    size = min(_DIMENSIONS, *matrix.shape)
    if min(matrix.shape) <= 4 * _DIMENSIONS:
        vectors = scipy.linalg.svd(normal.toarray(), full_matrices=False)[2][:size].T
    else:
        # A fixed start makes the iteration repeatable.
        start = np.random.default_rng(0).standard_normal(min(matrix.shape))
        vectors = scipy.sparse.linalg.svds(normal, size, v0=start)[2].T
    return np.asarray(vectors * np.sqrt(of_items)[:, None])


def _highest(scores: NDArray[np.floating[Any]]) -> IntArray:
    """The items with the highest scores, best first, shape (n, at most `LISTED`)."""
    size = min(LISTED, scores.shape[1])
    some = np.argpartition(-scores, size - 1, axis=1)[:, :size]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(some, order, axis=1), dtype=np.int64)
