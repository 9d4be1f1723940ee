"""Metrics of one's own: the tutorial works as it is written, and what does not fit is refused with what to do."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.metrics import METRICS, Metric, metrics_of, summarise
from groundlings.experiments.analysis.metrics.contract import TOY_EXPERIMENT, MetricContract, toy_run
from groundlings.experiments.analysis.metrics.registry import (
    METRIC_NAMES,
    available_metrics,
    check_needs,
    find_metric,
    resolve_metrics,
)
from groundlings.experiments.analysis.metrics.values import MetricReader, checked
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "own-metric.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL))
ABOUT = {"definition": "Something.", "unit": "things", "denominator": "session"}
CTR = next(metric for metric in METRICS if metric.name == "view_ratio")
CTR_IN_SQL = Metric(
    name="ctr_in_sql",
    **ABOUT,
    sql="SELECT arm_id, agent_id, day, count(CASE WHEN clicked THEN 1 END) AS numerator, count(clicked) AS denominator"
    " FROM impressions JOIN sessions USING (session_id) GROUP BY arm_id, agent_id, day",
)


def _ctr(impressions):
    clicked = impressions.dropna(subset=["clicked"]).groupby(["arm", "user_id"]).clicked
    return clicked.agg(numerator="sum", denominator="size").reset_index()


CTR_IN_PYTHON = Metric(name="ctr_in_python", **ABOUT, function=_ctr)
SHOUTING = Metric(
    name="shouting", label="<b>[red]$x</b>", definition="<script>alert(1)</script>", unit="<i>",
    denominator="<session>",
    sql="SELECT arm_id, agent_id, sum(pages) AS numerator, count(*) AS denominator FROM sessions GROUP BY 1, 2",
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory, leave_pictures_blank):
    """A directory with every block of the tutorial, in which its experiment has been run."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name, block in BLOCKS.items():
        (folder / name).write_text(block, encoding="utf-8")
    sys.path.append(str(folder))
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        run_experiment(load_config(folder / "experiment.yaml"), folder / "run")
        toy_run()  # that of the contract's tests, which look at its log alone
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("my_metrics", None)


def sides(log, metric):
    """Every agent's value in every arm."""
    return {arm.name: arm.totals.values(metric) for arm in read_outcomes(log, (metric,)).arms}


def test_no_block_is_left_untested():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(BLOCKS) == 4


def test_the_contract_test_of_the_tutorial_passes(project, pass_in_process):
    assert pass_in_process(project / "test_my_metrics.py") == 14


def test_the_tutorials_metrics_stand_beside_the_shipped_ones(project):
    summary = json.loads((project / "run" / "summary.json").read_text())
    names = [*(metric.name for metric in METRICS), "first_slot_ctr", "different_items"]
    assert list(summary["definitions"]) == names
    assert summary["definitions"]["different_items"]["function"] == "my_metrics:spread"
    for arm in summary["arms"]:
        assert list(arm["metrics"]) == names
        assert arm["metrics"]["different_items"]["excluded"] > 0, "who clicked on nothing has no value"
        assert all(day["metrics"]["first_slot_ctr"]["mean"] is not None for day in arm["days"])
    page = (project / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count("First-slot CTR") > 5
    assert "Different items clicked, divided by clicks. Left out: agents without any click." in page
    assert "per impression in a first slot whose outcome is known" in page


def test_the_primary_metric_of_the_tutorial_decides(project):
    with LogReader(project / "run") as log:
        found = compare_run(project / "run", log)
        one, other = (values for values in sides(log, find_metric("my_metrics:FIRST_SLOT")).values())
    assert found.plan.primary == "first_slot_ctr"
    effect = found.arms[0].headline.effect
    assert effect.difference == pytest.approx(np.nanmean(other - one))
    assert [guard.metric for guard in found.arms[0].guardrails] == ["view_ratio"]
    assert {each.metric for each in found.arms[0].explored} >= {"different_items", "satisfaction"}
    assert len(found.arms[0].days) == 2
    assert found.arms[0].days[0].n > 0


def test_the_commands_print_the_metric_and_whom_it_leaves_out(project, monkeypatch, blank_pictures):
    cli._mount()
    monkeypatch.setenv("COLUMNS", "250")
    shown = CliRunner().invoke(cli.app, ["compare", str(project / "run")])
    assert shown.exit_code == 0, shown.output
    assert "first-slot ctr" in shown.output
    assert "per impression in a first slot whose outcome is known; " in shown.output
    told = CliRunner().invoke(cli.app, ["report", str(project / "run")])
    assert "Different items is per click; agents without any click have no value:" in " ".join(told.output.split())
    needs = CliRunner().invoke(cli.app, ["power", str(project / "experiment.yaml"), "--people", "30"])
    assert "First-slot CTR" in needs.output


def test_the_entry_point_is_found(project, tmp_path, monkeypatch):
    declared = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    info = tmp_path / "my_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n")
    lines = [f"{name} = {value}" for name, value in declared["entry-points"][METRIC_NAMES.group].items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{METRIC_NAMES.group}]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert available_metrics()["first_slot_ctr"] == "Click-through rate of the first slot of a page."
    config = ExperimentConfig.model_validate(
        {**TOY_EXPERIMENT, "metrics": ["first_slot_ctr"], "plan": {"primary": "first_slot_ctr"}}
    )
    assert [metric.name for metric in metrics_of(config.model_dump())] == ["first_slot_ctr"]


@pytest.mark.parametrize("metric", [CTR_IN_SQL, CTR_IN_PYTHON], ids=lambda metric: metric.name)
def test_a_shipped_metric_written_anew_has_the_same_values(small_log, metric):
    expected, found = sides(small_log, CTR), sides(small_log, metric)
    for arm, values in expected.items():
        assert np.array_equal(values, found[arm], equal_nan=True)
    shipped, own = summarise(small_log, (CTR,)), summarise(small_log, (metric,))
    for one, other in zip(shipped.arms, own.arms, strict=True):
        assert one.metrics["view_ratio"] == other.metrics[metric.name]
        assert [day["view_ratio"] for day in one.days] == [day[metric.name] for day in other.days]


def test_sql_without_days_has_no_value_on_any_day(small_log):
    found = summarise(small_log, (SHOUTING,))
    assert found.arms[0].metrics["shouting"].n > 0
    assert all(day["shouting"].n == 0 for day in found.arms[0].days)


def test_a_hostile_label_stays_text(small_run, small_log, tmp_path):
    from rich.console import Console

    from groundlings.experiments.analysis.report import render_summary_table, write_report

    summary = summarise(small_log, (SHOUTING,))
    page = write_report(tmp_path, small_log, summary).read_text(encoding="utf-8")
    assert "<b>[red]" not in page
    assert "<script>alert" not in page
    console = Console(width=250, record=True)
    console.print(render_summary_table(summary))
    assert "<b>[red]$x</b> is per <session>" in console.export_text()


class TestSqlKeepsTheContract(MetricContract):
    def build(self):
        return CTR_IN_SQL


class TestFunctionKeepsTheContract(MetricContract):
    def build(self):
        return CTR_IN_PYTHON


def broken(name, sql=None, function=None):
    return Metric(name=name, **ABOUT, sql=sql, function=function)


ONE_A_SESSION = broken("one_a_session", "SELECT arm_id, agent_id, 1 AS numerator, 1 AS denominator FROM sessions")
EVERYBODY = broken("everybody", "SELECT arm_id, agent_id, 1 AS numerator, 1 AS denominator FROM arms, agents")
FIRST_ROW = broken(
    "first_row",
    function=lambda sessions: (
        sessions.groupby(["arm", "user_id"]).session_id.first().reset_index(name="numerator").assign(denominator=1)
    ),
)
NO_VALUE = broken("no_value", "SELECT arm_id, agent_id, 0 AS numerator, 0 AS denominator FROM sessions GROUP BY 1, 2")


@pytest.mark.parametrize(
    ("metric", "test"),
    [
        (ONE_A_SESSION, "test_an_agent_has_one_value_at_most_in_each_arm"),
        (EVERYBODY, "test_who_never_came_has_no_value"),
        (FIRST_ROW, "test_the_order_of_rows_does_not_matter"),
        (NO_VALUE, "test_somebody_has_a_value"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_the_contract_catches_a_metric_that_breaks_it(metric, test):
    class Broken(MetricContract):
        def build(self):
            return metric

    with pytest.raises(AssertionError):
        getattr(Broken(), test)()


def one_each(sessions: pd.DataFrame, numerator: object) -> pd.DataFrame:
    """A row per person and arm."""
    people = sessions[["arm", "user_id"]].drop_duplicates()
    return people.assign(numerator=[numerator] * len(people), denominator=1)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (broken("x", "SELECT arm_id FROM sessions"), r"agent_id, numerator, denominator is missing"),
        (broken("x", "SELECT * FROM nowhere"), r"the database refuses its SQL.*no such table"),
        (ONE_A_SESSION, r"one_a_session: arm_id 1, agent_id \d+ stands there twice"),
        (broken("x", "SELECT 99 AS arm_id, agent_id, 1 AS numerator, 1 AS denominator FROM agents"), "no arm_id 99"),
        (broken("x", "SELECT arm_id, agent_id, NULL AS numerator, 2 AS denominator FROM arms, agents"),
         "the numerator is missing; write 0"),
        (broken("x", "SELECT arm_id, agent_id, 1 AS numerator, 0 AS denominator FROM arms, agents"),
         "nothing to divide it by"),
        (broken("x", "SELECT arm_id, agent_id, 1 AS numerator, -1 AS denominator FROM arms, agents"),
         "denominator must be positive"),
        (broken("x", "SELECT arm_id, agent_id, 'a' AS numerator, 1 AS denominator FROM arms, agents"),
         "must be numbers"),
        (broken("x", "SELECT arm_id, agent_id, 1e308 AS numerator, 1 AS denominator FROM arms, agents"),
         r"numbers beyond 1e\+100"),
        (broken("x", function=lambda clicks: clicks), "asks for clicks; name its parameters after what it reads"),
        (broken("x", function=lambda sessions: 5), "gave int, expected a DataFrame"),
        (broken("x", function=lambda sessions: sessions.nothing), "its function failed: AttributeError"),
        (broken("x", function=lambda sessions: one_each(sessions, 1j)), "must be numbers"),
        (broken("x", function=lambda sessions: one_each(sessions, 10**400)), "must be numbers"),
        (broken("x", function=lambda sessions: pd.DataFrame(
            {"arm": ["chanse"], "user_id": ["u1"], "numerator": 1, "denominator": 1})), "knows no arm 'chanse'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_metrics_name(small_log, metric, said):
    reader = MetricReader(small_log)
    with pytest.raises(ConfigError, match=said) as told:
        reader.values(metric)
    assert f"metrics: {metric.name}:" in str(told.value)


@given(
    parts=st.lists(st.tuples(st.integers(0, 50), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=30),
    data=st.data(),
)
def test_exactly_the_rows_with_a_denominator_have_a_value(parts, data):
    rows = pd.DataFrame({
        "arm_id": 1, "agent_id": range(len(parts)),
        "numerator": [above if below else 0 for above, below in parts], "denominator": [below for _, below in parts],
    })  # fmt: skip
    mixed = rows.sample(frac=1.0, random_state=data.draw(st.integers(0, 99)))
    found = checked(CTR_IN_SQL, mixed)
    assert dict(zip(found.agent_id, found.numerator / found.denominator, strict=True)) == {
        agent: above / below for agent, (above, below) in enumerate(parts) if below
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Own Metric"}, "lower-case letters"),
        ({"sql": None}, "give either"),
        ({"function": _ctr}, "give either"),
        ({"unit": " "}, "unit must say something"),
        ({"unit": None}, "unit must say something"),
        ({"needs": "click"}, "needs is a text"),
        ({"higher_is_better": "yes"}, "expected True, False or None"),
    ],
)
def test_a_declaration_that_does_not_fit_together_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        Metric(**{"name": "own", **ABOUT, "sql": "SELECT 1", **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"plan": {"primary": "view_ration"}},
            "found 'view_ration' .did you mean 'view_ratio'.*satisfaction",
        ),
        ({"plan": {"primary": "view_ratio", "guardrails": {"clicks": 0.1}}}, "plan.guardrails: found 'clicks'"),
        ({"metrics": ["like_ration"]}, "there is no metric 'like_ration' .did you mean 'like_ratio'"),
        ({"metrics": ["exit_page", "exit_page"]}, "exit_page stands there twice"),
        ({"metrics": []}, "at least 1 item"),
        ({"metrics": ["exit_page"], "plan": {"primary": "view_ratio"}}, "add it to `metrics`"),
    ],
)
def test_a_file_that_names_no_metric_of_ours_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        ExperimentConfig.model_validate({**TOY_EXPERIMENT, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": ["no_such_module:X"]}, "no_such_module:X cannot be imported: ModuleNotFoundError"),
        ({"metrics": ["my_metrics:FIRST"]}, "module my_metrics has no 'FIRST' .did you mean 'FIRST_SLOT'"),
        ({"metrics": ["my_metrics:spread"]}, "my_metrics:spread is a function; expected a Metric"),
        ({"metrics": ["my_metrics:FIRST_SLOT"], "plan": {"primary": "first_slot"}}, "did you mean 'first_slot_ctr'"),
    ],
)
def test_a_module_is_looked_into_when_the_plan_is_built(project, changes, said):
    config = ExperimentConfig.model_validate({**TOY_EXPERIMENT, **changes})
    with pytest.raises(ConfigError, match=said):
        build_plan(config)


def test_a_metric_needs_its_actions():
    with pytest.raises(ConfigError, match="mean_rating needs the action rate, and this environment offers buy, click"):
        check_needs(next(metric for metric in METRICS if metric.name == "mean_rating"), {"click", "buy"})
    left = resolve_metrics(None, actions={"click"})
    assert [metric.name for metric in left] == ["view_ratio", "exit_page", "satisfaction"]
    with pytest.raises(ConfigError, match=r"metrics\[1\]: like_ratio needs the action like or rate"):
        resolve_metrics(["shipped", "like_ratio"], actions={"click"})


def test_values_are_taken_as_they_are():
    assert resolve_metrics(None, given=(CTR_IN_SQL,)) == (*METRICS, CTR_IN_SQL)
    assert resolve_metrics(["ctr_in_sql", "exit_page"], given=(CTR_IN_SQL,))[0] is CTR_IN_SQL
    content = {**TOY_EXPERIMENT, "metrics": ["ctr_in_sql"], "plan": {"primary": "ctr_in_sql"}}
    with pytest.raises(ValueError, match="there is no metric 'ctr_in_sql'"):
        ExperimentConfig.model_validate(content)
    assert ExperimentConfig.model_validate(content, context={"metrics": (CTR_IN_SQL,)}).metrics == ("ctr_in_sql",)


def test_files_without_metrics_keep_their_hash():
    plain = ExperimentConfig.model_validate(TOY_EXPERIMENT)
    assert config_hash(plain) == config_hash(plain.model_copy(update={"metrics": None}))
    assert "metrics" not in plain.model_dump(exclude_none=True)
    named = ExperimentConfig.model_validate({**TOY_EXPERIMENT, "metrics": ["exit_page"]})
    assert config_hash(named) != config_hash(plain)
