"""Lists are fair, rules are chosen elsewhere, and scorers of known quality get the figures they must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import people_in_thirds
from groundlings.experiments.labs.fidelity import scorers as scorers_module
from groundlings.experiments.labs.fidelity.calibration import examine_calibration
from groundlings.experiments.labs.fidelity.config import ListsConfig
from groundlings.experiments.labs.fidelity.interaction import ask, ask_all, examine_interaction
from groundlings.experiments.labs.fidelity.lists import Lists, draw_lists
from groundlings.experiments.labs.fidelity.scorers import Scorer, always_yes, catalog_scorer
from groundlings.experiments.labs.fidelity.thresholds import MEASURES, choose_rule, list_auc, measure


@pytest.fixture(scope="module")
def lists(stage):
    return draw_lists(stage, stage.testers, "test")


def perfect(stage):
    return Scorer("perfect", "mind", {"as given": lambda users, items: _met_later(stage, users, items)})


def _met_later(stage, users, items):
    table = stage.held_out[users].toarray()
    return np.take_along_axis(table, np.where(items == NO_ITEM, 0, items).astype(int), axis=1)


def test_everybody_examined_is_of_the_test_third_and_nobody_else(stage):
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    assert set(thirds[stage.testers]) == {2}
    assert set(thirds[stage.tuners]) == {1}


def test_lists_hold_what_they_promise(stage, lists):
    known, later = stage.train.matrix.toarray() > 0, stage.held_out.toarray() > 0
    for (_, ratio), each in lists.items():
        for row, user in enumerate(each.users):
            real = each.items[row, each.positive[row]]
            others = each.items[row, each.listed[row] & ~each.positive[row]]
            assert later[user, real].all()
            assert not (known[user, others] | later[user, others]).any()
            assert len(set(real)) + len(set(others)) == each.listed[row].sum()
            assert len(others) == ratio * len(real) <= stage.config.lists.length


@pytest.mark.parametrize("negatives", ["uniform", "popularity-matched"])
def test_where_few_items_are_left_a_list_has_fewer_real_ones_and_the_ratio_holds(stage, negatives):
    """In a small shop people know nearly all products; lists of what is left would be another task."""
    few = replace(stage, config=stage.config.model_copy(update={"lists": ListsConfig(length=204, ratios=(43, 44))}))
    drawn = draw_lists(few, stage.testers, "test")
    for ratio in (43, 44):
        each = drawn[negatives, ratio]
        real, size = each.positive.sum(axis=1), each.listed.sum(axis=1)
        assert (size == (ratio + 1) * real).all()
        assert set(real) <= {0, 1, 2}
    assert 2 in drawn[negatives, 43].positive.sum(axis=1)


def test_whoever_has_an_empty_list_has_no_figure():
    items = np.array([[4, 5], [NO_ITEM, NO_ITEM]], dtype=np.int32)
    lists = Lists(np.array([0, 1]), items, np.array([[True, False], [False, False]]))
    for name in MEASURES:
        found = measure(name, np.array([[2.0, 1.0], [0.0, 0.0]]), lists, 1.5)
        np.testing.assert_array_equal(found, [1.0, np.nan])
        assert choose_rule(name, {"as given": np.array([[2.0, 1.0], [0.0, 0.0]])}, lists, None).threshold > -np.inf


def test_a_ratio_that_nobody_can_have_is_refused(stage):
    met = replace(stage.dataset, interactions=everything_met(stage))
    with pytest.raises(ConfigError, match=r"lists\.ratios: found 1, .* write smaller ratios"):
        draw_lists(replace(stage, dataset=met), stage.testers, "test")


def everything_met(stage):
    users, items = (each.ravel() for each in np.indices((stage.train.n_users, stage.train.n_items)))
    return Interactions.of(
        users, items.astype(np.int32), None, np.zeros(len(users), dtype=np.int64),
        n_users=stage.train.n_users, n_items=stage.train.n_items,
    )  # fmt: skip


def test_matched_lists_leave_popularity_at_chance_and_uniform_ones_do_not(stage, lists):
    counts = stage.train.item_counts.astype(float)
    scores = {task: counts[np.where(each.listed, each.items, 0)] for task, each in lists.items()}
    matched = np.nanmean(list_auc(scores["popularity-matched", 1], lists["popularity-matched", 1]))
    uniform = np.nanmean(list_auc(scores["uniform", 1], lists["uniform", 1]))
    assert matched == pytest.approx(0.5, abs=0.06)
    assert uniform > matched + 0.05


def test_the_perfect_scorer_is_perfect_and_yes_has_its_known_f1(stage):
    scorers = [always_yes(), perfect(stage)]
    records = examine_interaction(ask_all(stage, scorers), scorers)
    for record in records:
        if record.scorer == "perfect":
            assert record.value == pytest.approx(1.0)
            gap = record.baseline
            differ = gap.high - gap.low > 1e-12
            assert record.holds == differ, "where no person differs from another, nothing is claimed"
    found = {(each.task, each.metric): each.value for each in records if each.scorer == "say yes"}
    assert found["uniform 1:1", "f1"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["uniform 1:1", "accuracy"] == pytest.approx(0.5, abs=1e-3)
    assert found["uniform 1:9", "auc"] == pytest.approx(0.5)


def test_a_scorer_of_some_people_is_measured_on_these(stage):
    def some(users, items):
        return np.where((users % 2 == 0)[:, None], _met_later(stage, users, items), np.nan)

    scorers = [always_yes(), Scorer("sample", "mind", {"as given": some})]
    records = [each for each in examine_interaction(ask_all(stage, scorers), scorers) if each.scorer == "sample"]
    assert {each.n for each in records} == {int((stage.testers % 2 == 0).sum())}
    assert all(each.value == pytest.approx(1.0) for each in records)


def test_a_scorer_of_some_people_goes_through_calibration_as_well(stage):
    def some(users, items):
        noise = np.random.default_rng(0).normal(0, 0.5, items.shape)
        return np.where((users % 2 == 0)[:, None], _met_later(stage, users, items) + noise, np.nan)

    scorers = [always_yes(), Scorer("sample", "mind", {"as given": some})]
    records, curves = examine_calibration(stage, ask_all(stage, scorers), scorers)
    own = [each for each in records if each.scorer == "sample"]
    assert {each.metric for each in own} == {"brier", "ece"}
    for each in own:
        assert each.n == int((stage.testers % 2 == 0).sum())
        assert each.low <= each.value <= each.high
    assert not any(np.isnan(curve.said).any() for curve in curves)


def test_no_rule_knows_what_testers_met_later(stage):
    """The rules stay the same when the held-out rows of the people examined are other ones."""
    test = stage.split.test
    of_testers = np.isin(test.users, stage.testers)
    items = np.where(of_testers, (test.items + 7) % test.n_items, test.items)
    other = Interactions.of(
        test.users, items, test.ratings, test.timestamps, n_users=test.n_users, n_items=test.n_items
    )
    changed = replace(stage, split=replace(stage.split, test=other))
    counts = stage.train.item_counts.astype(float)

    def rules(on):
        scorer = catalog_scorer("popularity", "trivial", lambda users: np.tile(counts, (len(users), 1)), on)
        return ask_all(on, [scorer]).rules

    assert rules(stage) == rules(changed)


def test_the_rank_scale_is_the_log_odds_of_a_share_of_unmet_items(stage):
    counts = stage.train.item_counts.astype(float)
    scorer = catalog_scorer("popularity", "trivial", lambda users: np.tile(counts, (len(users), 1)), stage)
    user = stage.testers[:1]
    unmet = np.flatnonzero(stage.train.matrix[user].toarray()[0] == 0)
    ranks = scorer.scales["rank"](user, unmet[None].astype(np.int32))[0]
    shares = 1 / (1 + np.exp(-ranks))
    assert shares.mean() == pytest.approx(0.5)
    assert (np.argsort(counts[unmet], kind="stable") == np.argsort(shares, kind="stable")).all()


def test_the_rank_of_alike_forgets_popularity_and_keeps_taste(stage, lists, monkeypatch):
    monkeypatch.setattr(scorers_module, "ALIKE", 6)
    counts = stage.train.item_counts.astype(float)
    own = np.random.default_rng(0).random((stage.train.n_users, stage.train.n_items))
    popular = catalog_scorer("popularity", "trivial", lambda users: np.tile(counts, (len(users), 1)), stage)
    personal = catalog_scorer("own", "mind", lambda users: own[users], stage)
    each = lists["uniform", 1]

    def auc(scorer, scale):
        return np.nanmean(list_auc(scorer.scales[scale](each.users, each.items), each))

    assert abs(auc(popular, "rank of alike") - 0.5) < abs(auc(popular, "rank") - 0.5) / 2
    ranks = personal.scales["rank of alike"](each.users, each.items)[each.listed]
    assert np.isfinite(ranks).all()
    values = own[each.users[:, None], np.where(each.listed, each.items, 0)][each.listed]
    assert np.corrcoef(ranks, values)[0, 1] > 0.8


def test_a_fixed_threshold_stays():
    lists = Lists(np.array([0]), np.array([[1, 2]], dtype=np.int32), np.array([[True, False]]))
    assert choose_rule("f1", {"a": np.array([[0.9, 0.1]])}, lists, 0.05).threshold == 0.05
    assert choose_rule("f1", {"a": np.array([[0.9, 0.1]])}, lists, None).threshold > 0.1


@pytest.mark.parametrize("name", ["f1", "accuracy"])
def test_no_threshold_that_is_tried_does_better_than_the_one_chosen(name):
    chance = np.random.default_rng(0)
    listed = chance.random((60, 12)) < 0.9
    listed[:, 0] = True
    items = np.where(listed, np.arange(12), NO_ITEM).astype(np.int32)
    lists = Lists(np.arange(60), items, listed & (chance.random((60, 12)) < 0.3))
    good, poor = lists.positive + chance.normal(size=(60, 12)), chance.normal(size=(60, 12)).round(1)
    good[4] = np.nan  # a person that the scorer was not asked about
    rule = choose_rule(name, {"poor": poor, "good": good}, lists, None)
    chosen = np.nanmean(measure(name, good, lists, rule.threshold))
    tried = np.quantile(good[listed & ~np.isnan(good)], np.linspace(0, 1, 400))
    assert rule.scale == "good"
    assert chosen == pytest.approx(max(np.nanmean(measure(name, good, lists, each)) for each in tried))


def test_scores_are_read_against_their_list():
    # One person finds everything a hundred times as likely as the other does: only against the list are they alike.
    level = np.array([0.0, np.log(100.0)])

    def judge(users, items):
        return np.where(items == NO_ITEM, -50.0, np.log1p(np.maximum(items, 0))) + level[:, None]

    users = np.array([3, 7])
    items = np.array([[1, 2, 3, NO_ITEM], [1, 2, 3, NO_ITEM]], dtype=np.int32)
    each = Lists(users, items, np.array([[True, False, False, False]] * 2))
    tables = ask(Scorer("made up", "trivial", {"as given": judge}), {("uniform", 1): each})["uniform", 1]
    share = tables["as given, share of the list"]
    assert np.allclose(np.exp(share[0, :3]), np.array([2, 3, 4]) / 9)
    for scale in ("as given, share of the list", "as given, less the list's mean"):
        assert np.allclose(tables[scale][0, :3], tables[scale][1, :3])
    assert not np.allclose(tables["as given"][0], tables["as given"][1])


def test_counted_by_hand():
    lists = Lists(
        np.array([0]), np.array([[4, 5, 6, 7, NO_ITEM]], dtype=np.int32), np.array([[True, True, False, False, False]])
    )
    scores = np.array([[0.9, 0.2, 0.5, 0.2, 9.0]])
    assert measure("f1", scores, lists, 0.4)[0] == pytest.approx(2 * 1 / (2 + 2))
    assert measure("accuracy", scores, lists, 0.4)[0] == pytest.approx(2 / 4)
    assert measure("auc", scores, lists, 0.4)[0] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
