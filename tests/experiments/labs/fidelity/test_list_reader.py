"""The list reader: it sees no places, no answers, and nobody twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.interaction import ask_all, examine_interaction
from groundlings.experiments.labs.fidelity.list_reader import (
    FOLDS,
    INGREDIENTS,
    READER,
    fit_trees,
    lay_out,
    read_lists,
    stage_features,
)
from groundlings.experiments.labs.fidelity.lists import Lists, draw_lists
from groundlings.experiments.labs.fidelity.scorers import always_yes
from groundlings.experiments.labs.fidelity.thresholds import list_auc


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    """Enough to see what they are given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("groundlings.experiments.labs.fidelity.list_reader.TREES", 40)
        yield


@pytest.fixture(scope="module")
def small(stage):
    """The toy with one kind of list only."""
    lists = stage.config.lists.model_copy(update={"ratios": (1,), "reader": True})
    return replace(stage, config=stage.config.model_copy(update={"lists": lists}))


@pytest.fixture(scope="module")
def read(small):
    scorers = [always_yes()]
    asked, readers = read_lists(small, ask_all(small, scorers))
    return asked, [*scorers, *readers]


@given(st.integers(0, 2**32 - 1), st.permutations(range(5)))
def test_a_place_in_the_list_carries_no_information_even_where_features_tie(seed, order):
    chance = np.random.default_rng(seed)
    items = np.array([[3, 1, 4, 0, NO_ITEM], [2, 0, 1, 3, 4]], dtype=np.int32)
    features = {
        name: np.where(items == NO_ITEM, 0, chance.integers(0, 3, 5)[items]).astype(np.float32)
        for name in ("appeal", "other")
    }
    vectors = chance.normal(size=(5, 2)).astype(np.float32)

    def table(places):
        lists = Lists(np.arange(2), items[:, places], np.zeros((2, 5), dtype=bool))
        return lay_out({name: each[:, places] for name, each in features.items()}, lists, vectors)

    listed = items[:, order] != NO_ITEM
    assert np.allclose(table(list(order))[listed], table(range(5))[:, order][listed], atol=1e-5)


def test_a_list_is_read_by_trees_that_have_not_seen_its_user():
    chance = np.random.default_rng(0)
    n, width = 60, 10
    lists = Lists(np.arange(n), np.zeros((n, width), dtype=np.int32), chance.random((n, width)) < 0.5)
    table = chance.normal(size=(n, width, 6)).astype(np.float32)  # says nothing of the labels
    trees = fit_trees([(table, lists)], np.arange(n) % FOLDS, seed=1)
    honest = np.nanmean(list_auc(trees.unseen(table, lists.listed, np.arange(n)), lists))
    assert honest == pytest.approx(0.5, abs=0.07)
    assert np.nanmean(list_auc(trees.score(table, lists.listed), lists)) > honest + 0.1


def test_the_rows_have_targets_and_no_verdict_and_those_with_less_are_given_for_uniform_lists(small, read):
    asked, scorers = read
    records = examine_interaction(asked, scorers)
    rows = {(each.scorer, each.task) for each in records if each.kind == "reader"}
    assert rows == {*((name, "uniform 1:1") for name in INGREDIENTS), (READER, "popularity-matched 1:1")}
    for each in records:
        if each.kind == "reader":
            assert each.holds is None
            assert each.baseline.scorer == "say yes"
    assert all(each.target for each in records if each.kind == "reader" and each.metric == "f1" and "unif" in each.task)


def test_what_testers_met_later_reaches_neither_trees_nor_thresholds(small, read):
    test = small.split.test
    of_testers = np.isin(test.users, small.testers)
    items = np.where(of_testers, (test.items + 7) % test.n_items, test.items)
    other = Interactions.of(
        test.users, items, test.ratings, test.timestamps, n_users=test.n_users, n_items=test.n_items
    )
    changed = replace(small, split=replace(small.split, test=other))
    asked = read_lists(changed, ask_all(changed, [always_yes()]))[0]
    assert asked.rules == read[0].rules
    task = ("uniform", 1)
    assert (
        asked.validation_scores[READER][task]["as read"] == read[0].validation_scores[READER][task]["as read"]
    ).all()


def test_features_of_a_user_do_not_depend_on_who_else_is_asked_about(small):
    lists = draw_lists(small, small.testers, "test")["uniform", 1]
    features = stage_features(small)
    together, alone = features.of(lists.users, lists.items), features.of(lists.users[3:4], lists.items[3:4])
    for name, column in together.items():
        assert np.allclose(column[3:4], alone[name], atol=1e-4), name
        assert np.isfinite(column).all(), name


def test_too_few_validation_users_give_no_such_row(small, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.labs.fidelity.list_reader.FEWEST_PEOPLE", 1000)
    asked = ask_all(small, [always_yes()])
    assert read_lists(small, asked) == (asked, [])
