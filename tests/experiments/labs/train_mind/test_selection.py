"""Which scenes are learned from: repeats are left out, hard ones are unlikely ones, diverse ones share the least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.lists import Lists
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.train_mind.config import ExamplesConfig
from groundlings.experiments.labs.train_mind.scenes import draw_material
from groundlings.experiments.labs.train_mind.selection import (
    cheap_scores,
    cover,
    difficulties,
    repeated,
    select,
    some_scenes,
)


def rows(pairs, n_users, n_items=6):
    """Rows of users and items, one a second."""
    users, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    unrated, times = np.full(len(users), np.nan), np.arange(len(users))
    return Interactions.of(users, items, unrated, times, n_users=n_users, n_items=n_items)


def scenes_of(users, items, positive, histories):
    """Scenes, each with the items of its history."""
    lists = Lists(np.arange(len(users)), np.array(items, dtype=np.int32), np.array(positive, dtype=np.bool_))
    pairs = [(number, item) for number, own in enumerate(histories) for item in own]
    return Scenes(np.array(users), lists, rows(pairs, len(users)))


MANY = 8
STATISTICS = rows(
    [*((user, item) for user in range(MANY) for item in (0, 1)), (8, 0), (8, 4), (9, 5), (9, 3)], n_users=10
)
"""Eight people met items 0 and 1; one met 0 and 4, and one met 5 and 3."""

HARD = scenes_of(
    [*range(MANY), 8, 8],
    [*([[3, 1, NO_ITEM], [1, 4, 3]] * (MANY // 2)), [4, 1, 3], [1, 3, 4]],
    [*([[0, 1, 0], [1, 0, 0]] * (MANY // 2)), [1, 0, 0], [0, 0, 1]],
    [[0]] * (MANY + 2),
)
"""The eight take what many took; the last two scenes, of one moment, are of somebody who takes what nobody else did."""


def test_cheap_scores_count_everybody_but_the_person():
    scores = cheap_scores(HARD, STATISTICS)
    for number, user in enumerate(HARD.users):
        kept = STATISTICS.users != user
        alone = replace(STATISTICS.take(kept), users=STATISTICS.users[kept])
        met = alone.matrix.toarray()
        history = HARD.histories.items[HARD.histories.users == number]
        for place, item in enumerate(HARD.lists.items[number]):
            expected = [0.0, 0.0]
            if item != NO_ITEM:
                lengths = np.sqrt(np.maximum(met[:, history].sum(axis=0) * met[:, item].sum(), 1))
                cosines = met[:, item] @ met[:, history] / lengths
                expected = [np.log1p(met[:, item].sum()), cosines.sum()]
            assert scores[number, place] == pytest.approx(expected)


def test_what_nobody_else_took_is_harder_than_what_many_took():
    found = difficulties(HARD, STATISTICS)
    assert found[:MANY].max() < np.log(2) < np.log(3) < found[MANY:].min()
    assert found[MANY] == pytest.approx(found[MANY + 1]), "the order of items tells nothing"


def test_a_scene_of_which_the_cheap_scores_know_nothing_is_a_guess():
    """Nobody else met one of its items, and nothing of the history."""
    nothing = scenes_of([8, 9], [[2, 4], [2, 3]], [[0, 1], [0, 1]], [[2], [2]])
    assert difficulties(nothing, STATISTICS) == pytest.approx(np.log(2))


def test_a_moment_of_a_person_is_taken_once():
    assert np.flatnonzero(repeated(HARD)).tolist() == [MANY + 1]
    chosen, told = select(HARD, ExamplesConfig.model_construct(choose="hard", scenes=2), STATISTICS)
    assert chosen.users[-1] == MANY
    assert (told.drawn, told.repeated, told.taken) == (MANY + 2, 1, 2)
    assert told.difficulty_taken > told.difficulty_drawn
    whole, told = select(HARD, ExamplesConfig(choose="all", scenes=8), STATISTICS)
    assert np.array_equal(whole.lists.items, HARD.lists.items)
    assert (told.drawn, told.repeated, told.taken, told.items) == (MANY + 2, 1, MANY + 2, 3)


def test_diverse_scenes_share_the_least():
    alike = scenes_of([0, 1, 0, 2], [[0, 1], [0, 1], [2, 3], [1, 2]], [[1, 0]] * 4, [[4], [4], [4, 5], [4]])
    assert cover(alike, 4).tolist() == [0, 2, 1, 3], "two old items and a new person, then the first of equals"
    assert cover(alike, 2).tolist() == [0, 2]


def test_some_scenes_keep_their_histories(material):
    kept = np.array([1, 4, 5])
    found = some_scenes(material.learned, kept)
    for number, scene in enumerate(kept):
        of, whole = (each.histories.take(each.histories.users == row) for each, row in
                     ((found, number), (material.learned, scene)))  # fmt: skip
        assert np.array_equal(of.items, whole.items)
        assert np.array_equal(found.lists.items[number], material.learned.lists.items[scene])


@pytest.mark.parametrize("choose", ["hard", "diverse"])
def test_a_choice_is_made_of_more_scenes_and_is_the_same_each_time(ground, material, choose):
    examples = ground.config.examples.model_copy(update={"choose": choose, "candidates": 3})
    asked = replace(ground, config=ground.config.model_copy(update={"examples": examples}))
    one, other = draw_material(asked), draw_material(asked)
    assert np.array_equal(one.learned.lists.items, other.learned.lists.items)
    assert one.selection == other.selection
    assert one.selection.drawn == 48
    assert one.selection.taken == len(one.learned) == 16
    assert not repeated(one.learned).any()
    assert np.array_equal(one.test_lists.lists.items, material.test_lists.lists.items), "who is tested stays the same"
    if choose == "hard":
        assert one.selection.difficulty_taken > one.selection.difficulty_drawn
    else:
        assert one.selection.items >= material.selection.items
