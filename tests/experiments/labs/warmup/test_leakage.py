"""Nothing about a test can reach what is tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.content import measure_content
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.warmup.config import ColdConfig
from groundlings.experiments.labs.warmup.outcomes import Arena
from groundlings.experiments.labs.warmup.replicate import ARMS, CHOOSING, ORACLE, Bench, begin_trial
from groundlings.experiments.labs.warmup.splitting import split_cold
from groundlings.personas.taste.content import fit_content_taste


def pairs(rows: Interactions) -> set[tuple[int, int]]:
    return set(zip(rows.users.tolist(), rows.items.tolist(), strict=True))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    share=st.floats(0.05, 0.5),
    choose=st.sampled_from(["random", "newest"]),
    salt=st.sampled_from(["a", "b"]),
)
def test_the_parts_of_a_history_never_mix(dataset, seed, share, choose, salt):
    split = split_cold(dataset, ColdConfig(choose=choose, share=share), salt, np.random.default_rng(seed))
    unknown = set(split.new.tolist()) | set(split.hidden.tolist())
    assert not set(split.new.tolist()) & set(split.hidden.tolist())
    for known in (split.train, split.warm_test):
        assert not unknown & set(known.items.tolist())
    assert not pairs(split.train) & pairs(split.warm_test)
    panel, tested = set(split.panel.tolist()), set(split.tested.tolist())
    assert not panel & tested
    assert not panel & set(split.cold_test.users.tolist())
    assert not tested & set(split.early.users.tolist())
    possible = {(user, item) for user in panel for item in split.new.tolist()}
    assert not possible & pairs(split.cold_test), "whoever can be in a pool is in no test pair"


def test_a_new_item_is_the_same_to_everybody_whoever_met_it(config, dataset):
    """Give the interactions with new items to other users: nothing but the oracle may change."""
    content = measure_content(dataset.catalog)
    before = begin_trial(config, dataset, content, 0)
    rows = dataset.interactions
    users = rows.users.copy()
    about_new = np.flatnonzero(np.isin(rows.items, before.split.new))
    users[about_new] = np.random.default_rng(1).permutation(users[about_new])
    after = begin_trial(config, replace(dataset, interactions=replace(rows, users=users)), content, 0)
    np.testing.assert_array_equal(before.pools.inside, after.pools.inside)
    np.testing.assert_array_equal(before.chance, after.chance)
    np.testing.assert_array_equal(before.interested, after.interested)
    assert before.recommender.state() == after.recommender.state()
    for arm in CHOOSING:
        same = np.array_equal(before.choose(arm, 5), after.choose(arm, 5))
        assert same is (arm != ORACLE), arm


def test_everybody_who_is_chosen_is_of_the_panel_and_of_the_pool(trial):
    for arm in CHOOSING:
        chosen = trial.choose(arm, 5)
        assert all(len(set(people)) == 5 for people in chosen.tolist()), arm
        if arm != ORACLE:
            assert np.take_along_axis(trial.pools.inside, chosen.T, axis=0).all(), arm
        assert not set(trial.split.panel[chosen].ravel().tolist()) & set(trial.split.tested.tolist())


def test_every_arm_is_tested_on_the_same_rows(trial):
    bench = Bench(trial, trial.config.recommender, trial.recommender)
    perfect = {arm: bench.fold_in(trial.choose(arm, 5)) for arm in CHOOSING}
    assert set(perfect) <= set(ARMS)
    old = [outcome.shares["warm", "ndcg"] for outcome in perfect.values()]
    for other in old[1:]:
        np.testing.assert_array_equal(old[0], other, "folding in changes nothing about old items")


def test_synthetic_rows_are_marked_and_never_masked(trial):
    rows = trial.synthetic_rows(trial.choose("audience", 5))
    assert rows.synthetic.all()
    assert not trial.split.train.synthetic.any()
    # Even where tested people had synthetic rows, their lists of new items would hold every item.
    everybody = trial.fresh(trial.config.recommender)
    known = trial.split.train
    users = np.repeat(trial.split.tested, len(trial.split.new))
    items = np.tile(trial.split.new, len(trial.split.tested))
    extra = Interactions.of(
        users, items, None, np.zeros(len(users)), n_users=known.n_users, n_items=known.n_items, synthetic=True
    )
    everybody.fit(known.joined(extra), trial.dataset.catalog)
    scores = everybody.score(trial.split.tested)[:, trial.split.new]
    assert (trial.arena.new_lists(scores).items != NO_ITEM).all()


def test_the_audience_refuses_to_learn_from_what_it_is_to_judge(trial, dataset):
    with pytest.raises(DataError, match="training rows are about items that count as not yet met"):
        fit_content_taste(
            dataset.interactions, trial.content, trial.split.new, labels=trial.split.labels, hidden=trial.split.hidden,
            people=trial.split.panel, seed=1,
        )  # fmt: skip


def test_new_items_can_be_named(dataset):
    ids = dataset.catalog.item_ids[:3]
    split = split_cold(dataset, ColdConfig(choose="list", items=ids), "a", np.random.default_rng(0))
    assert [dataset.catalog.item_ids[item] for item in split.new] == list(ids)
    assert len(split.hidden) == 3
    wrong = ColdConfig(choose="list", items=(ids[0] + "x",))
    with pytest.raises(ConfigError, match=f"did you mean '{ids[0]}'"):
        split_cold(dataset, wrong, "a", np.random.default_rng(0))


def test_the_newest_are_the_newest(dataset):
    years = np.arange(len(dataset.catalog), dtype=np.float64)
    years[-3:] = np.nan
    aged = replace(dataset, catalog=replace(dataset.catalog, years=years))
    split = split_cold(aged, ColdConfig(choose="newest", share=0.1), "a", np.random.default_rng(0))
    cold = np.union1d(split.new, split.hidden)
    met = dataset.interactions.item_counts > 0
    others = np.setdiff1d(np.flatnonzero(met & ~np.isnan(years)), cold)
    assert years[cold].min() > years[others].max()


def test_items_without_years_are_no_newest_ones(dataset):
    unknown = replace(dataset, catalog=replace(dataset.catalog, years=np.full(len(dataset.catalog), np.nan)))
    with pytest.raises(ConfigError, match="newest takes 15 items by year, and 0 of 150 have one"):
        split_cold(unknown, ColdConfig(choose="newest", share=0.1), "a", np.random.default_rng(0))


@pytest.mark.parametrize(("part", "name"), [("cold_test", "a new item"), ("warm_test", "an old item")])
def test_a_list_of_which_nothing_is_known_is_not_worth_zero(trial, part, name):
    nobody = replace(trial.split, **{part: getattr(trial.split, part).take(np.zeros(0, dtype=np.int64))})
    with pytest.raises(DataError, match=f"no tested user has a held-out interaction with {name}"):
        Arena(nobody, 5, np.random.default_rng(0))
