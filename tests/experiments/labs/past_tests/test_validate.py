"""`groundlings validate` reads a table of past tests and finished runs, and `compare --past-tests` applies it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError, RunWarning
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.cli.compare import compare as compare_command
from groundlings.experiments.cli.validate import validate as validate_command
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.labs.past_tests.correction import PastTests, correct, read_past_tests
from groundlings.experiments.labs.past_tests.counterpart import counterpart, read_run
from groundlings.experiments.labs.past_tests.lab import FILE_NAME
from groundlings.experiments.labs.past_tests.slope import Slope
from groundlings.experiments.labs.past_tests.tests_file import read_columns, read_tests
from groundlings.experiments.python_api.comparison import compare_runs
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader

EXPERIMENT = {
    "name": "shoes",
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "site": {"page_size": 5, "max_pages": 2},
    "mind": "behavioural",
    "arms": [
        {"name": "popular", "recommender": "popular"},
        {"name": "ease", "recommender": "ease"},
        {"name": "random", "recommender": "random_order"},
    ],
}
HEADER = "experiment,arm,metric,effect,low,high,run"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three finished runs, one of each seed, and their experiment files."""
    place = tmp_path_factory.mktemp("past")
    for seed in (1, 2, 3):
        path = place / f"{seed}.yaml"
        path.write_text(yaml.safe_dump({**EXPERIMENT, "seed": seed}))
        run_experiment(load_config(path), place / f"run-{seed}")
    return place


@pytest.fixture(scope="module", autouse=True)
def _quick_report():
    """Reports that take no time to draw: no test here reads one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "groundlings.experiments.analysis.report.write_report",
            lambda directory, *_: (directory / "report.html").write_text("drawn"),
        )
        yield


def lift(folder: Path, seed: int, arm: str, metric: str = "likes_per_session"):
    with LogReader(folder / f"run-{seed}") as log:
        outcomes = read_outcomes(log)
    values = {each.name: each.values(metric) for each in outcomes.arms}
    return outcomes.estimator.lift(values[arm], values["popular"])


@pytest.fixture
def table(tmp_path):
    """Writes a table."""

    def written(*lines: str, header: str = HEADER) -> Path:
        path = tmp_path / "tests.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    return written


@pytest.fixture(scope="module")
def validated(folder, tmp_path_factory) -> tuple[Path, str]:
    """Where the findings on six tests lie, whose real effects are 40 % of the simulated ones, and what was printed."""
    place, lines = tmp_path_factory.mktemp("validated"), [HEADER]
    for seed in (1, 2, 3):
        for arm in ("ease", "random"):
            effect = 0.4 * lift(folder, seed, arm).mean
            ends = f"{effect - 0.02},{effect + 0.02}"
            lines.append(f"test {seed}{arm},{arm},likes_per_session,{effect},{ends},{folder / f'run-{seed}'}")
    (place / "tests.csv").write_text("\n".join(lines) + "\n")
    told = printed(validate_command, place / "tests.csv", "--scale", "relative", "--out", place / "out")
    return place / "out", told


def printed(command, *arguments: object) -> str:
    """What a command prints, and what it complains of."""
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    assert "Traceback" not in done.output
    return f"{done.output}{done.exception or ''}"


def test_real_effects_that_are_a_part_of_the_simulated_ones_give_that_slope_and_correct_the_next_comparison(
    validated, folder
):
    out, told = validated
    content = json.loads((out / FILE_NAME).read_text())
    assert content["slope"]["value"] == pytest.approx(0.4, abs=0.1)
    assert content["slope"]["low"] < 0.4 < content["slope"]["high"]
    assert [test["arm"] for test in content["tests"]] == ["ease", "random"] * 3
    wanted = lift(folder, 2, "ease")
    (test,) = [each for each in content["tests"] if (each["experiment"], each["arm"]) == ("test 2ease", "ease")]
    assert (test["simulated"], test["simulated_error"]) == pytest.approx((wanted.mean, wanted.standard_error))
    assert test["real_error"] == pytest.approx(0.02 / 1.96, rel=0.001)
    figures = {(each["metric"], each["guess"]): each["value"] for each in content["records"]}
    assert figures["sign agreement", "simulation"] == 1.0
    assert "SimGym (Shopify): sign agreement .77 of 50 tests" in told
    assert "In 6 past tests of 6 experiments real effects were 0.4" in told
    page = (out / "validate.html").read_text()
    assert "<svg" in page
    assert "test 3random" in page

    past = out / FILE_NAME
    compared = printed(compare_command, folder / "run-1", "--past-tests", past)
    assert "corrected effect of ease on" in compared or "no past test was on" in compared
    as_json = json.loads(printed(compare_command, folder / "run-1", "--past-tests", past, "--json"))
    assert [each["arm"] for each in as_json["past_tests"]] == ["ease", "random"]


def test_the_page_is_fit_for_phone_paper_and_screen_readers(validated, fit_for_everybody):
    fit_for_everybody(validated[0] / "validate.html")


def test_the_corrected_effect_is_the_simulated_one_times_the_slope(validated, tmp_path):
    path = tmp_path / "planned.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, "seed": 9, "plan": {"primary": "likes_per_session"}}))
    run_experiment(load_config(path), tmp_path / "run")
    out, _ = validated
    found = json.loads(printed(compare_command, tmp_path / "run", "--past-tests", out / FILE_NAME, "--json"))
    slope = Slope(**json.loads((out / FILE_NAME).read_text())["slope"])
    for each, arm in zip(found["past_tests"], found["arms"], strict=True):
        lift_of_arm = arm["headline"]["lift"]
        expected, error = slope.predict(lift_of_arm["mean"], lift_of_arm["standard_error"])
        assert (each["simulated"], each["expected"]) == (lift_of_arm["mean"], expected)
        assert abs(expected) < abs(each["simulated"])
        assert each["high"] - each["low"] == pytest.approx(2 * slope.quantile * error)
        assert "in 6 past tests of 6 experiments real effects were" in each["words"]


def test_a_metric_without_past_tests_is_not_corrected(validated, folder, tmp_path):
    out, _ = validated
    content = json.loads((out / FILE_NAME).read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**content, "metrics": ["something_else"]}))
    (first, *_) = json.loads(printed(compare_command, folder / "run-1", "--past-tests", other, "--json"))["past_tests"]
    assert first["expected"] is None
    assert "no past test was on" in first["words"]


def test_columns_of_other_names_percent_and_absolute_effects_are_read(table, folder, tmp_path):
    run = folder / "run-1"
    header = "test,variant,kpi,uplift,se,run"
    path = table(f"a,ease,likes_per_session,5,1,{run}", f"b,random,likes_per_session,4,1,{run}", header=header)
    named = [
        part
        for key, name in (
            ("experiment", "test"), ("arm", "variant"), ("metric", "kpi"), ("effect", "uplift"),
            ("standard_error", "se"),
        )
        for part in ("--column", f"{key}={name}")
    ]  # fmt: skip
    refused = printed(validate_command, path, "--scale", "relative", *named)
    assert "add --percent" in refused
    printed(validate_command, path, "--scale", "relative", "--percent", *named, "--out", tmp_path / "a")
    percent = json.loads((tmp_path / "a" / FILE_NAME).read_text())
    assert [(each["real"], each["real_error"]) for each in percent["tests"]] == [(0.05, 0.01), (0.04, 0.01)]
    assert percent["slope"] is None
    printed(validate_command, path, "--scale", "absolute", *named, "--out", tmp_path / "b")
    absolute = json.loads((tmp_path / "b" / FILE_NAME).read_text())
    assert absolute["tests"][0]["simulated"] != percent["tests"][0]["simulated"]


def test_experiment_files_are_simulated_only_when_asked(table, folder, tmp_path):
    header = "experiment,arm,metric,effect,standard_error,config"
    rows = [f"{seed},ease,likes_per_session,0.2,0.05,{folder / f'{seed}.yaml'}" for seed in (1, 1.5, 2)]
    rows[1] = rows[1].replace("1.5,ease", "1,random").replace("1.5.yaml", "1.yaml")
    path = table(*rows, header=header)
    assert "add --run" in printed(validate_command, path, "--scale", "relative", "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    printed(validate_command, path, "--scale", "relative", "--run", "--out", tmp_path / "out")
    content = json.loads((tmp_path / "out" / FILE_NAME).read_text())
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 2  # one file has two tests
    assert content["tests"][0]["simulated"] == pytest.approx(lift(folder, 1, "ease").mean)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,esae,likes_per_session,.1,.05,.2,RUN", ["line 2", "no arm 'esae'", "'popular', 'ease', 'random"]),
        ("a,popular,likes_per_session,.1,.05,.2,RUN", ["line 2", "is the baseline"]),
        ("a,ease,clicks_per_moon,.1,.05,.2,RUN", ["line 2", "no metric 'clicks_per_moon'"]),
        ("a,ease,likes_per_session,.3,.05,.2,RUN", ["line 2", "found 0.3", "inside its interval"]),
        ("a,ease,likes_per_session,.3,.3,.3,RUN", ["line 2", "found 0.3", "an interval with some width"]),
        ("a,ease,likes_per_session,nan,.05,.2,RUN", ["line 2", "a finite number"]),
        ("a,ease,likes_per_session,.1,.05,.2,", ["line 2", "no run and no config"]),
        ("a,ease,likes_per_session,.1,.05,.2,nowhere", ["nowhere"]),
        ("a,,likes_per_session,.1,.05,.2,RUN", ["line 2", "the cell is empty", "the arm"]),
    ],
)
def test_what_cannot_be_matched_is_named_with_its_line(table, folder, tmp_path, row, words):
    path = table(row.replace("RUN", str(folder / "run-1")))
    told = printed(validate_command, path, "--scale", "relative", "--out", tmp_path / "out")
    for word in words:
        assert word in told


@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_a_copy_of_an_arm_tells_nothing_and_is_no_effect_without_error(folder, tmp_path, scale):
    run = read_run(folder / "run-1", "the table")
    copy = replace(run.baseline, name="copy", identical=True)
    twin = replace(run.arms[1], name="twin")
    copied = replace(run, arms=(*run.arms, copy, twin))
    (tmp_path / "tests.csv").write_text(
        f"{HEADER},baseline\na,copy,likes_per_session,.1,0,.2,run,\na,twin,likes_per_session,.1,0,.2,run,ease\n"
    )
    first, second = read_tests(tmp_path / "tests.csv", {}, scale)
    with pytest.raises(DataError, match=r"line 2: 'copy' against 'popular' tells nothing of .*: they are identical, "):
        counterpart(first, copied, scale)
    with pytest.raises(
        DataError, match=r"line 3: 'twin' against 'ease' tells nothing of .*: the difference is the same for"
    ):
        counterpart(second, copied, scale)


def test_the_effect_of_a_copy_is_not_corrected(folder):
    found = compare_runs(folder / "run-1").findings
    headline = replace(found.arms[0].headline, identical=True)
    same = replace(found, arms=(replace(found.arms[0], headline=headline),))
    (corrected,) = correct(same, PastTests(Slope(**GOOD), "relative", (found.plan.primary,)))
    assert corrected.expected is None
    assert corrected.words == "ease: identical to popular, so the simulated effect has no error: not corrected"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scale", "both"), "expected relative or absolute"),
        (("--scale", "absolute", "--percent"), "only relative effects are in percent"),
        (("--scale", "relative", "--column", "effekt=x"), "expected KEY=NAME"),
        (("--scale", "relative", "--metric", "exit_page"), "no test is on the metric"),
        (("--scale", "relative", "--column", "low=lo"), "is not in the header"),
    ],
)
def test_options_that_cannot_be_right_are_refused(validated, arguments, told):
    assert told in printed(validate_command, validated[0].parent / "tests.csv", *arguments)


def test_columns_that_nobody_reads_are_named_with_those_that_are(table, folder):
    """A misspelt `baseline` would be left out in silence, and effects held against the first arm."""
    path = table(f"a,ease,likes_per_session,0.1,0.0,0.2,{folder / 'run-1'},random,x", header=f"{HEADER},base_line,note")
    with pytest.warns(RunWarning, match=r"not read: the columns 'base_line', 'note'; .*baseline are read"):
        (found,) = read_tests(path, {}, "relative")
    assert found.baseline is None


def test_a_column_is_named_once(folder):
    assert read_columns(["low=from", "high=to"]) == {"low": "from", "high": "to"}
    with pytest.raises(ConfigError, match=r"--column low=to: low is low=from already"):
        read_columns(["low=from", "low=to"])


@pytest.mark.parametrize("past_tests", ["x", -1, True, 1.5, None])
def test_a_count_of_past_tests_that_is_none_is_refused(folder, past_tests):
    with pytest.raises(ConfigError, match=r"past_tests: found .*, expected how many past tests there were, 0 or more"):
        compare_runs(folder / "run-1", past_tests=past_tests)


def test_absolute_effects_of_two_metrics_have_no_common_slope(table, folder):
    run = folder / "run-1"
    path = table(f"a,ease,likes_per_session,.1,.05,.2,{run}", f"a,ease,view_ratio,.1,.05,.2,{run}")
    assert "have different units" in printed(validate_command, path, "--scale", "absolute")


GOOD = {
    "value": 0.4, "error": 0.1, "low": 0.2, "high": 0.6, "spread": 0.1, "rest": 0.01, "n": 9, "n_experiments": 5,
    "largest": 0.3,
}  # fmt: skip


@pytest.mark.parametrize(
    "slope",
    [
        3,
        {},
        {**GOOD, "value": "large"},
        {**GOOD, "error": -1},
        {**GOOD, "rest": float("inf")},
        {**GOOD, "low": "low"},
        {**GOOD, "n": 2.5},
        {**GOOD, "n_experiments": 10},
        {**GOOD, "more": 1},
        {**GOOD, "n": 10**400, "n_experiments": 10**400},
    ],
)
def test_another_file_is_no_past_tests(tmp_path, slope):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"slope": slope, "scale": "relative", "metrics": ["likes_per_session"]}))
    with pytest.raises(RunDirectoryError, match="not a file of `groundlings validate`"):
        read_past_tests(path)
    path.write_text(json.dumps({"slope": GOOD, "scale": "relative", "metrics": ["likes_per_session"]}))
    assert read_past_tests(path).slope.value == 0.4


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"slope": null, "scale": "relative", "metrics": "view_ratio"}',
        '{"slope": null, "scale": ["relative"], "metrics": []}',
    ],
)
def test_past_tests_that_are_none_are_refused_in_one_message(tmp_path, content):
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(RunDirectoryError, match="not a file of `groundlings validate`"):
        read_past_tests(tmp_path / FILE_NAME)


@pytest.mark.parametrize(("name", "figure"), [("rest", 1e200), ("value", True), ("low", float("nan")), ("n", "6")])
def test_figures_of_a_slope_that_cannot_be_are_refused(tmp_path, name, figure):
    slope = asdict(Slope(0.5, 0.1, 0.2, 0.8, 1.0, 0.1, 6, 6, 0.3)) | {name: figure}
    (tmp_path / FILE_NAME).write_text(json.dumps({"slope": slope, "scale": "relative", "metrics": ["view_ratio"]}))
    with pytest.raises(RunDirectoryError, match="not a file of `groundlings validate`"):
        read_past_tests(tmp_path / FILE_NAME)


@pytest.mark.parametrize("row", ["1e308,-1e308,1e308", "1e-320,-1e-310,1e-310", "0.1,-1e101,1"])
def test_an_effect_whose_square_is_no_number_is_refused_by_line(tmp_path, row):
    (tmp_path / "tests.csv").write_text(f"{HEADER}\ne,ease,view_ratio,{row},run-1\n")
    with pytest.raises(
        DataError, match=r"line 2: column .* found '.*', expected 0, or a number from 1e-100 to 1e\+100"
    ):
        read_tests(tmp_path / "tests.csv", {}, "absolute")


def test_a_run_that_is_gone_is_told_with_the_line_that_names_it(folder, tmp_path):
    (tmp_path / "tests.csv").write_text(f"{HEADER}\ne,ease,view_ratio,0.1,0,0.2,gone\n")
    (test,) = read_tests(tmp_path / "tests.csv", {}, "relative")
    with pytest.raises(DataError, match=r"tests.csv, line 2: .*gone"):
        read_run(test.run, test.where)
