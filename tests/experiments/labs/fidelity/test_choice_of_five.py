"""The choice among five: scenes keep what they promise, and nothing later than the moment reaches a score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.interactions import Interactions
from groundlings.environments.split import people_in_thirds, split_history
from groundlings.experiments.labs.fidelity.choice_of_five import TASK, examine_choices_of_five
from groundlings.experiments.labs.fidelity.scenes import draw_scenes


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    """Enough to see what they are given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("groundlings.experiments.labs.fidelity.list_reader.TREES", 40)
        yield


@pytest.fixture(scope="module")
def groups(stage):
    return draw_scenes(stage)


def test_one_of_five_was_met_at_that_moment_and_the_others_never(stage, groups):
    history = stage.dataset.interactions
    for scenes in (groups.test, groups.validation):
        assert len(scenes) > 30
        for number, user in enumerate(scenes.users):
            five, real = scenes.lists.items[number], scenes.lists.positive[number]
            assert len(set(five)) == 5
            assert real.sum() == 1
            met = set(history.items[history.users == user])
            assert set(five) & met == set(five[real])
            known = scenes.histories.users == number
            (moment,) = history.timestamps[(history.users == user) & (history.items == five[real][0])]
            before = (history.users == user) & (history.timestamps < moment)
            assert sorted(scenes.histories.items[known]) == sorted(history.items[before])
            assert known.sum() >= 3


def test_the_real_item_stands_in_any_place(groups):
    places = np.bincount(groups.test.lists.positive.argmax(axis=1), minlength=5)
    assert places.min() > len(groups.test) / 10


def test_statistics_are_earlier_and_of_other_people_and_groups_are_thirds(stage, groups):
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    assert set(thirds[groups.test.users]) == {2}
    assert set(thirds[groups.validation.users]) == {1}
    later = split_history(stage.dataset.interactions, "global_temporal", stage.config.choice.later).test
    assert groups.statistics.timestamps.max() < later.timestamps.min()
    asked = np.concatenate([groups.test.users, groups.validation.users])
    assert not np.isin(groups.statistics.users, asked).any()


def test_what_others_did_later_changes_no_figure(stage):
    """The later rows of users who are neither examined nor fitted on are exchanged among them."""
    history = stage.dataset.interactions
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    later = split_history(history, "global_temporal", stage.config.choice.later).test.timestamps.min()
    moved = np.flatnonzero((thirds[history.users] == 0) & (history.timestamps >= later))
    items = history.items.copy()
    items[moved] = items[np.roll(moved, 11)]
    other = Interactions.of(
        history.users, items, history.ratings, history.timestamps, n_users=history.n_users, n_items=history.n_items
    )
    assert (items != history.items).any()
    changed = replace(stage, dataset=replace(stage.dataset, interactions=other))
    assert examine_choices_of_five(changed) == examine_choices_of_five(stage)


def test_chance_is_a_fifth_and_evidence_is_better_than_chance(findings):
    top = {each.scorer: each for each in findings.records if each.task == TASK and each.metric == "top-1"}
    loss = {each.scorer: each for each in findings.records if each.task == TASK and each.metric == "log loss"}
    assert top["random"].value == pytest.approx(0.2)
    assert loss["random"].value == pytest.approx(np.log(5))
    for scorer in ("evidence mind", "item kNN", "list reader"):
        assert top[scorer].low > 0.2
        assert loss[scorer].high < np.log(5)
    assert top["evidence mind"].verdict is not None
    assert top["list reader"].verdict is None
    assert top["list reader"].target.low == 0.7


def test_a_history_without_later_rows_has_no_scenes_and_zero_scenes_leave_the_task_out(stage):
    none = stage.config.choice.model_copy(update={"scenes": 0})
    assert examine_choices_of_five(replace(stage, config=stage.config.model_copy(update={"choice": none}))) == []
    history = stage.dataset.interactions
    still = replace(history, timestamps=np.zeros_like(history.timestamps))
    assert examine_choices_of_five(replace(stage, dataset=replace(stage.dataset, interactions=still))) == []
