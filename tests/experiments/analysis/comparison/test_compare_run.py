"""The comparison of a real log, and the commands that print it."""

from __future__ import annotations

import io
import json
import math
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.comparison.pilot import OTHER_DRAWS, run_pilot, spread_ends
from groundlings.experiments.analysis.comparison.power import needed_agents
from groundlings.experiments.analysis.comparison.segments import effects_by_segment, levels_of, welch_anova_p_value
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.verdict_sentences import plan
from groundlings.experiments.analysis.report.verdict_terminal import print_needs, print_verdict
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.config.schema import ExperimentConfig, PlanConfig
from groundlings.experiments.python_api.checking import check_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.log.manifest_seal import with_seal
from groundlings.simulator.log.reader import LogReader


@pytest.fixture(scope="module", autouse=True)
def _commands():
    cli._mount()


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"primary": "satisfaction", "guardrails": {"satisfaction": 0.1}}, "primary metric already"),
        ({"primary": "satisfaction", "stopping": "group_sequential"}, "looks: needed"),
        ({"primary": "satisfaction", "looks": [10, 20]}, "looks: needed"),
        ({"primary": "satisfaction", "stopping": "group_sequential", "looks": [20, 10]}, "must rise"),
    ],
)
def test_a_plan_that_does_not_fit_together_is_refused(plan, said):
    with pytest.raises(ValueError, match=said):
        PlanConfig.model_validate(plan)


def test_effects_are_those_of_the_summary(small_run, small_log):
    found = compare_run(small_run, small_log)
    expected = {arm.name: arm.differences["view_ratio"] for arm in summarise(small_log).arms[1:]}
    assert [arm.name for arm in found.arms] == ["good & <new>"], "bounds and copies of the baseline do not compete"
    effect = found.arms[0].headline.effect
    assert (effect.difference, effect.low, effect.high) == pytest.approx(
        (expected["good & <new>"].difference, expected["good & <new>"].low, expected["good & <new>"].high)
    )
    assert not found.declared


def test_two_arms_of_one_recommender_pass_the_a_a_check_with_exactly_nothing(small_run, small_log):
    (twins,) = (check for check in compare_run(small_run, small_log).checks if check.name.startswith("A/A"))
    assert twins.status == "passed"
    assert "exactly nothing" in twins.finding


def test_people_who_were_lost_are_known(small_log):
    completed = read_outcomes(small_log).baseline.completed
    assert np.flatnonzero(~completed).tolist() == [5, 7]


def test_a_plan_of_earlier_that_contradicts_its_metric_decides_for_the_answer_and_the_page_alike(small_run, tmp_path):
    shutil.copy(small_run / "log.db", tmp_path)
    down = {"metric": "view_ratio", "direction": "down"}
    with closing(sqlite3.connect(tmp_path / "log.db")) as log, log:
        (written,) = log.execute("SELECT config FROM runs").fetchone()
        planned = {**json.loads(written), "plan": {"primary": "view_ratio", "objectives": [down]}}
        log.execute("UPDATE runs SET config = ?", (json.dumps(planned),))
    with LogReader(tmp_path) as log:
        found, summary = compare_run(tmp_path, log), summarise(log)
        answer = answer_of(found, summary)
    said = (
        "The plan calls less of click-through rate better, against the metric itself: answer and page follow the plan."
    )
    assert said in answer.detail
    assert said in plan(found)
    arm = found.arms[0].headline.effect.difference
    assert arm > 0
    assert answer.rows[0].name == found.baseline, "what is lower is better"
    assert found.metrics["view_ratio"].higher_is_better is False
    assert summary.as_dict()["definitions"]["view_ratio"]["higher_is_better"] is False


def test_a_new_experiment_whose_plan_contradicts_a_metric_is_refused_before_anything_is_simulated(tmp_path):
    config = toy(plan={"primary": "satisfaction", "objectives": [{"metric": "satisfaction", "direction": "down"}]})
    (tmp_path / "file.yaml").write_text(as_yaml(config))
    said = (
        r"^plan.objectives\[0\].direction: found down, but more of satisfaction is better, as the metric itself "
        r"says; take `direction` out .or write up."
    )
    for door in (run_experiment, lambda *_: run_pilot(config, 10), lambda *_: check_plan(config, Supplied())):
        with pytest.raises(ConfigError, match=said):
            door(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    checked = CliRunner().invoke(cli.app, ["check", str(tmp_path / "file.yaml")])
    assert isinstance(checked.exception, ConfigError)


def test_compare_prints_one_screen_and_json(small_run):
    runner = CliRunner()
    printed = runner.invoke(cli.app, ["compare", str(small_run)])
    assert printed.exit_code == 0, printed.output
    assert printed.output.startswith("Exploratory: ")
    assert "No primary metric was declared" in " ".join(printed.output.split())
    assert "fidelity of these agents on these data is not known" in printed.output
    assert len(printed.output.splitlines()) < 56
    as_json = json.loads(runner.invoke(cli.app, ["compare", str(small_run), "--json"]).output)
    assert as_json["plan"] is None
    assert as_json["answer"]["sentence"].startswith("Exploratory: ")
    assert as_json["arms"][0]["word"] in ("indicative", "not supported")


def test_arm_names_from_the_file_are_shown_and_not_obeyed(small_run, small_log):
    console = Console(width=100, record=True, file=io.StringIO())
    print_verdict(compare_run(small_run, small_log), console)
    assert "good & <new>" in console.export_text()


def test_a_file_beside_the_run_opens_the_gate_where_it_is_about_the_same_data_and_mind(small_run, tmp_path):
    shutil.copy(small_run / "log.db", tmp_path)
    log = LogReader(tmp_path)
    whole = {"dataset_hash": log.run()["dataset_hash"], "mind": {}}
    gates = []
    for about in (whole, {}, {"mind": {}}, {"dataset_hash": whole["dataset_hash"]}):
        content = {"system_gate_passed": True, "records": [], "about": about}
        (tmp_path / "fidelity.json").write_text(json.dumps(with_seal(content)))
        gates.append(compare_run(tmp_path, log).gate)
    assert [gate.opens for gate in gates] == [True, False, False, False], "what it was about has to be known"
    assert gates[0].tau is None
    assert gates[1].mismatch == "data that it does not name, a mind that it does not name"


def toy(**changes):
    return ExperimentConfig.model_validate(
        {
            "name": "toy", "seed": 3, "dataset": {"name": "toy", "toy": {"n_users": 60}}, "mind": "behavioural",
            "simulation": {"days": 2}, "site": {"page_size": 5, "max_pages": 2},
            "arms": [{"name": name, "recommender": name} for name in ("popular", "ease", "oracle")], **changes,
        }
    )  # fmt: skip


def test_a_pilot_says_what_each_metric_needs_and_shows_no_effect():
    ties = {"generator": "watts_strogatz", "neighbours": 4, "rewired": 0.1}
    mind = {"kind": "behavioural", "random_click_rate": 0.2, "social": {"ties": ties, "likes": 1.0, "dislikes": 0.0}}
    pilot = run_pilot(toy(plan={"primary": "satisfaction", "smallest_effect": 0.1}, mind=mind), 40)
    assert (pilot.people, pilot.planned, pilot.primary, pilot.comparisons) == (40, 60, "satisfaction", 1)
    assert pilot.needs[0].metric == "satisfaction"
    assert {need.arm for need in pilot.needs} == {"ease", OTHER_DRAWS}, "a bound needs no power"
    for need in pilot.needs:
        assert need.sd > 0
        assert (need.p_value is None) == (need.arm != OTHER_DRAWS)
        assert need.smallest == pytest.approx(0.1 * need.baseline_mean)
        assert (need.agents <= 60) == (need.detectable <= need.smallest)
        assert need.sd_low < need.sd < need.sd_high
        assert need.agents_low <= need.agents <= need.agents_high
        assert need.detectable_low < need.detectable < need.detectable_high
        assert need.agents == math.ceil(needed_agents(need.smallest, need.sd, pilot.alpha) / (need.n / 40))
    assert min(need.n for need in pilot.needs) < 30, "not everybody opens something, and the others tell nothing"
    console = Console(width=100, record=True, file=io.StringIO())
    print_needs(pilot, console)
    printed = " ".join(console.export_text().split())
    assert "Pilot of 40 agents" in printed
    assert "The pilot has no ties (mind.social)" in printed


def test_a_pilot_searches_as_the_agents_of_the_file_do():
    environment = {"kind": "search", "page_size": 5, "max_pages": 3, "max_queries": 1, "opens_on": "feed"}
    mind = {"kind": "behavioural", "search": {"search_rate": 0.0}}
    pilot = run_pilot(toy(site={}, environment=environment, mind=mind), 20)
    means = {need.metric: need.baseline_mean for need in pilot.needs}
    assert means["queries_per_session"] == 0


def test_the_power_command_prints_json_and_reads_a_shop_as_one(tmp_path):
    toy_shop = {"name": "toy", "toy": {"n_users": 20, "n_items": 20, "interactions_per_user": 8, "offers": True}}
    shopping = {"kind": "behavioural", "shopping": {"add_rate": 0.9, "purchase_rate": 0.9}}
    actions = ["click", "add_to_cart", "purchase", "quantity", "paid"]
    site = {"page_size": 3, "max_pages": 2, "actions": actions}
    config = toy(dataset=toy_shop, site=site, mind=shopping, plan={"primary": "basket_size"})
    path = tmp_path / "toy.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    printed = CliRunner().invoke(cli.app, ["power", str(path), "--people", "20", "--json"])
    assert printed.exit_code == 0, printed.output
    pilot = json.loads(printed.stdout)
    assert pilot["people"] == 20
    measured = {need["metric"] for need in pilot["needs"]}
    assert {"conversion", "revenue_per_session", "repeat_rate"} <= measured
    assert not {"likes_per_session", "like_ratio"} & measured


def test_the_interval_of_a_spread_covers_it_also_where_few_people_carry_it():
    rng, held = np.random.default_rng(4), []
    for draw in (rng.standard_normal, rng.standard_exponential):
        for _ in range(100):
            values = draw(100)

            def spread(left_out, values=values):
                return np.delete(values, left_out).std(ddof=1)

            low, high = spread_ends(spread, values.std(ddof=1), len(values))
            held.append(low <= 1 <= high)
    assert np.mean(held) > 0.85
    assert spread_ends(lambda left_out: 1.0, 1.0, 4) is None, "too few to tell"


def test_small_groups_are_pooled_and_names_are_no_groups():
    people = [
        {"traits": {}, "demographics": {"job": "lawyer" if n < 5 else "writer" if n < 60 else "none", "zip": str(n),
                                        "age": str(18 + n % 50)}}
        for n in range(120)
    ]  # fmt: skip
    levels = levels_of(people)
    assert set(levels) == {"job", "age"}
    assert set(levels["job"]) == {"writer", "none", "others"}
    assert len(set(levels["age"])) == 3
    segments, _ = effects_by_segment(np.arange(120.0), np.zeros(120), levels, Paired())
    assert [segment.level for segment in segments if segment.attribute == "job"] == ["none", "writer"]
    ages = [segment.level.split()[0] for segment in segments if segment.attribute == "age"]
    assert ages == ["up", "over", "over"]


def test_a_difference_between_segments_is_found_and_noise_is_not():
    rng = np.random.default_rng(1)
    groups = {"side": ["a", "b"] * 100, "noise": ["x", "y", "y", "x"] * 50}
    effect = np.where(np.arange(200) % 2 == 0, 1.0, 0.0) + rng.normal(0, 1, 200)
    _, contrasts = effects_by_segment(effect, np.zeros(200), groups, Paired())
    found = {contrast.attribute: contrast.adjusted_p for contrast in contrasts}
    assert found["side"] < 0.001
    assert found["noise"] > 0.05


def test_welchs_analysis_of_variance_agrees_with_statsmodels():
    oneway = pytest.importorskip("statsmodels.stats.oneway").anova_oneway
    rng = np.random.default_rng(2)
    groups = [rng.normal(mean, spread, n) for mean, spread, n in ((0, 1, 30), (0.5, 2, 50), (0.2, 0.5, 25))]
    assert welch_anova_p_value(groups) == pytest.approx(oneway(groups, use_var="unequal").pvalue)
    assert welch_anova_p_value(groups[:1]) is None
