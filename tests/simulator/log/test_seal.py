"""A log that was changed after it was written says so, and where; a log that was not never does."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import warnings
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.canonical import absorb
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.seal_check import check_seals
from groundlings.simulator.log.store import open_log

SMALL = {
    "name": "sealed",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 30, "interactions_per_user": 8}},
    "simulation": {"days": 3},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {"kind": "scripted", "stars": 4},
    "plan": {"primary": "view_ratio"},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "ease", "recommender": "ease"}],
}

EASE_DAY_2 = "(SELECT session_id FROM sessions WHERE arm_id = 2 AND day = 1)"

EDITS = {
    f"UPDATE impressions SET clicked = 1 WHERE session_id IN {EASE_DAY_2}": "rows of arm ease, day 2 were changed",
    f"UPDATE impressions SET clicked = 7 WHERE session_id IN {EASE_DAY_2}": "rows of arm ease, day 2 were changed",
    "UPDATE impressions SET rating = 99 WHERE impression_id = 1": "rows of arm popular, day 1 were changed",
    "UPDATE impressions SET pscore = 0": "arm popular, days 1 to 3; arm ease, days 1 to 3 were changed",
    "UPDATE impressions SET position = 0": "were changed",
    "UPDATE impressions SET page = page + 1": "were changed",
    "UPDATE impressions SET examined = NOT coalesce(examined, 0)": "were changed",
    "UPDATE impressions SET rating = NULL": "were changed",
    "UPDATE sessions SET satisfaction = 9e999 WHERE arm_id = 1": "arm popular, days 1 to 3 were changed",
    "UPDATE events SET detail = 'x' WHERE event_id = 1": "rows of arm popular, day 1 were changed",
    "UPDATE events SET event_id = event_id + 100000 WHERE event_id = 1": "rows of arm popular, day 1 were removed",
    f"DELETE FROM impressions WHERE session_id IN {EASE_DAY_2}": "rows of arm ease, day 2 were removed",
    "DELETE FROM impressions": "were removed",
    "INSERT INTO sessions SELECT session_id + 1000, arm_id, agent_id, day, sim_time, policy_version, pscore_kind, "
    "pages, ended_by, satisfaction FROM sessions": "rows were added to sessions",
    "INSERT INTO memories VALUES (1, 0, 'visit', 'kind', 1.0)": "rows of arm popular, day 1 were changed",
    "INSERT INTO moods VALUES (9999, 1, 5, 0, '{}', NULL, NULL)": "rows were added to moods",
    "UPDATE arms SET name = 'best' WHERE arm_id = 2": "arm best was changed",
    "UPDATE agents SET persona = '{}' WHERE agent_id = 1": "rows of agents were changed",
    "UPDATE items SET title = 'x' WHERE item_id = 1": "rows of items were changed",
    "DELETE FROM items WHERE item_id = 30": "rows of items were removed",
    "UPDATE runs SET config = replace(config, 'view_ratio', 'exit_page')": "the configuration was changed",
    "UPDATE runs SET seed = 4": "runs.seed was changed",
    "UPDATE runs SET status = 'interrupted'": "the status was changed",
    "UPDATE runs SET identity = '{}'": "what the run depends on (runs.identity) was changed",
    "INSERT INTO accepted_changes SELECT 1, run_id, 'now', 'mind.code', 'a', 'b' FROM runs": "list of accepted changes",
    "DELETE FROM seals": "the seals were changed",
    "DELETE FROM seals WHERE seal_id = (SELECT max(seal_id) FROM seals)": "a seal that the log does not know",
    "DELETE FROM seals WHERE kind = 'rows'": "the seals were changed",
    "UPDATE seals SET content = 'x' WHERE seal_id = 6": "the seals were changed: seal 6",
    "DROP TABLE seals": "the seals of the log were taken away",
    "DROP TABLE interventions": "the table interventions was taken away",
    "DROP TABLE accepted_changes": "the table accepted_changes was taken away",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, blank_pictures_in_file):
    return run_experiment(ExperimentConfig.model_validate(SMALL), tmp_path_factory.mktemp("made") / "run").directory


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def change(run, *statements):
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        for statement in statements:
            log.execute(statement)


def invoke(arguments):
    cli._mount()
    return CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "300"})


def found_in(run):
    with LogReader(run) as log:
        return check_log(run, log, most_rows=None)


def test_a_run_that_nobody_touched_is_as_it_was_written(run):
    found = found_in(run)
    assert not found.faults
    assert found.seals.blocks == found.seals.blocks_read == 6
    assert str(found).startswith("as it was written (all ")


def test_without_its_manifest_a_log_still_tells_that_its_seals_are_gone(run):
    (run / "manifest.json").unlink()
    change(run, "DROP TABLE seals", "UPDATE impressions SET clicked = 1")
    assert found_in(run).faults == ("the seals of the log were taken away: it has no table of them",)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO seals SELECT max(seal_id) + 1, 'unsealed', '{}', '', '' FROM seals",
        "UPDATE seals SET kind = 'unsealed' WHERE kind = 'rows'",
    ],
)
def test_a_sealed_log_cannot_be_declared_one_of_an_earlier_version(run, statement):
    (run / "manifest.json").unlink()
    change(run, statement)
    assert "the seals were changed" in str(found_in(run))


def test_a_manifest_that_is_nested_without_end_is_named(run):
    (run / "manifest.json").write_text("[" * 100_000)
    assert found_in(run).faults == ("manifest.json cannot be read",)


@pytest.mark.parametrize("statement", EDITS, ids=lambda statement: statement[:60])
def test_an_edit_is_named_by_what_it_touched(run, statement):
    change(run, statement)
    assert EDITS[statement] in str(found_in(run))


def test_a_finished_run_that_was_edited_is_not_blessed_by_resuming_it(run):
    before = (run / "manifest.json").read_bytes()
    change(run, f"UPDATE impressions SET clicked = 1 WHERE session_id IN {EASE_DAY_2}")
    with pytest.raises(RunDirectoryError, match="rows of arm ease, day 2 were changed after they were written"):
        resume_experiment(run)
    assert (run / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["DELETE FROM seals", "INSERT INTO seals VALUES (1, 'unsealed', '{}', '', '')",
             "UPDATE impressions SET clicked = 1"],
            "the seals of the log were taken away: manifest.json holds one",
        ),
        (
            ["DELETE FROM seals WHERE seal_id = (SELECT max(seal_id) FROM seals)"],
            "manifest.json holds a seal that the log does not know",
        ),
    ],
)  # fmt: skip
def test_what_a_manifest_tells_of_a_changed_log_is_not_written_over_by_resuming_it(run, statements, said):
    before = (run / "manifest.json").read_bytes()
    change(run, *statements)
    with pytest.raises(RunDirectoryError, match=f"{said}; nothing was written, restore the run from a copy"):
        resume_experiment(run)
    assert (run / "manifest.json").read_bytes() == before


def test_every_command_names_what_was_changed(run, tmp_path):
    change(run, f"UPDATE impressions SET clicked = 1 - clicked WHERE session_id IN {EASE_DAY_2}")
    for command in (["compare"], ["report"], ["runs", "show"], ["digest"], ["run", "--resume"]):
        said = invoke([*command, str(run)])
        told = f"{said.output} {said.exception} {getattr(said, 'stderr', '')}"
        if command == ["report"]:
            told += (run / "report.html").read_text()
        assert "rows of arm ease, day 2 were changed" in " ".join(told.split()), command
    with pytest.warns(RunWarning, match="rows of arm ease, day 2 were changed"):
        export_run(run, "parquet", tmp_path / "out")
    sheet = json.loads((tmp_path / "out" / "datasheet.json").read_text())
    assert "rows of arm ease" in sheet["changed_since_written"][0]
    assert sheet["digest"] != json.loads((run / "manifest.json").read_text())["digest"]


def test_the_digest_of_an_edited_run_is_that_of_its_rows_and_not_the_manifests(run):
    written = json.loads((run / "manifest.json").read_text())["digest"]
    shown = invoke(["runs", "show", str(run)]).output
    assert written in shown
    change(run, "UPDATE impressions SET clicked = 1")
    assert written not in invoke(["runs", "show", str(run)]).output
    assert invoke(["digest", str(run)]).exit_code != 0


def test_a_declared_metric_that_was_swapped_afterwards_supports_nothing(run):
    change(run, "UPDATE runs SET config = replace(config, 'view_ratio', 'exit_page')")
    said = invoke(["compare", str(run)]).output
    assert "the configuration was changed" in said
    assert "not supported" in said


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda content: {**content, "digest": "0" * 64}, "manifest.json was changed"),
        (lambda content: {**content, "seal": "0" * 64}, "holds a seal that the log does not know"),
        (lambda content: {key: value for key, value in content.items() if key != "seal"}, "its seal is missing"),
    ],
)
def test_a_manifest_that_was_changed_is_named(run, edit, said):
    path = run / "manifest.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    assert said in str(found_in(run))


@pytest.mark.parametrize("content", [{}, {"digest": "0" * 64}, {"digest": "0" * 64, "seal": None}])
def test_a_manifest_without_its_seal_is_not_believed(run, content):
    (run / "manifest.json").write_text(json.dumps(content))
    assert found_in(run).faults == ("manifest.json was changed: its seal is missing",)
    assert "0" * 12 not in invoke(["runs", "show", str(run)]).output


def test_a_manifest_that_is_missing_is_named_and_written_again_by_resuming(run):
    (run / "manifest.json").unlink()
    told = r"manifest\.json, which was written when the run ended, is missing"
    with pytest.warns(RunWarning, match=told):
        assert not found_in(run).faults
    for command in (["runs", "show", str(run)], ["compare", str(run)], ["digest", str(run)]):
        with pytest.warns(RunWarning, match=told):
            assert invoke(command).exit_code == 0
    resume_experiment(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RunWarning)
        found_in(run)


@pytest.mark.parametrize("left", [None, b""])
def test_a_run_that_had_ended_and_lost_its_log_is_not_simulated_anew(run, left):
    (run / "log.db").unlink()
    if left is not None:
        (run / "log.db").write_bytes(left)
    manifest = (run / "manifest.json").read_bytes()
    with pytest.raises(RunDirectoryError, match=r"manifest\.json says that the run had ended; restore the log"):
        resume_experiment(run)
    assert (run / "manifest.json").read_bytes() == manifest
    assert not (run / "log.db").is_file() or not (run / "log.db").stat().st_size


def test_a_finished_run_that_is_measured_again_stays_as_it_was_written(run):
    resume_experiment(run)
    assert not found_in(run).faults
    assert len(found_in(run).seals.manifests) == 2


def test_a_run_cut_short_at_any_commit_is_sealed_so_far_and_goes_on_to_the_same_digest(made, tmp_path):
    digest = json.loads((made / "manifest.json").read_text())["digest"]
    run = shutil.copytree(made, tmp_path / "cut")
    (run / "manifest.json").unlink()
    with closing(sqlite3.connect(run / "log.db")) as log, log:  # as after a kill behind the third commit
        seal = log.execute("SELECT covers FROM seals WHERE kind = 'rows' ORDER BY seal_id LIMIT 1 OFFSET 2").fetchone()
        for name, key in (("sessions", "session_id"), ("impressions", "impression_id"), ("events", "event_id")):
            first, count = json.loads(seal[0])[name]
            log.execute(f"DELETE FROM {name} WHERE {key} >= ?", (first + count,))
        last = log.execute("SELECT seal_id FROM seals WHERE kind = 'rows' LIMIT 1 OFFSET 2").fetchone()[0]
        log.execute("DELETE FROM seals WHERE seal_id > ?", (last,))
        log.execute("UPDATE runs SET status = 'running', finished_at = NULL")
    assert not found_in(run).faults
    assert resume_experiment(run).digest == digest
    assert not found_in(run).faults


def test_a_log_of_an_earlier_version_has_no_seals_and_that_is_no_fault(run):
    change(run, "DROP TABLE seals", "DELETE FROM schema_migrations WHERE number >= 4")
    (run / "manifest.json").unlink()
    found = found_in(run)
    assert not found.faults
    assert str(found) == "not sealed (written by an earlier version)"
    shown = invoke(["runs", "show", str(run)]).output
    assert "not sealed (written by an earlier version)" in shown


def test_a_large_log_is_checked_by_blocks_drawn_at_random_and_says_with_which_chance(run):
    engine = open_log(run)
    found = check_seals(engine, most_rows=1)
    engine.dispose()
    assert found.blocks_read == 1
    assert found.chance == pytest.approx(1 / 6)
    with LogReader(run) as log:
        assert "1 of 6 blocks of rows, drawn at random" in str(check_log(run, log, most_rows=1))


numbers = st.one_of(st.none(), st.floats(), st.just(-0.0))
whole = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))


def hashed(kind, column):
    total = hashlib.sha256()
    absorb(total, (kind,), (column,))
    return total.hexdigest()


@given(st.lists(numbers, min_size=1))
def test_floats_hash_alike_as_an_array_and_as_sqlite_gives_them_back(values):
    array = np.array([np.nan if value is None else value for value in values])
    assert hashed("float", array) == hashed("float", as_stored("REAL", values))


@given(st.lists(whole, min_size=1))
def test_integers_hash_alike_before_and_after_sqlite_and_apart_when_one_differs(values):
    stored = as_stored("INTEGER", values)
    assert hashed("integer", values) == hashed("integer", stored)
    for place, value in enumerate(values):
        other = [*values[:place], 0 if value is None else None, *values[place + 1 :]]
        assert hashed("integer", values) != hashed("integer", other)


@given(st.lists(st.one_of(st.none(), st.text(st.characters(blacklist_categories=["Cs"]))), min_size=1))
def test_texts_hash_alike_before_and_after_sqlite_and_apart_when_cut_elsewhere(values):
    assert hashed("text", values) == hashed("text", as_stored("TEXT", values))
    known = [value for value in values if value]
    if known:
        assert hashed("text", values) != hashed("text", [*values, ""])
        assert hashed("text", [known[0], ""]) != hashed("text", ["", known[0]])


def as_stored(kind, values):
    with closing(sqlite3.connect(":memory:")) as log:
        log.execute(f"CREATE TABLE kept (place INTEGER PRIMARY KEY, value {kind})")
        log.executemany("INSERT INTO kept (value) VALUES (?)", [(value,) for value in values])
        return [value for (value,) in log.execute("SELECT value FROM kept ORDER BY place")]


FOREIGN = {
    "trigger honest on impressions": "CREATE TRIGGER honest AFTER INSERT ON impressions "
    "BEGIN UPDATE impressions SET clicked = 1; END",
    "view seen": "CREATE VIEW seen AS SELECT * FROM impressions",
    "table notes": "CREATE TABLE notes (text TEXT)",
    "index mine on impressions": "CREATE INDEX mine ON impressions (item_id)",
    "column note of sessions": "ALTER TABLE sessions ADD COLUMN note TEXT",
}


@pytest.mark.parametrize("named", FOREIGN)
def test_what_does_not_belong_into_a_log_is_refused_for_writing_and_named_for_reading(run, named):
    change(run, FOREIGN[named])
    with pytest.raises(RunDirectoryError, match=named):
        resume_experiment(run)
    with pytest.warns(RunWarning, match=named):
        found = found_in(run)
    assert found.foreign == (named,)
    assert not found.faults


def test_a_view_in_the_place_of_a_table_is_not_read(run):
    change(run, "ALTER TABLE moods RENAME TO kept", "CREATE VIEW moods AS SELECT * FROM kept")
    with pytest.raises(RunDirectoryError, match="moods is a view, expected a table"):
        LogReader(run)
