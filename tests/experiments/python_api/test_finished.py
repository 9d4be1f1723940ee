"""A run as an object: what it reads from the log is what the log holds, and what nobody knows is missing."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import groundlings as gl
from groundlings.experiments.analysis.answer.terminal import print_comparison
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.verdict import Word
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.python_api.comparison import WORDS, Comparison, check_words, compare_runs, has_verdict
from groundlings.experiments.running.held_out.later import measured_later
from groundlings.simulator.log.reader import LogReader

READ = {"persona": json.loads, "options": json.loads, "genres": lambda text: tuple(filter(None, text.split("|")))}
"""How values that SQL has no type for are read."""
TABLES = ("impressions", "sessions", "events", "calls", "agents", "items", "arms")


def rows(run: Path, sql: str) -> list[dict[str, object]]:
    with sqlite3.connect(run / "log.db") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


@pytest.fixture(scope="module")
def run(small_run) -> gl.Run:
    """Four arms, with a language model, people who cannot be read, and hostile titles."""
    return gl.open_run(small_run)


@pytest.mark.parametrize("table", TABLES)
def test_a_frame_has_the_rows_and_values_of_its_table(run, small_run, table):
    frame, key = getattr(run, table)(), {"impressions": "impression_id"}.get(table, f"{table[:-1]}_id")
    stored = pd.DataFrame(rows(small_run, f"SELECT * FROM {table} ORDER BY {key}"))
    assert len(frame) == len(stored) > 0
    for column, read in READ.items():
        if column in stored:
            stored[column] = stored[column].map(read)
    for column in set(stored.columns) & set(frame.columns) - {"item_id"}:  # a number there, the data set's id here
        known = stored[column].notna().to_numpy()
        assert frame[column].isna().to_numpy().tolist() == (~known).tolist(), column
        values = [float(value) if isinstance(value, (bool, np.bool_)) else value for value in frame[column][known]]
        assert values == stored[column][known].tolist(), column


def test_names_and_ids_stand_beside_each_row(run, small_run):
    sql = """
        SELECT arms.name, source_user_id, source_item_id, team_arm_id FROM impressions
        JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id)
        JOIN items USING (item_id)
        ORDER BY impression_id
    """
    stored = pd.DataFrame(rows(small_run, sql))
    found = run.impressions()
    assert found.arm.tolist() == stored.name.tolist()
    assert found.user_id.tolist() == stored.source_user_id.tolist()
    assert found.item_id.tolist() == stored.source_item_id.tolist()
    assert found.team.isna().all()


def test_what_nobody_knows_is_missing_and_neither_false_nor_zero(run):
    clicked = run.impressions().clicked
    assert str(clicked.dtype) == "boolean"
    assert clicked.isna().any(), "one person's replies cannot be read"
    assert run.impressions().examined.isna().all(), "a language mind does not say what it looked at"
    assert run.impressions().rating.isna().any()
    assert run.sessions().satisfaction.isna().any()
    assert str(run.items().year.dtype) == "Int64"
    assert run.items().year.isna().any()


def test_empty_tables_keep_the_types_of_their_columns(run, experiment, tmp_path):
    calls = experiment(days=1).run(tmp_path / "run").calls()
    assert len(calls) == 0
    assert str(calls.from_store.dtype) == "boolean"


def test_interactions_are_what_was_opened(run):
    opened = run.impressions().query("clicked == True")
    found = run.interactions()
    assert found[["arm", "user_id", "item_id"]].values.tolist() == opened[["arm", "user_id", "item_id"]].values.tolist()
    assert set(found.columns) == {
        "arm",
        "user_id",
        "item_id",
        "rating",
        "timestamp",
        "day",
        "session_id",
        "impression_id",
    }
    assert found.timestamp.min() > 1000


def test_interactions_of_a_run_are_a_data_set(run):
    found = run.interactions().query("arm == 'best'").drop_duplicates(["user_id", "item_id", "timestamp"])
    assert (
        gl.Experiment(dataset=found, arms={"popular": "popular"}, seed=1, mind="scripted")
        .history()
        .item_id.notna()
        .all()
    )


def test_metrics_are_those_of_the_summary_with_their_denominators(run, small_run):
    frame, summary = run.metrics(), run.summary()
    assert len(frame) == len(summary.arms) * len(METRICS)
    for row in frame.to_dict("records"):
        (arm,) = (arm for arm in summary.arms if arm.name == row["arm"])
        estimate = arm.metrics[row["metric"]]
        assert (row["agents"], row["agents_without"]) == (estimate.n, estimate.excluded)
        for column, value in (("value", estimate.mean), ("low", estimate.low), ("high", estimate.high)):
            assert row[column] == value or (value is None and np.isnan(row[column]))
    known = "SELECT count(clicked) AS n FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) "
    (stored,) = rows(small_run, known + "WHERE name = 'chance'")
    (found,) = frame.query("arm == 'chance' and metric == 'view_ratio'").denominator_total
    assert found == stored["n"]
    assert frame.query("metric == 'view_ratio'").denominator.tolist() == ["known"] * 4


def test_a_notebook_shows_a_short_table_with_nothing_unescaped(run):
    page = run._repr_html_()
    assert "good &amp; &lt;new&gt;" in page
    assert "<new>" not in page
    assert page.count("<tr") == 2 + 4


def test_a_run_says_where_its_page_lies_and_what_its_digest_is(run, small_run, in_process):
    assert run.report == small_run / "report.html"
    assert run.digest == in_process("digest", small_run).stdout.strip()
    assert str(run) == str(small_run)
    assert run.cells == (run,)


# Comparisons


def test_a_comparison_prints_what_the_terminal_prints(run, small_run, capsys, in_process):
    comparison = run.compare()
    with LogReader(small_run) as log:
        found = compare_run(small_run, log, held_out=measured_later(small_run, log))
        print_comparison(comparison.answer, found, Console(width=100, file=sys.stdout))
    printed = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
    assert [line.rstrip() for line in str(comparison).splitlines()] == printed
    done = in_process("compare", small_run, "--json")
    assert json.loads(json.dumps(comparison.as_dict(), default=str)) == json.loads(done.stdout)


def test_effects_are_a_row_per_arm_and_metric_with_intervals(run):
    comparison = run.compare()
    effects = comparison.effects
    arms = [arm.name for arm in comparison.findings.arms]
    assert len(effects) == len(arms) * len(METRICS)
    primary = effects.query("role == 'primary'").set_index("arm")
    for arm in comparison.findings.arms:
        found = primary.loc[arm.name]
        assert found.effect == arm.headline.effect.difference
        assert (found.low, found.high) == (arm.headline.effect.low, arm.headline.effect.high)
        assert found.verdict == arm.word
    assert effects.query("role != 'primary'").verdict.isna().all()
    assert "<script" not in comparison._repr_html_()


def test_the_verdict_is_the_weakest_of_the_arms(run, monkeypatch):
    comparison = run.compare()
    words = dict(zip(comparison.verdicts, ("validated", "indicative"), strict=False))
    assert comparison.verdict == max(comparison.verdicts.values(), key=WORDS.index)
    monkeypatch.setattr(Comparison, "verdicts", property(lambda _: words))
    assert comparison.verdict == ("indicative" if len(words) > 1 else "validated")
    monkeypatch.setattr(Comparison, "verdicts", property(lambda _: {}))
    assert comparison.verdict is None
    with pytest.raises(gl.RunDirectoryError, match="gives no verdict"):
        has_verdict(comparison, ["validated"])


# compare --fail-on


@pytest.fixture
def compared(in_process):
    return lambda run, *options: in_process("compare", run, *options)


def test_compare_fails_on_the_verdicts_that_are_named_and_on_no_others(run, small_run, compared):
    verdicts = set(run.compare().verdicts.values())
    absent: Word = next(word for word in WORDS if word not in verdicts)
    present = next(iter(verdicts))
    assert compared(small_run, "--fail-on", absent).returncode == 0
    done = compared(small_run, "--fail-on", absent, "--fail-on", present)
    assert (done.returncode, done.stderr) == (3, "")
    assert present in done.stdout, "the comparison is printed all the same"
    as_json = compared(small_run, "--json", "--fail-on", present)
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["arms"]


def test_a_word_that_no_verdict_has_is_refused(small_run, compared):
    done = compared(small_run, "--fail-on", "unsupported")
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "--fail-on: found 'unsupported', expected 'validated', 'indicative', 'not supported'" in told
    with pytest.raises(gl.ConfigError):
        check_words(["validated", "good"])
    check_words(WORDS)


def test_a_run_without_a_verdict_does_not_pass_in_silence(experiment, tmp_path, compared):
    run = experiment(days=1, design="interleaving").run(tmp_path / "run")
    assert run.compare().verdict is None
    assert run.impressions().team.isin(["popular", "ease"]).all()
    done = compared(run.directory, "--fail-on", "not supported")
    assert done.returncode == 2
    assert "gives no verdict" in done.stderr


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: gl.open_run(None), "directory: found None, expected a path"),
        (lambda run: gl.open_run("a" * 5000), "directory: found .* a path has at most 4000 bytes"),
        (
            lambda run: gl.open_run(run.directory, metrics=["ctr"]),
            r"metrics\[0\]: found 'ctr', expected a groundlings.Me",
        ),
        (lambda run: gl.resume(run), r"directory: found Run\(.*, expected a path"),
        (
            lambda run: gl.resume(run.directory, accept_changes="no"),
            "accept_changes: found 'no', expected True or False",
        ),
        (lambda run: gl.resume(run.directory, data=5), "data: found 5, expected a path"),
        (lambda run: gl.Experiment.from_file(5), "path: found 5, expected a path"),
        (lambda run: run.compare(fidelity=5), "fidelity: found 5, expected a path"),
        (lambda run: run.compare(truth=5), "truth: found 5, expected a path"),
        (
            lambda run: run.compare(variants=[str(run)]),
            r"variants: found .*, expected a list of runs, such as \[ground",
        ),
        (lambda run: run.compare(variants=run), "variants: found Run.*, expected a list of runs"),
        (lambda run: compare_runs(None), "directory: found None, expected a path"),
        (lambda run: compare_runs(run.directory, variants=str(run)), "variants: found .*, expected a list of run dire"),
        (lambda run: LogReader(5), "log: found 5, expected a path"),
    ],
)
def test_what_is_no_path_and_no_run_is_refused_with_the_name_of_its_argument(run, ask, said):
    with pytest.raises(gl.ConfigError, match=said):
        ask(run)


def test_a_directory_may_be_named_by_its_text_wherever_a_path_may(run):
    assert gl.Run(str(run)).digest == run.digest
    with LogReader(str(run)) as log:
        assert log.digest() == run.digest
    with pytest.raises(gl.RunDirectoryError, match="the same run is named twice"):
        compare_runs(str(run), variants=[str(run)])
