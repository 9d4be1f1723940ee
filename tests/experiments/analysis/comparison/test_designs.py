"""Split and interleaved experiments from the YAML to the verdict."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.comparison.pilot import _split_sd, run_pilot
from groundlings.experiments.analysis.comparison.preference import preference
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report import render_summary_table
from groundlings.experiments.analysis.report.page import write_report
from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.designs import assigned_arms
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter

ARMS = [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}]
TWINS = [ARMS[0], {"name": "popular again", "recommender": "popular"}]
PLAN = {"primary": "likes_per_session", "guardrails": {"satisfaction": 0.5}}


@pytest.fixture(scope="module", autouse=True)
def _commands():
    cli._mount()


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """A report takes longer than these runs; the test that reads one writes it itself."""
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)


@pytest.fixture
def configured(tmp_path):
    def configure(people=150, days=2, items=60, **changes):
        content = {
            "name": "designed", "seed": 3, "mind": "behavioural", "arms": ARMS, "simulation": {"days": days},
            "dataset": {"name": "toy", "toy": {"n_users": people, "n_items": items, "interactions_per_user": 12}},
            **changes,
        }  # fmt: skip
        path = tmp_path / "designed.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    return configure


@pytest.fixture
def ran(configured, tmp_path):
    def run(**changes):
        directory = tmp_path / "run"
        return directory, run_experiment(configured(**changes), directory)

    return run


def sessions(directory, arm):
    query = "SELECT agent_id, day FROM sessions JOIN arms USING (arm_id) WHERE name = ?"
    with sqlite3.connect(directory / "log.db") as log:
        return set(log.execute(query, (arm,)).fetchall())


def test_shares_hold_and_a_smaller_population_keeps_its_arms():
    ids = [f"u{n}" for n in range(4000)]
    home = assigned_arms(7, ids, (0.2, 0.5, 0.3))
    counts = np.bincount(home) / 4000
    assert counts == pytest.approx([0.2, 0.5, 0.3], abs=0.03)
    assert np.array_equal(home[:100], assigned_arms(7, ids[:100], (0.2, 0.5, 0.3)))
    assert not np.array_equal(home, assigned_arms(8, ids, (0.2, 0.5, 0.3)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"design": {"kind": "split", "shares": {"popular": 1}}}, "each arm its part"),
        ({"design": {"kind": "split", "shares": {"popular": 1, "knm": 1}}}, "no arm is called knm"),
        ({"design": {"kind": "split", "logs": "own"}}, "did you mean 'log'"),
        ({"design": "split", "arms": ARMS[:1]}, "found 1 arm"),
        ({"design": "interleaving", "arms": ARMS[:1]}, "exactly two arms"),
        ({"design": "interleaving", "plan": PLAN}, "no effect on a metric"),
        ({"design": "interleaving", "arms": [ARMS[0], {**ARMS[1], "history": "none"}]}, "same `history`"),
    ],
)
def test_a_design_that_does_not_fit_is_refused(configured, changes, said):
    with pytest.raises(ConfigError, match=said):
        configured(**changes)


def test_files_from_before_there_were_designs_keep_their_hash(configured):
    assert config_hash(configured()) == config_hash(configured(design={"kind": "parallel"}))
    assert config_hash(configured()) != config_hash(configured(design="split"))
    assert config_hash(configured()) != config_hash(configured(arms=[ARMS[0], {**ARMS[1], "history": "none"}]))


def test_every_agent_lives_in_one_arm_and_the_verdict_is_welchs(ran):
    directory, outcome = ran(design={"kind": "split", "shares": {"popular": 1, "knn": 2}}, plan=PLAN)
    here = [{agent for agent, _ in sessions(directory, arm)} for arm in ("popular", "knn")]
    assert not here[0] & here[1]
    assert len(here[0] | here[1]) == 150
    assert 0.5 < len(here[1]) / 150 < 0.83
    found = compare_run(directory, LogReader(directory))
    assert all(check.status == "passed" for check in found.checks if not check.name.startswith("A/A"))
    (knn,) = found.arms
    assert knn.harm is None, "nobody lived in both arms"
    assert "Welch" in knn.headline.interval
    summary = outcome.summary.arms[1].differences["likes_per_session"]
    assert knn.headline.effect.difference == pytest.approx(summary.difference)
    assert knn.headline.effect.n == 150
    assert json.loads(json.dumps(found.as_dict(), default=str))["design"]["kind"] == "split"
    assert "every agent lived in one arm" in " ".join(shown(found).split())


def printed(summary):
    console = Console(record=True, width=200)
    console.print(render_summary_table(summary))
    return console.export_text()


def shown(found):
    console = Console(record=True, width=200)
    print_verdict(found, console)
    return console.export_text()


def test_an_agent_of_another_arm_is_noticed(ran):
    directory, _ = ran(design="split")
    with sqlite3.connect(directory / "log.db") as log:
        log.execute("UPDATE sessions SET arm_id = 3 - arm_id WHERE session_id = 1")
    found = compare_run(directory, LogReader(directory))
    (assigned,) = [check for check in found.checks if "assigned" in check.name]
    assert (assigned.status, found.arms[0].word) == ("failed", "not supported")


def clicks_of_day(directory, day):
    """Who clicked what on a day, in each arm: the agents' and the items' ids in the data, sorted."""
    query = """SELECT arms.name, source_user_id, source_item_id FROM impressions JOIN sessions USING (session_id)
               JOIN arms USING (arm_id) JOIN agents USING (agent_id) JOIN items USING (item_id)
               WHERE clicked AND day = ?"""
    with sqlite3.connect(directory / "log.db") as log:
        rows = log.execute(query, (day,)).fetchall()
    return {arm: sorted((user, item) for name, user, item in rows if name == arm) for arm in ("popular", "knn")}


@pytest.mark.parametrize("log", ["own", "shared"])
def test_a_shared_log_lets_each_arm_learn_from_the_others_people_and_an_own_log_does_not(ran, monkeypatch, log):
    learnt = {"popular": [], "knn": []}
    for arm, kind in (("popular", PopularRecommender), ("knn", ItemKnnRecommender)):
        monkeypatch.setattr(kind, "fit", _noting(kind.fit, learnt[arm]))
    directory, _ = ran(design={"kind": "split", "log": log}, days=2)
    clicks = clicks_of_day(directory, 0)
    for arm, (before, after) in learnt.items():
        assert before == []
        assert clicks[arm]
        assert after == (clicks[arm] if log == "own" else sorted(clicks["popular"] + clicks["knn"]))


def _noting(fit, learnt):
    """`Recommender.fit` that notes the simulated interactions it is given, by ids in the data."""

    def fitted(self, interactions, catalog):
        simulated = interactions.take(interactions.synthetic)
        pairs = zip(simulated.users.tolist(), simulated.items.tolist(), strict=True)
        learnt.append(sorted((f"u{user + 1}", catalog.item_ids[item]) for user, item in pairs))
        fit(self, interactions, catalog)

    return fitted


def test_a_shared_log_changes_lists_from_the_second_day_on(ran, configured, tmp_path):
    own, _ = ran(design={"kind": "split", "log": "own"}, days=3)
    run_experiment(configured(design={"kind": "split", "log": "shared"}, days=3), tmp_path / "shared")
    query = """SELECT arms.name, day, agent_id, rank, item_id
               FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id)"""
    days = []
    for directory in (own, tmp_path / "shared"):
        with sqlite3.connect(directory / "log.db") as log:
            rows = log.execute(query).fetchall()
        days.append([{row for row in rows if row[1] == day} for day in range(3)])
    assert days[0][0] == days[1][0], "nobody has learnt anything on the first day"
    assert days[0][1] != days[1][1]


@pytest.fixture(scope="module")
def uninterrupted():
    """Filled by whoever needs it first: design -> digest of a run that nobody interrupted."""
    return {}


@pytest.mark.parametrize(
    ("design", "stop"),
    [
        ({"kind": "split", "log": "shared"}, 2),
        ({"kind": "split", "log": "shared"}, 3),
        ({"kind": "split"}, 3),
        ("interleaving", 2),
    ],
)
def test_an_interrupted_run_of_any_design_ends_like_an_uninterrupted_one(
    configured, tmp_path, monkeypatch, uninterrupted, design, stop
):
    config = configured(design=design, days=3, people=40)
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == stop:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(config, tmp_path / "cut")
    if str(design) not in uninterrupted:
        uninterrupted[str(design)] = run_experiment(config, tmp_path / "whole").digest
    assert resume_experiment(tmp_path / "cut").digest == uninterrupted[str(design)]


def test_interleaving_prefers_what_is_better_and_calls_itself_a_screen(ran, tmp_path, blank_pictures):
    directory, outcome = ran(
        design="interleaving", people=200, mind={"kind": "behavioural", "utility": "met"},
        arms=[{"name": "worst", "recommender": "anti_oracle"}, {"name": "best", "recommender": "oracle"}],
    )  # fmt: skip
    assert [arm.name for arm in outcome.summary.arms] == ["interleaved"]
    found = compare_run(directory, LogReader(directory))
    assert found.arms == ()
    assert found.preference.clear
    assert found.preference.share.low > 0.5
    assert found.preference.credit.low > 0.5
    assert found.preference.shown == pytest.approx(0.5, abs=0.01)
    text = " ".join(shown(found).split())
    assert "best is preferred" in text
    assert "not an effect" in text
    page = write_report(directory, LogReader(directory), outcome.summary).read_text()
    assert 'class="preference"' in page and "open more of best" in page and 'id="h-metrics"' not in page  # noqa: PT018
    assert "<b>best is preferred:</b>" in page
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert re.findall(r"[^.]* (?:than|to|against) interleaved\b", said) == [], (
        "there is nothing to hold the one arm against"
    )
    assert "difference to" not in " ".join(printed(outcome.summary).split())
    export_run(directory, "parquet", tmp_path / "out")
    shows = CliRunner().invoke(cli.app, ["runs", "show", str(directory)])
    assert "interleaved" in shows.output
    with sqlite3.connect(directory / "log.db") as log:
        teams = Counter(dict(log.execute("SELECT team_arm_id, count(*) FROM impressions GROUP BY team_arm_id")))
    assert set(teams) == {1, 2}


def test_two_teams_of_one_recommender_are_not_preferred_to_each_other(ran):
    directory, _ = ran(design="interleaving", people=200, arms=TWINS)
    found = compare_run(directory, LogReader(directory)).preference
    assert found.share.low < 0.5 < found.share.high
    assert found.p_value > 0.05


def test_the_preference_of_agents_is_counted_by_heads():
    found = preference(np.array([5.0, 2, 0, 1]), np.array([1.0, 1, 0, 2]))
    assert (found.prefer_arm, found.prefer_neither, found.prefer_baseline) == (2, 1, 1)
    assert found.share.mean == pytest.approx((2 + 0.5) / 4)
    assert found.credit.mean == pytest.approx(8 / 12)


def test_arms_that_do_the_same_are_called_identical_and_pass_as_a_a(ran):
    arms = [
        {"name": "knn", "recommender": "item_knn"},
        {"name": "degraded by nothing", "recommender": "degraded",
         "options": {"of": {"recommender": "item_knn"}, "share": 0.0}},
        {"name": "degraded", "recommender": "degraded", "options": {"of": {"recommender": "item_knn"}, "share": 0.5}},
    ]  # fmt: skip
    directory, _ = ran(arms=arms, plan=PLAN, items=200)
    found = compare_run(directory, LogReader(directory))
    same, other = found.arms
    assert same.headline.identical
    assert not other.headline.identical
    assert (same.headline.effect.difference, same.word) == (0.0, "not supported")
    assert same.reasons[0].startswith("identical arms")
    (twins,) = [check for check in found.checks if check.name.startswith("A/A")]
    assert twins.status == "passed"
    assert "an effect of 0.00 or more" not in shown(found)


def test_a_recommender_may_start_cold_and_then_learns(ran):
    arms = [{"name": "warm", "recommender": "popular"}, {"name": "cold", "recommender": "popular", "history": "none"}]
    directory, _ = ran(arms=arms, days=3)
    outcomes = read_outcomes(LogReader(directory))
    assert outcomes.arms[0].policy != outcomes.arms[1].policy
    query = """SELECT day, count(*) FROM sessions JOIN impressions USING (session_id) JOIN arms USING (arm_id)
               WHERE name = ? AND rank = 0 AND item_id = (SELECT min(item_id) FROM items) GROUP BY day"""
    with sqlite3.connect(directory / "log.db") as log:
        seen_before = log.execute(
            "SELECT count(*) FROM (SELECT agent_id, item_id FROM impressions JOIN sessions USING (session_id) "
            "WHERE clicked GROUP BY arm_id, agent_id, item_id HAVING count(*) > 1)"
        ).fetchone()
        first_item = {name: dict(log.execute(query, (name,)).fetchall()) for name in ("warm", "cold")}
    assert seen_before == (0,), "nobody opens an item twice, cold or not"
    # Who knows nothing ranks by item number: the first item stands first for whoever has not met it.
    assert first_item["cold"].get(0, 0) > first_item["warm"].get(0, 0)
    assert first_item["cold"].get(2, 0) < first_item["cold"][0]


def test_a_pilot_plans_a_split_test_with_more_people_than_a_paired_one(configured):
    mind, plan = {"kind": "behavioural", "random_click_rate": 0.05, "patience": 1}, {"primary": "view_ratio"}
    paired, split = (
        run_pilot(configured(design=design, plan=plan, mind=mind), people=100) for design in ("parallel", "split")
    )
    few = run_pilot(configured(people=20, days=1, items=20, mind="scripted"), people=20)
    assert (paired.in_place_of, few.in_place_of) == (None, "scripted")
    assert split.needs[0].sd > 1.5 * paired.needs[0].sd
    assert split.needs[0].agents > paired.needs[0].agents
    assert _split_sd(np.r_[0.0:9.0, [np.nan] * 9], np.arange(18.0), None, (1.0, 1e9)) == pytest.approx(
        np.sqrt(2 * np.var(np.arange(9.0), ddof=1))
    ), "half of the arm's people have no value, so it takes twice as many"
    with pytest.raises(ConfigError, match="no power to plan"):
        run_pilot(configured(design="interleaving"), people=100)
    arms = [{"name": "first", "recommender": "popular"}, {"name": "other draws", "recommender": "random_order"}]
    with pytest.raises(ConfigError, match="arms: found one named 'other draws'"):
        run_pilot(configured(arms=arms), people=100)


def test_paired_is_the_estimator_of_parallel_worlds(ran):
    directory, _ = ran()
    assert isinstance(read_outcomes(LogReader(directory)).estimator, Paired)


def test_a_plan_may_use_the_control_variate_where_the_log_tells_p_click(ran, tmp_path):
    directory, _ = ran(people=300, items=120, plan={"primary": "view_ratio", "take_out_luck": True})
    narrow = compare_run(directory, LogReader(directory))
    (gap,) = (arm.differences for arm in summarise(LogReader(directory)).arms[1:])
    assert gap["view_ratio"] == narrow.arms[0].headline.effect, "the summary tells the effect of the verdict"
    assert narrow.baseline_mean == summarise(LogReader(directory)).baseline.metrics["view_ratio"].mean
    with sqlite3.connect(directory / "log.db") as log:
        config = json.loads(log.execute("SELECT config FROM runs").fetchone()[0])
        config["plan"]["take_out_luck"] = False
        log.execute("UPDATE runs SET config = ?", (json.dumps(config),))
    wide = compare_run(directory, LogReader(directory))
    effects = [found.arms[0].headline.effect for found in (narrow, wide)]
    assert effects[0].standard_error < 0.9 * effects[1].standard_error
    assert abs(effects[0].difference - effects[1].difference) < 2 * effects[1].standard_error
    assert "adjusted by a control variate" in " ".join(shown(narrow).split())


def test_there_is_no_control_variate_for_what_a_script_decides(configured):
    with pytest.raises(ConfigError, match=r"states no P\(click\)"):
        configured(mind={"kind": "scripted"}, plan={"primary": "view_ratio", "take_out_luck": True})
