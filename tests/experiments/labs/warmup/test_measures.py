"""Casting, lists and claims, each on a case whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.labs.warmup.outcomes import SETTINGS, Outcome, item_shares
from groundlings.experiments.labs.warmup.records import Key, Ledger
from groundlings.experiments.labs.warmup.selection_quality import measure_selection
from groundlings.experiments.labs.warmup.sentences import claim_words
from groundlings.experiments.labs.warmup.user_selection import select_users


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), depth=st.integers(1, 6))
def test_shares_of_items_add_up_to_the_metric(seed, depth):
    rng = np.random.default_rng(seed)
    relevant = rng.random((7, 9)) < 0.3
    relevant[0] = True
    lists = np.argsort(rng.random((7, 9)), axis=1)[:, :depth].astype(np.int32)
    lists[1] = NO_ITEM
    whole = score_rankings(lists, sp.csr_array(relevant.astype(float)), depth)
    for metric, shares in item_shares(lists, relevant, depth).items():
        assert shares.sum() == pytest.approx(np.nanmean(whole.values[metric]))


def test_the_sum_of_the_selected_users_points_to_the_target_of_the_item():
    directions = np.eye(3)
    people = np.repeat(directions, 10, axis=0)
    chance = np.zeros((30, 2)) + 0.01
    chance[:10, 0] = 0.5
    chance[20:, 1] = 0.5
    chosen = select_users(people, chance, np.ones((30, 2), dtype=bool), 4)
    assert set(chosen[0].tolist()) <= set(range(10))
    assert set(chosen[1].tolist()) <= set(range(20, 30))


def test_whoever_is_not_interested_comes_after_whoever_is_likeliest_first():
    people = np.random.default_rng(0).normal(size=(12, 3))
    chance = np.linspace(0.1, 0.9, 12)[:, None]
    allowed = np.zeros((12, 1), dtype=bool)
    allowed[:2] = True
    assert set(select_users(people, chance, allowed, 4)[0].tolist()) == {0, 1, 11, 10}


def test_an_item_that_will_find_many_gets_a_cast_that_agrees():
    rng = np.random.default_rng(2)
    people = rng.normal(size=(400, 4))
    weak, strong = 0.02 * people[:, 0], 0.4 * people[:, 0]
    chosen = select_users(people, np.column_stack([weak, strong]), np.ones((400, 2), dtype=bool), 8)
    units = people / np.linalg.norm(people, axis=1, keepdims=True)
    agreement = np.linalg.norm(units[chosen].mean(axis=1), axis=1)
    assert agreement[1] > 2 * agreement[0]


def test_choosing_is_judged_against_the_pool():
    took = np.zeros((10, 2), dtype=bool)
    took[:2] = True
    inside = np.ones((10, 2), dtype=bool)
    perfect = np.where(took, 1.0, 0.0)
    right = measure_selection(np.array([[0, 1], [1, 0]]), took, inside, perfect)
    assert (right.enrichment, right.auc, right.items) == (pytest.approx(5), 1.0, 2)
    wrong = measure_selection(np.array([[8, 9], [8, 9]]), took, inside, -perfect)
    assert (wrong.enrichment, wrong.auc) == (0, 0)
    nobody = measure_selection(np.array([[0, 1], [1, 0]]), np.zeros((10, 2), dtype=bool), inside, None)
    assert (nobody.items, nobody.auc, nobody.enrichment) == (0, None, None)


def test_an_interval_over_items_ends_where_a_list_can_reach_no_more():
    ledger, key = planted({"audience": 0.8}, noise=0.5, n_items=3)
    (record,) = [each for each in ledger.records() if each.key == key]
    assert record.value < record.high == 1.0


def planted(gains: dict[str, float], seeds: int = 4, noise: float = 0.01, n_items: int = 30) -> tuple[Ledger, Key]:
    """A ledger in which each arm's value is known up to noise that all arms share."""
    ledger, new = Ledger(200), np.arange(n_items)
    for seed in range(seeds):
        shared = np.random.default_rng(seed).normal(1, noise, n_items) / n_items
        ledger.begin_seed(new)
        for arm, gain in gains.items():
            shares = {(setting, metric): shared * gain for setting in SETTINGS for metric in ("ndcg", "recall")}
            ledger.add_outcome(
                Outcome(shares, 0.0), {"arm": arm, "volume": 5, "recommender": "r", "how": "folded in"}, new
            )
    return ledger, Key("audience", 5, "cold", "ndcg", "r", "folded in")


def test_a_planted_lead_is_found_and_none_between_equal_arms():
    ledger, key = planted({"audience": 1.2, "random_n": 1.0, "twin": 1.2})
    lead = ledger.better(key, "random_n")
    assert lead.holds
    assert lead.value == pytest.approx(0.2, abs=0.01)
    assert lead.seeds_low < lead.value < lead.seeds_high
    assert not ledger.better(key, "twin").holds
    behind = Key("random_n", 5, "cold", "ndcg", "r", "folded in")
    assert not ledger.better(behind, "audience").holds


def test_a_figure_says_of_how_many_items_it_is_and_its_interval_ends_where_it_can_be():
    ledger, seen = Ledger(100), Key("audience", 5, "choice", "auc", "r", "folded in")
    for values in ((0.1, 9.0), (0.9, 1.0), (None, None)):
        ledger.begin_seed(np.arange(10))
        for metric, value in zip(("auc", "enrichment"), values, strict=True):
            if value is not None:
                ledger.add(replace(seen, metric=metric), value)
    auc, enrichment = ledger.records()
    assert (auc.n, auc.low, auc.high) == (20, 0, 1)
    assert enrichment.low == 0
    assert enrichment.high > 9


def test_the_gap_is_a_share_of_the_way():
    ledger, key = planted({"audience": 1.3, "random_n": 1.0, "oracle_n": 1.4})
    gap = ledger.closes_gap(key, "random_n", "oracle_n")
    assert gap.value == pytest.approx(0.75)
    assert gap.holds
    low, key = planted({"audience": 1.1, "random_n": 1.0, "oracle_n": 1.4})
    assert not low.closes_gap(key, "random_n", "oracle_n").holds


@pytest.mark.parametrize("oracle", [1.4, 1.2])
def test_of_no_gap_nothing_is_closed(oracle):
    """Real first users may be worth as much as random ones, or less; a share of that is no number."""
    ledger, key = planted({"audience": 1.1, "random_n": 1.4, "oracle_n": oracle})
    with np.errstate(all="raise"):
        gap = ledger.closes_gap(key, "random_n", "oracle_n")
    assert (gap.value, gap.items_low, gap.items_high, gap.holds) == (None, None, None, False)
    assert claim_words(gap).endswith("there is no clear gap from random users to real first users")


def test_one_new_item_per_seed_has_no_interval_over_items_and_no_claim():
    ledger, key = planted({"audience": 1.2, "random_n": 1.0, "oracle_n": 1.3}, n_items=1)
    lead, gap = ledger.better(key, "random_n"), ledger.closes_gap(key, "random_n", "oracle_n")
    assert lead.seeds_low > 0
    assert (lead.items_low, lead.holds, gap.value, gap.holds) == (None, False, None, False)


@pytest.mark.parametrize(("value", "holds"), [(1.0, True), (0.995, True), (0.97, False), (1.05, True)])
def test_a_loss_within_the_margin_is_none(value, holds):
    ledger, _ = planted({"audience": value, "none": 1.0})
    key = Key("audience", 5, "warm", "ndcg", "r", "folded in")
    claim = ledger.loses_nothing(key, "none", 0.01)
    assert claim.holds is holds
    if value > 1.01:
        assert claim.p_equivalence > 0.05, "a gain beyond the margin is no loss, and no equivalence either"
