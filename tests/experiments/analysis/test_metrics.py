from __future__ import annotations

import io
import json
import shutil
import sqlite3
from itertools import pairwise

import pytest
from rich.console import Console
from scipy import stats

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.metrics import METRICS, per_arm_sql, summarise
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter


@pytest.fixture(scope="module")
def summary(small_log):
    return summarise(small_log)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_documented_sql_gives_the_same_mean_and_interval(small_run, summary, metric):
    with sqlite3.connect(small_run / "log.db") as connection:
        rows = connection.execute(per_arm_sql(metric)).fetchall()
    assert [row[0] for row in rows] == [arm.name for arm in summary.arms]
    for arm, (_, n, mean, variance) in zip(summary.arms, rows, strict=True):
        found = arm.metrics[metric.name]
        reach = stats.t.ppf(0.975, n - 1) * (variance / n) ** 0.5
        assert found.n == n > 5
        assert found.mean == pytest.approx(mean, abs=1e-9)
        least, most = metric.bounds
        assert found.low == pytest.approx(max(mean - reach, -9e9 if least is None else least), abs=1e-9)
        assert found.high == pytest.approx(min(mean + reach, 9e9 if most is None else most), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_differences_follow_from_the_documented_values(small_log, summary, metric):
    values = small_log.query(f"SELECT name, agent_id, value FROM ({metric.sql}) JOIN arms USING (arm_id)")
    wide = values.pivot_table(index="agent_id", columns="name", values="value")
    for arm in summary.arms[1:]:
        found = arm.differences[metric.name]
        pairs = wide[[arm.name, "chance"]].dropna()
        assert found.n == len(pairs)
        assert found.excluded == summary.run["agents"] - len(pairs)
        assert found.difference == pytest.approx((pairs[arm.name] - pairs["chance"]).mean(), abs=1e-9)


def test_intervals_of_two_ratings_end_where_the_scale_does_and_say_that_they_are_two(small_run, tmp_path):
    shutil.copy(small_run / "log.db", tmp_path)
    with sqlite3.connect(tmp_path / "log.db") as log:
        log.execute("UPDATE impressions SET rating = NULL")
        log.execute("UPDATE runs SET dataset = 'toy'")
        slots = "SELECT min(rowid) FROM impressions WHERE session_id IN (SELECT session_id FROM sessions WHERE {})"
        arms = [arm for (arm,) in log.execute("SELECT arm_id FROM arms")]
        agents = [agent for (agent,) in log.execute("SELECT DISTINCT agent_id FROM sessions ORDER BY 1 LIMIT 2")]
        for place, agent in enumerate(agents):
            for arm in arms:
                of_both = slots.format(f"agent_id = {agent} AND arm_id = {arm}")
                stars = 4 + (place + arm) % 2
                log.execute(f"UPDATE impressions SET rating = {stars}, clicked = 1 WHERE rowid = ({of_both})")
    with LogReader(tmp_path) as log:
        found = summarise(log)
    first, second = found.arms[:2]
    assert (first.metrics["mean_rating"].n, first.metrics["mean_rating"].mean) == (2, 4.5)
    assert (first.metrics["mean_rating"].low, first.metrics["mean_rating"].high) == (1.0, 5.0)
    gap = second.differences["mean_rating"]
    assert (gap.low, gap.high) == (-4.0, 4.0)
    console = Console(file=io.StringIO(), width=200)
    console.print(render_summary_table(found))
    assert "n = 2" in console.file.getvalue()


def test_an_arm_against_itself_differs_by_exactly_nothing(summary):
    (again,) = (arm for arm in summary.arms if arm.name == "again")
    assert {(each.difference, each.low, each.high, each.p_value) for each in again.differences.values()} == {
        (0.0, 0.0, 0.0, 1.0)
    }


def test_agents_without_a_value_are_left_out_and_counted(summary):
    for arm in summary.arms:
        assert all(each.n + each.excluded == summary.run["agents"] for each in arm.metrics.values())
        assert arm.metrics["like_ratio"].n < arm.metrics["view_ratio"].n <= arm.metrics["exit_page"].n
        assert arm.metrics["exit_page"].n == arm.counts.agents - 1, "of one nobody knows anything"


def test_counts_agree_with_each_other(small_log, summary):
    impressions = small_log.query("SELECT count(*) AS n, sum(clicked) AS clicks FROM impressions").iloc[0]
    assert sum(arm.counts.impressions for arm in summary.arms) == impressions.n
    assert sum(arm.counts.clicks for arm in summary.arms) == impressions.clicks
    for arm in summary.arms:
        counts = arm.counts
        assert sum(counts.ended_by.values()) == counts.sessions
        assert counts.ended_by["unreadable"] == counts.unreadable > 0
        assert counts.unknown_impressions == 4 * counts.unreadable
        assert counts.ended_by["nothing_shown"] > 0
        assert counts.censored == counts.sessions - counts.ended_by["exit"]
        assert counts.likes <= counts.ratings <= counts.clicks <= counts.impressions
        assert counts.illegal > 0
        assert counts.calls > counts.from_store > 0
        assert all(lower <= upper for lower, upper in pairwise(counts.latency_seconds.values()))


def test_days_split_the_whole(summary):
    for arm in summary.arms:
        assert len(arm.days) == summary.run["days"] == 2
        assert all(day["exit_page"].n <= arm.counts.agents for day in arm.days)


def test_the_summary_is_plain_json_with_the_promised_keys(summary):
    loaded = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert {"run", "arms", "differences", "definitions"} <= loaded.keys()
    assert [arm["name"] for arm in loaded["arms"]] == ["chance", "good & <new>", "again", "best"]
    assert [arm["bound"] for arm in loaded["arms"]] == [False, False, False, True]
    assert loaded["arms"][0]["metrics"]["view_ratio"].keys() == {
        "mean", "standard_error", "low", "high", "n", "excluded"
    }  # fmt: skip
    assert len(loaded["differences"]) == 3 * len(METRICS)
    assert loaded["differences"][0].keys() >= {
        "arm", "baseline", "metric", "difference", "standard_error", "low", "high", "p_value", "n"
    }  # fmt: skip
    assert loaded["definitions"].keys() == {metric.name for metric in METRICS}


def test_a_log_without_a_run_is_refused(tmp_path):
    with LogWriter(tmp_path / "log.db"):
        pass
    with pytest.raises(RunDirectoryError, match="holds 0 runs"):
        summarise(LogReader(tmp_path))
