"""Why arms differ: parts that add up, planted causes that are found, and every design and mind that a run may have."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from planted_log import LIKED, Cause, plant

import groundlings as gl
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.metrics import METRICS, summarise
from groundlings.experiments.analysis.report import write_report
from groundlings.experiments.analysis.report.why_sentences import arm_sentence, sampled
from groundlings.experiments.analysis.why import explain
from groundlings.experiments.analysis.why.shapley import shapley
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("blank_pictures")

FACTORS = st.integers(1, 5).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, (n, 3), elements=st.floats(0, 10)) for _ in range(2)))
)


def why_of(directory, primary="likes_per_session", **how):
    """Why the arms of a run differ on a metric, and the comparison that it explains."""
    with LogReader(directory) as log:
        first = [metric for metric in METRICS if metric.name == primary]
        outcomes = read_outcomes(log, [*first, *(metric for metric in METRICS if metric.name != primary)])
        comparison = compare_outcomes(outcomes, None)
        return explain(log, outcomes, comparison, **how), comparison


@pytest.fixture(scope="module")
def planted(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(small_run / "log.db", folder)
    plant(folder / "log.db")
    return folder


@pytest.fixture(scope="module")
def found(planted):
    return why_of(planted)[0]


@given(FACTORS)
def test_shares_of_a_difference_of_products_add_up_to_it(sides):
    ours, theirs = sides
    shares = shapley(ours, theirs)
    gap = np.prod(ours, axis=0).sum() - np.prod(theirs, axis=0).sum()
    assert shares.sum() == pytest.approx(gap, rel=1e-9, abs=1e-6)
    assert shapley(theirs, ours) == pytest.approx(-shares, rel=1e-9, abs=1e-6)


@given(FACTORS, st.integers(0, 4))
def test_a_factor_that_alone_differs_carries_the_whole_difference(sides, place):
    ours, theirs = sides
    place %= len(ours)
    only = theirs.copy()
    only[place] = ours[place]
    shares = shapley(only, theirs)
    assert np.delete(shares, place) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("primary", ["likes_per_session", "view_ratio"])
def test_the_parts_of_an_effect_add_up_to_the_effect_of_the_verdict(small_run, primary):
    """Also where pages are lost, agents never rate, and sessions of one agent are of different number."""
    why, comparison = why_of(small_run, primary)
    assert why.effect.target.metric == primary
    effects = {arm.name: arm.headline.effect for arm in comparison.arms}
    for arm in why.effect.arms:
        assert sum(part.effect.mean for part in arm.parts) == pytest.approx(arm.effect.mean)
        for part in arm.parts:
            middle = (part.effect.low + part.effect.high) / 2
            assert middle == pytest.approx(part.effect.mean, abs=1e-12), "an effect has no bounds as a share has"
        if arm.name in effects:
            assert arm.effect.mean == pytest.approx(effects[arm.name].difference)
            assert arm.adjustment is None
            headline = effects[arm.name]
            assert (arm.effect.low, arm.effect.high) == (headline.low, headline.high), "one difference, one interval"
            assert arm.effect.low < arm.effect.mean < arm.effect.high
    assert why.effect.arms[0].baseline == pytest.approx(comparison.baseline_mean)


@pytest.mark.parametrize(("place", "cause"), [(1, "placement"), (2, "relevance"), (3, "length")])
def test_what_alone_was_changed_is_named_as_the_cause(found, place, cause):
    arm = found.effect.arms[place - 1]
    parts = {part.name: part.effect for part in arm.parts}
    assert arm.effect.low > 0
    assert parts[cause].mean == pytest.approx(arm.effect.mean, rel=0.2)
    assert parts[cause].low > 0
    for name, part in parts.items():
        assert name == cause or abs(part.mean) < 0.15 * arm.effect.mean, name
    said = arm_sentence(arm, found)
    words = {
        "placement": "what is opened stands more often where people look",
        "relevance": "its items are opened more often when looked at",
        "length": "sessions are longer",
    }
    assert f"is ahead of chance, mostly because {words[cause]} (+" in said
    assert "partly" not in said


def test_the_rates_of_the_funnel_multiply_to_what_a_session_brings(found, planted):
    assert [step.name for step in found.funnel.steps] == ["shown", "looked", "clicks", "likes"]
    with LogReader(planted) as log:
        rows, sessions = log.impressions(), log.sessions()
    number = sessions.groupby("arm").size()
    for arm, cells in found.funnel.arms.items():
        here = rows[rows.arm == arm]
        assert cells["shown"].per_session.mean == pytest.approx(len(here) / number[arm])
        assert cells["clicks"].rate.mean == pytest.approx(here.clicked.sum() / here.examined.sum())
        assert cells["likes"].rate.mean == pytest.approx((here.rating >= 4).sum() / here.clicked.sum())
        assert cells["likes"].rate.mean == pytest.approx(LIKED, abs=0.05)
        product = cells["shown"].per_session.mean * np.prod([cells[name].rate.mean for name in ("looked", "clicks")])
        assert product == pytest.approx(cells["clicks"].per_session.mean)
        assert found.funnel.sessions[arm] == number[arm]
    base, *others = found.funnel.arms.values()
    assert base["clicks"].rate_difference is None
    assert others[1]["clicks"].rate_difference.low > 0
    assert others[2]["clicks"].rate_difference.low < 0 < others[2]["clicks"].rate_difference.high


def test_an_items_part_is_what_it_adds_per_session_and_its_card_tells_to_whom_it_was_shown(found, planted):
    with LogReader(planted) as log:
        rows, sessions = log.impressions(), log.sessions()
    number = sessions.groupby("arm").size()
    base, other = list(found.funnel.arms)[:3:2]
    assert found.items.gained
    assert found.items.clear[other] > 0
    for card in found.items.gained:
        here = {arm: rows[(rows.arm == arm) & (rows.item_id == card.source_id)] for arm in (base, other)}
        likes = {arm: (each.rating >= 4).sum() / number[arm] for arm, each in here.items()}
        part = card.parts[other].effect
        assert part.mean == pytest.approx(likes[other] - likes[base])
        assert part.low < part.mean < part.high
        told = card.arms[other]
        assert told.shown == len(here[other])
        assert told.agents == here[other].user_id.nunique()
        assert told.rank == pytest.approx(here[other]["rank"].mean() + 1)
        assert told.opened.mean == pytest.approx(here[other].clicked.mean())
        assert told.stars == pytest.approx(here[other].rating.mean())
    assert not found.items.lost or found.items.lost[0].parts


def test_an_item_that_differs_by_chance_alone_is_not_called_clear(small_run, tmp_path):
    shutil.copy(small_run / "log.db", tmp_path)
    plant(tmp_path / "log.db", (Cause(), *(Cause(seed=seed) for seed in (1, 2, 3))), agents=120)
    alike, _ = why_of(tmp_path)
    assert sum(alike.items.clear.values()) <= 1
    shown = alike.items.items * len(alike.items.clear)
    assert len(alike.items.gained) + len(alike.items.lost) < 0.15 * shown


def test_arms_with_the_same_lists_overlap_wholly_and_random_lists_as_chance_has_it(found):
    base, same, *_ = found.overlap.arms
    assert found.overlap.by_session
    assert found.overlap.of(same, base).mean == 1.0, "another order of the same items is the same page"
    floor = found.overlap.floor(base, same)
    assert found.overlap.alone[base].low < floor < found.overlap.alone[base].high, "pages of two agents are random here"


def test_page_flow_loses_nobody(found, planted):
    with LogReader(planted) as log:
        sessions = log.sessions()
    for arm, steps in found.flow.arms.items():
        pages = sessions[sessions.arm == arm].pages
        assert found.flow.sessions[arm] == len(pages)
        for step, following in zip_longest(steps, steps[1:]):
            on = 0.0 if following is None else following.reached.mean
            assert step.reached.mean == pytest.approx((pages >= step.page).mean())
            assert step.reached.mean == pytest.approx(on + step.left + step.no_more + step.lost)
    longer = list(found.flow.arms.values())[3]
    assert all(step.difference.low > 0 for step in longer[:-1])
    assert longer[-1].no_more > 0


def test_what_only_the_adjusted_answer_tells_from_chance_does_not_contradict_it(found):
    unclear = replace(found.effect.arms[0], effect=Estimate(0.01, 0.02, -0.03, 0.05, 9, 0), parts=(), clear=None)
    assert arm_sentence(unclear, found).startswith(f"{unclear.name} cannot be told from chance on ")
    said = arm_sentence(replace(unclear, adjustment=0.04), found)
    assert said.startswith(f"As it happened, {unclear.name} cannot be told from chance on ")
    assert "; the answer, adjusted as planned, has +0.05" in said


def test_what_the_answer_does_not_call_clear_is_no_reason_to_call_an_arm_ahead(found):
    doubted = replace(found.effect.arms[0], effect=Estimate(0.01, 0.004, 0.001, 0.019, 9, 0), parts=(), clear=False)
    assert arm_sentence(doubted, found).startswith(f"{doubted.name} cannot be told from chance on ")
    assert arm_sentence(replace(doubted, clear=True), found).startswith(f"{doubted.name} is ahead of chance ")


def test_a_part_that_speaks_against_an_effect_is_told_although_none_explains_it(found):
    arm = found.effect.arms[1]
    whole = replace(arm.effect, mean=0.3, low=0.1, high=0.5)
    vague, against = replace(whole, mean=0.7, low=-0.2, high=1.6), replace(whole, mean=-0.4, low=-0.5, high=-0.3)
    parts = tuple(replace(part, effect=each) for part, each in zip(arm.parts, (vague, against), strict=False))
    said = arm_sentence(replace(arm, effect=whole, parts=parts, clear=True), found)
    assert "no single part that explains a tenth of it or more can be told from chance; against that, " in said
    alone = arm_sentence(replace(arm, effect=whole, parts=parts[:1], clear=True), found)
    assert alone.endswith("no single part of it can be told from chance.")


def test_a_clear_part_is_called_the_main_one_only_where_none_is_larger(found):
    arm = replace(found.effect.arms[1], clear=True, effect=Estimate(0.5, 0.1, 0.3, 0.7, 9, 0))
    sizes = Estimate(0.1, 0.02, 0.05, 0.15, 9, 0), Estimate(0.4, 0.2, -0.1, 0.9, 9, 0)
    clear, larger = (replace(part, effect=each) for part, each in zip(arm.parts, sizes, strict=False))
    assert ", above all because " in arm_sentence(replace(arm, parts=(clear,)), found)
    assert ", partly because " in arm_sentence(replace(arm, parts=(clear, larger)), found)


def test_an_arm_that_never_ran_has_no_figures_and_the_others_have_theirs(planted, tmp_path):
    shutil.copy(planted / "log.db", tmp_path)
    with sqlite3.connect(tmp_path / "log.db") as log:
        log.execute("DELETE FROM impressions WHERE session_id IN (SELECT session_id FROM sessions WHERE arm_id > 2)")
        log.execute("DELETE FROM sessions WHERE arm_id > 2")
    why, _ = why_of(tmp_path)
    ran, never, *_ = why.effect.arms
    assert ran.effect.low is not None
    assert never.effect.mean is None
    assert arm_sentence(never, why) == "again: n/a, nobody has a value in it and in chance."
    assert why.flow.arms["again"] == ()
    assert why.overlap.of("again", "chance").mean is None
    with LogReader(tmp_path) as log:
        page = write_report(tmp_path, log, summarise(log)).read_text()
    assert "again: n/a, nobody" in page
    assert 'aria-label="gained most, ' in page, "an item may gain in one arm and lose in another"


def test_a_large_run_is_read_in_part_and_says_so(planted):
    with LogReader(planted) as log:
        rows = log.impressions()
    part, _ = why_of(planted, most=-(-len(rows) // 4))
    assert part.every == 4
    assert part.agents == 60
    assert "of 60 agents, one in 4" in sampled(part)
    taken = rows[rows.user_id.str.removeprefix("p").astype(int) % 4 == 0]
    for arm, cells in part.funnel.arms.items():
        assert cells["shown"].per_session.mean == pytest.approx((taken.arm == arm).sum() / part.funnel.sessions[arm])
    for arm in part.effect.arms:
        assert sum(each.effect.mean for each in arm.parts) == pytest.approx(arm.effect.mean)
        assert arm.adjustment is None


def test_where_the_mind_does_not_say_what_it_looked_at_relevance_and_placement_are_one(planted, tmp_path):
    shutil.copy(planted / "log.db", tmp_path)
    with sqlite3.connect(tmp_path / "log.db") as log:
        log.execute("UPDATE impressions SET examined = NULL")
    silent, _ = why_of(tmp_path)
    assert [part.name for part in silent.effect.arms[0].parts] == ["length", "relevance", "likes"]
    assert "looked" not in silent.funnel.arms["chance"]
    assert silent.funnel.step("looked").missing
    assert "because its items are opened more often when shown" in arm_sentence(silent.effect.arms[1], silent)


def test_a_metric_that_counts_no_items_is_not_divided_and_likes_stand_in_for_it(small_run):
    why, _ = why_of(small_run, "exit_page")
    assert why.effect.target.metric == ""
    assert "exit page is no count of items" in why.effect.target.missing
    assert why.effect.target.label == "Items liked per session"
    likes, _ = why_of(small_run, "likes_per_session")
    assert [arm.effect.mean for arm in why.effect.arms] == pytest.approx([arm.effect.mean for arm in likes.effect.arms])


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    """Runs a small experiment; `changes` are arguments of `Experiment`."""

    def run(**changes):
        given = {
            "name": "toy", "seed": 3, "arms": {"popular": "popular", "knn": "item_knn"}, "held_out": False,
            "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 12}},
            "simulation": {"days": 1}, "mind": {"kind": "behavioural", "random_click_rate": 0.25},
        }  # fmt: skip
        return gl.Experiment(**{**given, **changes}).run(tmp_path_factory.mktemp("toy") / "run")

    return run


def adds_up(run):
    parts = run.why().set_index(["arm", "part"]).effect.unstack()
    assert parts.drop(columns="all").sum(axis=1).to_numpy() == pytest.approx(parts["all"].to_numpy())
    return parts["all"].to_dict()


def test_in_a_split_test_the_parts_are_of_two_groups_and_overlap_is_that_of_all_items(toy_run):
    run = toy_run(design="split", metrics=["likes_per_session", "view_ratio"])
    means = run.metrics().query("metric == 'likes_per_session'").set_index("arm").value
    assert adds_up(run)["knn"] == pytest.approx(means["knn"] - means["popular"])
    (pair,) = run.why("overlap").to_dict("records")
    shown = run.impressions().groupby("arm").item_id.agg(set)
    assert pair["overlap"] == pytest.approx(len(shown["knn"] & shown["popular"]) / len(shown["knn"] | shown["popular"]))
    assert 0 < pair["at_random"] <= 1
    funnel = run.why("funnel").set_index(["arm", "step"])
    assert funnel.loc[("knn", "clicks"), "rate_difference_low"] < funnel.loc[("knn", "clicks"), "rate_difference_high"]


def test_of_interleaved_lists_the_picks_of_each_arm_are_followed(toy_run):
    run = toy_run(design="interleaving")
    rows = run.impressions()
    funnel = run.why("funnel").set_index(["arm", "step"])
    number = len(run.sessions())
    for arm in ("popular", "knn"):
        assert funnel.loc[(arm, "shown"), "per_session"] == pytest.approx((rows.team == arm).sum() / number)
        clicks = rows.clicked.fillna(False)[rows.team == arm].sum()
        assert funnel.loc[(arm, "clicks"), "per_session"] == pytest.approx(clicks / number)
    adds_up(run)
    page = run.report.read_text()
    assert "Overlap of lists: n/a, the two arms drafted each list together" in page
    assert "a row is what became of one arm's picks" in page
    answer = page[page.index('id="answer"') : page.index('id="about"')]
    assert {name: f"{name}</span>" in answer for name in ("popular", "knn")} == {"popular": True, "knn": True}
    assert answer.count('class="lift-whisker"') == 2
    assert "shows what most users chose" in answer


def test_one_arm_alone_has_a_funnel_and_nothing_to_compare(toy_run):
    run = toy_run(arms={"popular": "popular"})
    assert run.why().empty
    assert set(run.why("funnel").step) == {"shown", "looked", "clicks", "likes"}
    assert run.why("items").empty
    page = run.report.read_text()
    assert "Where sessions go" in page
    assert "Items that made the difference" not in page


def test_in_a_shop_steps_lead_through_the_cart_and_money_is_divided(toy_run):
    toy = {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 12, "offers": True}}
    actions = ["click", "add_to_cart", "purchase", "quantity", "paid"]
    run = toy_run(dataset=toy, site={"actions": actions}, metrics=["revenue_per_session", "view_ratio"])
    funnel = run.why("funnel")
    steps = dict(zip(funnel.step, funnel.of, strict=True))
    assert list(steps) == ["shown", "looked", "clicks", "add_to_cart", "purchase"]
    assert steps["purchase"] == "add_to_cart"
    means = run.metrics().query("metric == 'revenue_per_session'").set_index("arm").value
    assert adds_up(run)["knn"] == pytest.approx(means["knn"] - means["popular"])
    assert "paid" in set(run.why().part)
    bought = run.events().query("kind == 'purchase'").groupby("arm").size()
    told = funnel[funnel.step == "purchase"].set_index("arm")
    assert (told.per_session * told.sessions).to_dict() == pytest.approx(bought.to_dict())
    page = run.report.read_text()
    assert "Bought of what is put in the cart" in page
    assert "price " in page


def test_a_purchase_without_a_price_leaves_money_undivided(shop_directory):
    run = gl.open_run(shop_directory)
    parts = run.why()
    assert set(parts.measured) == {"Items bought per session"}
    assert parts.why_not_primary.str.contains("purchases is not known").all()
    adds_up(run)


def own_run(folder, what, **columns):
    """A run on fifty users who each met twelve of forty items, by kinds of events."""
    rng = np.random.default_rng(1)
    items = np.concatenate([rng.permutation(40)[:12] for _ in range(50)])
    had = pd.DataFrame({"user": np.repeat([f"u{n:02}" for n in range(50)], 12), "item": items, "ts": range(600)})
    had.assign(what=what).to_csv(folder / "had.csv", index=False)
    named = pd.DataFrame({"item": range(40), "title": [f"Title {n}" for n in range(40)]})
    named.to_csv(folder / "items.csv", index=False)
    met = {"path": str(folder / "had.csv"), "user": "user", "item": "item", "timestamp": "ts", **columns}
    own = {"interactions": met, "items": {"path": str(folder / "items.csv"), "id": "item", "title": "title"}}
    experiment = gl.Experiment(
        dataset={"name": "own", "own": own}, arms={"popular": "popular", "chance": "random_order"}, seed=3,
        held_out=False, simulation={"days": 1},
    )  # fmt: skip
    return experiment.run(folder / "run")


def test_without_opinions_the_funnel_ends_where_items_are_opened_and_a_click_may_stand_for_a_purchase(tmp_path):
    run = own_run(tmp_path, "purchase", kinds="purchase")
    assert list(dict.fromkeys(run.why("funnel").step)) == ["shown", "looked", "clicks"]
    adds_up(run)
    assert "a click stands for “bought” in these data" in run.report.read_text()


def test_likes_and_dislikes_are_counted_as_they_are_said(tmp_path):
    run = own_run(tmp_path, np.where(np.arange(600) % 10 < 7, "like", "dislike"), kind="what")
    funnel = run.why("funnel").set_index(["arm", "step"])
    said = run.impressions().groupby("arm").rating.sum()
    for arm in ("popular", "chance"):
        assert funnel.loc[(arm, "likes"), "per_session"] == pytest.approx(said[arm] / (run.sessions().arm == arm).sum())


def test_an_unknown_table_is_refused(small_run):
    with pytest.raises(ConfigError, match="expected one of parts, funnel, items, overlap, pages"):
        gl.open_run(small_run).why("reasons")
