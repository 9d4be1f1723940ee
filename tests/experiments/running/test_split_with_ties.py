"""A split of agents with ties: clusters share an arm, the log says who lives where, and `compare` what ties carry."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.estimators import Split
from groundlings.experiments.analysis.comparison.pilot import run_pilot
from groundlings.experiments.analysis.comparison.split import cluster_values
from groundlings.experiments.analysis.report.social_sentences import spillover_lines
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.config.designs import SplitDesign
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.assigning import crossing_line
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.assignment import Assignment, in_percent
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter

BY_CLUSTERS = {"kind": "split", "by": "clusters"}


def experiment(design=BY_CLUSTERS, **changes):
    ties = {"generator": "watts_strogatz", "neighbours": 4, "rewired": 0.0}
    return ExperimentConfig.model_validate(
        {
            "name": "split_with_ties", "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
            "simulation": {"days": 3}, "held_out": False, "design": design,
            "mind": {"kind": "behavioural", "social": {"ties": ties, "likes": 3.0}},
            "metrics": ["view_ratio", "told_per_day"], "plan": {"primary": "view_ratio"},
            "arms": [
                {"name": "chance", "recommender": "random_order"},
                {"name": "popular", "recommender": "popular"},
            ],
        }
        | changes
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory, blank_pictures_in_file):
    return run_experiment(experiment(), tmp_path_factory.mktemp("made") / "run")


def test_clusters_share_an_arm_and_the_log_says_so(made):
    with LogReader(made.directory) as log:
        assignment, sessions = log.assignment(), log.sessions()
    assert assignment.arms == ("chance", "popular")
    assert all(len(set(assignment.homes[assignment.clusters == each])) == 1 for each in set(assignment.clusters))
    largest = np.bincount(assignment.clusters).max()
    assert abs(np.bincount(assignment.homes)[0] - 20) <= largest / 2, "arms are as large as they should be"
    assert 0 < assignment.across < 0.5
    assert assignment.ties.sum() == 2 * 80
    lived = sessions.groupby("user_id").arm.unique()
    assert all(len(arms) == 1 for arms in lived)
    assert made.summary.arms[0].metrics["told_per_day"].n == np.bincount(assignment.homes)[0], (
        "nobody hears in two arms"
    )


def test_a_killed_run_goes_on_in_the_same_arms(made, tmp_path, monkeypatch, quick_report):
    write, days = LogWriter.write, set()

    def failing(self, *arguments, **named):
        days.add(named["sim_time"])
        if len(days) == 2:
            raise RunDirectoryError("killed")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="killed"):
            run_experiment(experiment(), tmp_path / "run")
    assert resume_experiment(tmp_path / "run").digest == made.digest


def test_what_ties_carry_is_estimated_and_a_split_of_single_agents_fails_a_check(made, tmp_path, quick_report):
    by_agents = run_experiment(experiment("split"), tmp_path / "agents")
    found = []
    for run in (made, by_agents):
        with LogReader(run.directory) as log:
            found.append(compare_run(run.directory, log))
    for comparison, spoils in zip(found, (False, True), strict=True):
        (check,) = (check for check in comparison.checks if check.name == "ties join agents of one arm")
        assert (check.status, check.spoils) == ("failed", spoils)
    clusters, agents = (each.spillover for each in found)
    assert clusters.across < agents.across
    told = clusters.arms["popular"]
    assert told.total.value == pytest.approx(told.direct.value + told.spillover.value)
    first, line = spillover_lines(found[0])
    assert first.startswith(f"{100 * clusters.across:.0f} % of the ties join agents of different arms (clusters of")
    assert line.startswith("popular against chance, click-through rate: own arm ")
    assert "a launch for everybody" in line
    assert found[0].as_dict()["spillover"]["by"] == "clusters"
    assert isinstance(found[0].arms[0].headline.effect.standard_error, float)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE assignments SET cluster = 0", "rows of assignments were changed"),
        ("DELETE FROM assignments WHERE agent_id = 1", "rows of assignments were removed"),
        ("DROP TABLE assignments", "the table assignments was taken away"),
    ],
)
def test_a_changed_assignment_is_noticed(made, tmp_path, statement, fault):
    run = shutil.copytree(made.directory, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute(statement)
    with LogReader(run) as log:
        assert fault in str(check_log(run, log, most_rows=None))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM assignments WHERE agent_id = 1", "assignments has 39 rows, expected one for each of 40 agents"),
        ("UPDATE assignments SET arm_id = 99", "a row of assignments is of an arm that is not there"),
        ("UPDATE assignments SET ties = '{}'", "does not say how many ties live in each arm"),
        ("DROP TABLE assignments", "no such table: assignments"),
    ],
)
def test_who_lives_where_is_never_told_of_a_damaged_log(made, tmp_path, statement, said):
    run = shutil.copytree(made.directory, tmp_path / "run")
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute(statement)
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=f"{said}.*restore it from a copy"):
        log.assignment()


def test_ties_that_cross_no_arms_are_no_warning_and_some_that_do_are_never_none():
    within = Assignment(("a", "b"), np.array([0, 1]), np.array([0, 1]), np.array([[2, 0], [0, 2]]))
    assert crossing_line(within, SplitDesign(kind="split")) == ()
    one_of_400 = replace(within, ties=np.array([[199, 1], [0, 200]]))
    (line,) = crossing_line(one_of_400, SplitDesign(kind="split"))
    assert line.startswith("design: less than 1 % of the ties join agents of different arms")
    assert in_percent(0.997) == "more than 99 %"


TURNS = {"kind": "language", "social": {"ties": {"generator": "watts_strogatz", "neighbours": 4}, "turns": {}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mind": "behavioural"}, r"design\.by: clusters are of agents with ties, and these have none"),
        ({"design": "interleaving", "plan": None}, r"mind\.social: with design interleaving both arms draft"),
        ({"design": "split", "mind": TURNS}, r"mind\.social\.turns: what agents say in social turns is heard within"),
        (
            {"plan": {"primary": "view_ratio", "stopping": "confidence_sequence"}},
            r"plan\.stopping: found confidence_seq",
        ),
    ],
)
def test_what_does_not_suit_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        experiment(**changes)


def test_too_few_clusters_are_refused_and_power_is_not_planned_with_them():
    with pytest.raises(ConfigError, match=r"design\.by: found \d clusters of agents with ties for 2 arms"):
        _ = build_plan(experiment(population={"size": 8})).assignment
    with pytest.raises(ConfigError, match=r"design\.by: power is planned for agents who are independent"):
        run_pilot(experiment(), 20)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-9, 9)), min_size=1, max_size=30))
def test_clusters_keep_the_mean_and_clusters_of_one_are_agents(pairs):
    clusters, values = (np.array(each) for each in zip(*pairs, strict=True))
    found = cluster_values(values, clusters)
    assert len(found) == len(set(clusters.tolist()))
    assert found.mean() == pytest.approx(values.mean())
    assert cluster_values(values, np.arange(len(values))) == pytest.approx(values)


def test_clusters_raise_no_more_false_alarms_than_they_claim():
    """In 40 clusters of 15 agents who are alike, two equal arms differ in about 5 % of the tests, and not in 60 %."""
    chance, clusters = np.random.default_rng(1), np.repeat(np.arange(40), 15)
    alarms = {"agents": 0, "clusters": 0}
    for _ in range(200):
        home = (chance.permutation(40) % 2)[clusters]
        outcome = chance.normal(size=40)[clusters] + chance.normal(size=600)
        sides = [np.where(home == arm, outcome, np.nan) for arm in (1, 0)]
        for by, estimator in (("agents", Split(home)), ("clusters", Split(home, None, clusters))):
            alarms[by] += estimator.difference(*sides).p_value < 0.05
    assert alarms["clusters"] <= 20 < 80 <= alarms["agents"]
