"""Retention curves and the metrics of returning, against what pandas says of the same sessions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import yaml
from rich.console import Console

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.compare import Difference, mean_interval
from groundlings.experiments.analysis.comparison.checks import check_run
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.metrics.contract import MetricContract
from groundlings.experiments.analysis.metrics.registry import available_metrics, find_metric, metrics_of
from groundlings.experiments.analysis.metrics.summary import summarise
from groundlings.experiments.analysis.report import returning
from groundlings.experiments.analysis.report.palette import styles
from groundlings.experiments.analysis.report.returning import render_retention_table, retention_panels, seen_retention
from groundlings.experiments.analysis.report.svg import svg
from groundlings.experiments.analysis.retention import retention_by_arm, retention_frame
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader

EXPERIMENT = {
    "name": "returning",
    "seed": 4,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {
        "days": 10,
        "visit_probability": 0.3,
        "refit_every": 0,
        "returns": {"after_session": {"found": 2.0}, "sessions_per_day": 2, "again": 0.3},
    },
    "site": {"page_size": 5, "max_pages": 2},
    "mind": "behavioural",
    "arms": [
        {"name": "best", "recommender": "ease"},
        {"name": "chance", "recommender": "random_order"},
        {"name": "best again", "recommender": "ease"},
    ],
}
NAMES = (
    "sessions_per_user", "days_active", "return_gap", "first_session_clicks", "retention_2", "rolling_retention_4"
)  # fmt: skip


@cache
def logged():
    """A directory with the log of the experiment, as long as it is kept; made once."""
    folder = TemporaryDirectory(prefix="groundlings-returning-")
    path = Path(folder.name) / "returning.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    log_experiment(load_config(path), Path(folder.name) / "log.db")
    return folder


@pytest.fixture(scope="module")
def log():
    with LogReader(Path(logged().name)) as reader:
        yield reader


@pytest.fixture(scope="module")
def days(log):
    """The days with a session of each arm and user."""
    rows = log.sessions(columns=["arm", "user_id", "day"])
    return {key: np.unique(part) for key, part in rows.groupby(["arm", "user_id"]).day}


@pytest.fixture(scope="module")
def summary(log):
    return summarise(log, [find_metric(name) for name in NAMES])


def back(days, arm, day, *, later=False):
    """Whether each user who could be seen for so long was back."""
    last = max(found.max() for found in days.values())
    return [
        float((found >= found[0] + day).any() if later else day in found - found[0])
        for (name, _), found in days.items()
        if name == arm and found[0] + day <= last
    ]


def test_a_curve_is_the_share_of_users_who_are_back_among_those_who_could_be(log, days):
    for arm, curve in retention_by_arm(log).items():
        assert [point.day for point in curve] == list(range(10))
        for point in curve:
            assert point.users == len(back(days, arm, point.day))
            assert point.back.value == pytest.approx(np.mean(back(days, arm, point.day)))
            assert point.rolling.value == pytest.approx(np.mean(back(days, arm, point.day, later=True)))
            assert point.back.low <= point.back.value <= point.back.high
            assert point.back.value <= point.rolling.value


def test_differences_are_paired_with_the_first_arm_and_nothing_between_copies(log):
    frame = retention_frame(log).set_index(["arm", "day"])
    assert frame.loc["best"].back_difference.isna().all()
    assert (frame.loc["best again"].back_difference == 0).all()
    chance = frame.loc["chance"]
    assert chance.rolling_difference[5] < 0
    assert (chance.back_difference_low <= chance.back_difference).all()


def test_metrics_are_what_the_sessions_say(log, days, summary):
    sessions = log.sessions(columns=["arm", "user_id", "day"])
    for arm in summary.arms:
        own = {user: found for (name, user), found in days.items() if name == arm.name}
        expected = {
            "sessions_per_user": sessions[sessions.arm == arm.name].groupby("user_id").size(),
            "days_active": [len(found) for found in own.values()],
            "return_gap": [np.diff(found).mean() for found in own.values() if len(found) > 1],
            "retention_2": back(days, arm.name, 2),
            "rolling_retention_4": back(days, arm.name, 4, later=True),
        }
        for name, values in expected.items():
            assert arm.metrics[name].mean == pytest.approx(mean_interval(np.array(values, dtype=float)).mean), name


def test_clicks_of_first_sessions_leave_out_what_came_after(log, summary):
    shown, order = log.impressions(), log.sessions(columns=["session_id", "arm", "user_id"])
    first = order.groupby(["arm", "user_id"]).session_id.min()
    clicks = shown[shown.session_id.isin(first)].groupby(["arm", "user_id"]).clicked.sum()
    for arm in summary.arms:
        assert arm.metrics["first_session_clicks"].mean == pytest.approx(float(clicks[arm.name].mean()))


def test_where_arms_decide_on_returns_the_control_is_who_comes_at_all(log):
    checks = {check.name: check for check in check_run(read_outcomes(log), 0.05)}
    assert checks["negative control: who comes at all, which no arm can change"].status == "passed"
    assert not any("number of sessions" in name for name in checks)


def test_a_table_and_two_panels_show_the_arms(log, summary, monkeypatch):
    console = Console(width=120, record=True)
    console.print(render_retention_table(log))
    printed = console.export_text()
    assert "best again" in printed
    assert "+0.0" not in printed
    assert f"{100 * retention_by_arm(log)['chance'][7].back.value:.1f} %" in printed
    panels = retention_panels(seen_retention(log), styles(summary))
    assert [words.startswith("Share of users") for words, _ in panels] == [True, True]
    assert "<svg" in svg(panels[0][1], "retention-0", panels[0][0], 4.4, 3.0)
    curves = retention_by_arm(log)
    far = replace(curves["chance"][7], difference=Difference(0.024, 0.017, -0.01, 0.058, 0.2, 40, 0))
    monkeypatch.setattr(returning, "retention_by_arm", lambda _: {"best": curves["best"], "chance": (far,)})
    console.print(render_retention_table(log))
    assert "[\N{MINUS SIGN}1.0, +5.8]" in console.export_text(), "a difference has its interval below it"


def test_retention_is_known_of_any_day_and_a_plan_may_name_it():
    assert {"sessions_per_user", "retention_7", "rolling_retention_7"} <= available_metrics().keys()
    assert find_metric("retention_90").label == "Back on day 90"
    config = {"metrics": ["shipped", "retention_14"], "plan": {"primary": "retention_14"}}
    assert metrics_of(config)[-1].name == "retention_14"
    with pytest.raises(ConfigError, match="add it to `metrics`"):
        metrics_of({"plan": {"primary": "retention_14"}})
    with pytest.raises(ConfigError, match="there is no metric 'retention_0'"):
        find_metric("retention_0")


class OfReturns(MetricContract):
    def run_directory(self):
        return Path(logged().name)


class TestSessionsPerUser(OfReturns):
    def build(self):
        return find_metric("sessions_per_user")


class TestReturnGap(OfReturns):
    def build(self):
        return find_metric("return_gap")


class TestRetention(OfReturns):
    def build(self):
        return find_metric("retention_1")


class TestFirstSessionClicks(OfReturns):
    def build(self):
        return find_metric("first_session_clicks")
