"""The bench on a run: each estimator beside what really happened, and what cannot be said."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.cli.off_policy import off_policy
from groundlings.experiments.experiment import Experiment
from groundlings.experiments.labs.off_policy.bench import OWN_WORLD, try_estimators
from groundlings.experiments.labs.off_policy.estimators import ESTIMATORS
from groundlings.experiments.labs.off_policy.logged import first_sessions, logged_lists
from groundlings.experiments.running.as_it_ran import ended_log, plan_as_it_ran

LOG = {"recommender": "plackett_luce", "options": {"of": {"recommender": "popular"}, "temperature": 9.0}}
SECTIONS = {
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 12, "interactions_per_user": 4}},
    "seed": 3,
    "simulation": {"days": 1},
    "site": {"page_size": 2, "max_pages": 1},
    "mind": {"kind": "behavioural", "random_click_rate": 0.3},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("off_policy") / "run"
    arms = {"popular": "popular", "log": LOG, "random": "random_order"}
    Experiment(arms=arms, **SECTIONS).run(place)
    return place


@pytest.fixture(scope="module")
def findings(run):
    return try_estimators(run, groups=5)


def test_every_estimator_stands_beside_the_policys_own_world(findings):
    assert findings.logging == "log", "the first arm that draws lots and knows its chances"
    assert (findings.users, findings.per_group) == (40, 8)
    assert {(row.policy, row.estimator) for row in findings.rows} == {
        ("popular", name) for name in (*ESTIMATORS, OWN_WORLD)
    }
    assert list(findings.left_out) == ["random"]
    assert findings.left_out["random"].startswith("the chances of its lists are not known; ")
    assert len({row.truth for row in findings.rows}) == 1
    assert 0 < findings.effective["popular"] < 40
    assert findings.ranking()[0][0] != "ips"
    assert len(findings.frame()) == len(findings.rows)


def test_an_estimator_without_a_figure_of_a_policy_is_not_ranked_by_the_easier_ones(findings):
    (one, *_), (other, *_) = ([row for row in findings.rows if row.estimator == name] for name in ("ips", "snips"))
    near, far = replace(one, truth=1.0, rmse=0.2), replace(one, truth=1.0, rmse=0.4, policy="other")
    lucky, unknown = replace(other, truth=1.0, rmse=0.1), replace(other, truth=1.0, rmse=np.nan, policy="other")
    ranked = replace(findings, rows=(near, far, lucky, unknown)).ranking()
    assert ranked == [("ips", pytest.approx(0.3), 2), ("snips", 0.1, 1)]


def test_the_truth_is_what_the_policys_world_expects(findings, run):
    from groundlings.experiments.experiment import open_run

    impressions = open_run(run).impressions()
    popular = impressions[impressions.arm == "popular"]
    assert findings.rows[0].truth == pytest.approx(popular.p_click.sum() / 40)
    own = next(row for row in findings.rows if row.estimator == OWN_WORLD)
    assert own.estimate == pytest.approx(popular.clicked.sum() / 40)
    trivial = next(row for row in findings.rows if row.estimator == "on_policy")
    assert trivial.estimate == pytest.approx(impressions[impressions.arm == "log"].clicked.sum() / 40)


def test_a_user_with_a_lost_page_is_left_out_and_counts_as_no_zero(run, findings, tmp_path):
    """A model's reply that cannot be read leaves a page of which nothing is known, in the log or in the truth."""
    shutil.copytree(run, tmp_path / "run")
    page = (
        "UPDATE impressions SET clicked = NULL, p_click = NULL, rating = NULL WHERE session_id IN (SELECT session_id "
        "FROM sessions JOIN arms USING (arm_id) WHERE arms.name = ? AND agent_id IN (SELECT agent_id FROM agents "
        "ORDER BY agent_id LIMIT ?))"
    )
    with sqlite3.connect(tmp_path / "run/log.db") as log:
        log.execute(page, ("popular", 2))
        log.execute(page, ("log", 3))
    found = try_estimators(tmp_path / "run", groups=5)
    assert (found.users, found.unknown) == (37, 3)
    (truth,) = {row.truth for row in found.rows}
    assert truth == pytest.approx(findings.rows[0].truth, rel=0.3)
    assert all(row.estimate == row.estimate for row in found.rows)
    with sqlite3.connect(tmp_path / "run/log.db") as log:
        log.execute(page, ("popular", 40))
    with pytest.raises(ConfigError, match="of every user an outcome of the first session is not known"):
        try_estimators(tmp_path / "run", groups=5)


def test_a_second_session_of_the_first_day_is_no_part_of_any_figure(run, findings, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run/log.db") as log:
        log.execute("CREATE TEMP TABLE again AS SELECT * FROM sessions")
        log.execute("UPDATE again SET session_id = session_id + 1000, sim_time = sim_time + 3600")
        log.execute("INSERT INTO sessions SELECT * FROM again")
        log.execute("CREATE TEMP TABLE shown AS SELECT * FROM impressions")
        log.execute(
            "UPDATE shown SET session_id = session_id + 1000, impression_id = impression_id + 9000, clicked = 1"
        )
        log.execute("INSERT INTO impressions SELECT * FROM shown")
    found = try_estimators(tmp_path / "run", groups=5)
    assert [(row.truth, row.estimate) for row in found.rows] == [(row.truth, row.estimate) for row in findings.rows]


def test_a_run_whose_first_day_began_with_a_change_is_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run/log.db") as log:
        log.execute(
            "INSERT INTO interventions (arm_id, day, kind, detail, origin, place) "
            "VALUES (2, 0, 'withdraw', '{\"items\": [\"i1\"]}', 'file', 0)"
        )
    with pytest.raises(ConfigError, match="interventions: found withdraw in arm log on day 1"):
        try_estimators(tmp_path / "run", groups=5)


def test_policies_are_asked_for_no_item_that_is_sold_out_on_the_first_day(run):
    plan = plan_as_it_ran(run)
    offers = vars(plan)["first_offers"] = SimpleNamespace(sold_out=np.arange(12) == 7)
    with ended_log(run) as log:
        impressions, _ = first_sessions(log)
    asked = logged_lists(plan, impressions, "log").request()
    assert asked.offers is offers
    assert (asked.seen.toarray()[:, 7] > 0).all()


@pytest.mark.parametrize(
    ("then", "now", "complaint"),
    [
        ("n_items: 12", "n_items: 13", r"config\.dataset\.toy\.n_items: 12 when it began, 13 now; data: "),
        ("temperature: 9.0", "temperature: 1.0", r"config\.arms\.1\.options\.temperature: 9.0 when it began, 1.0 now"),
        ("", "UPDATE runs SET status = 'interrupted'", "the run is interrupted.*finish it with"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_ran_is_refused(run, tmp_path, then, now, complaint):
    shutil.copytree(run, tmp_path / "run")
    file = tmp_path / "run" / "config.yaml"
    if then:
        file.write_text(file.read_text().replace(then, now))
    else:
        with sqlite3.connect(tmp_path / "run" / "log.db") as log:
            log.execute(now)
    with pytest.raises(RunDirectoryError, match=complaint):
        try_estimators(tmp_path / "run", groups=5)


def test_what_has_no_figure_is_null_in_json(findings):
    rows = tuple(replace(row, rmse=float("nan")) for row in findings.rows)
    written = replace(findings, rows=rows).as_dict()
    assert {row["rmse"] for row in written["rows"]} == {None}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"logging": "popular"}, "all of its propensities are 1"),
        ({"logging": "nobody"}, "arm nobody: found no such arm that can log; expected one of popular, log, random"),
        (
            {"logging": "random"},
            "^arm random, which logs: the chances of its lists are not known; expected",
        ),
        ({"groups": 1}, "groups: found 1; expected 2 to 40"),
        ({"groups": 41}, "groups: found 41; expected 2 to 40"),
    ],
)
def test_what_cannot_be_tried_is_refused(run, given, complaint):
    with pytest.raises(ConfigError, match=complaint):
        try_estimators(run, **given)


def test_the_command_prints_a_table_and_writes_the_figures(run, tmp_path):
    alone = typer.Typer()
    alone.command()(off_policy)
    outcome = CliRunner().invoke(alone, [str(run), "--groups", "5", "--json", str(tmp_path / "f.json")])
    assert outcome.exit_code == 0, outcome.output
    assert "popular: truth" in outcome.output
    assert "left out random" in outcome.output
    assert json.loads((tmp_path / "f.json").read_text())["logging"] == "log"
