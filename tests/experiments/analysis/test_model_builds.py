"""A server may answer with another build of its model on the way; arms that met different ones are not comparable."""

from __future__ import annotations

import sqlite3

import pytest

from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reply_forms import builds_by_arm

NAME = "the same builds of the model answered in every arm"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    config = {
        "name": "builds", "seed": 3, "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 30}},
        "mind": {"kind": "language", "model": {"provider": "scripted"}}, "simulation": {"days": 2},
        "site": {"page_size": 3, "max_pages": 2},
        "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
    }  # fmt: skip
    log_experiment(ExperimentConfig.model_validate(config), run / "log.db")
    return run


@pytest.mark.parametrize(
    ("build", "status", "said"),
    [
        ("'fp1'", None, ""),
        ("CASE WHEN arm_id = (SELECT min(arm_id) FROM arms) THEN 'fp1' ELSE 'fp2' END", "failed", "'fp1' "),
        ("CASE WHEN call_id % 2 THEN 'fp1' ELSE 'fp2' END", "passed", "chance: 'fp"),
        ("CASE WHEN call_id % 2 THEN 'fp1' ELSE calls.model END", None, ""),
    ],
    ids=["one", "one each", "in turns", "not always told"],
)
def test_arms_that_other_builds_of_the_model_answered_fail_a_check(asked, build, status, said):
    with sqlite3.connect(asked / "log.db") as log:
        log.execute(
            f"UPDATE calls SET model_fingerprint = found.build FROM (SELECT call_id AS number, {build} AS build "
            "FROM calls JOIN sessions USING (session_id)) AS found WHERE call_id = found.number"
        )
    with LogReader(asked) as log:
        found = [check for check in compare_run(asked, log).checks if check.name == NAME]
        builds = builds_by_arm(log)
    assert [check.status for check in found] == ([] if status is None else [status])
    assert all(said in check.finding for check in found)
    assert builds.keys() == {"popular", "chance"}
