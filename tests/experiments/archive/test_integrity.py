"""A log that something has changed is named as damaged by whoever reads it, and a fault of our own is not."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

import groundlings as gl
from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.cli import main as cli
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("blank_pictures")

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": {"kind": "scripted", "stars": 4},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "again", "recommender": "popular"}],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, leave_pictures_blank):
    config = ExperimentConfig.model_validate({**SMALL, "held_out": False})
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        return run_experiment(config, tmp_path_factory.mktemp("made") / "run").directory


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def change(run, statement):
    with closing(sqlite3.connect(run / "log.db")) as log, log:
        log.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE schema_migrations", r"log\.db: the log holds a run, and no table schema_migrations says"),
        ("DROP TABLE interventions", "the table interventions is missing"),
        ("DROP TABLE agents", "no such table|the table agents is missing"),
        ("ALTER TABLE sessions RENAME COLUMN ended_by TO how", "no such column|has no column ended_by"),
        ("UPDATE runs SET config = '{'", r"runs\.config holds no JSON"),
        ("UPDATE runs SET mind = '[1, 2]'", r"runs\.mind holds no JSON"),
        ("UPDATE runs SET identity = 'x'", r"runs\.identity holds no JSON"),
        ("UPDATE sessions SET satisfaction = 'x'", r"sessions\.satisfaction holds a value of the kind text"),
        ("UPDATE impressions SET item_id = 999", "belongs to a row of items that is not there"),
        ("DELETE FROM runs", "belongs to a row of runs|no run|nothing of a run"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_reader_ends_well_or_names_the_damage_and_leaves_it(run, statement, said):
    change(run, statement)
    before = (run / "log.db").read_bytes()
    commands = [
        ["digest"],
        ["compare"],
        ["agent", "--user", "1"],
        ["export", "--format", "trec", "--out", f"{run}.out"],
    ]
    refused = []
    for name, *options in [*commands, ["report"]]:
        error = CliRunner().invoke(_app(), [name, str(run), *options]).exception
        assert error is None or type(error).__module__ == "groundlings.environments.errors", repr(error)
        refused += [str(error)] if isinstance(error, RunDirectoryError) else []
    with pytest.raises(RunDirectoryError, match=said):
        resume_experiment(run)
    assert refused
    assert (run / "log.db").read_bytes() == before
    assert not (run / "interrupted.json").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_table_of_another_shape_is_named_with_what_is_missing_in_it(run):
    """Whatever is read: not in the words of the database, which tell nobody what to do."""
    with closing(sqlite3.connect(run / "log.db")) as log:
        columns = {name: log.execute(f"SELECT name FROM pragma_table_info('{name}')").fetchall() for name in SHAPED}
    for table, names in columns.items():
        change(run, f"ALTER TABLE {table} RENAME COLUMN {names[-1][0]} TO other")
        with pytest.raises(RunDirectoryError, match=f"damaged: the table {table} has no column {names[-1][0]}; it was"):
            read(run)
        change(run, f"ALTER TABLE {table} RENAME COLUMN other TO {names[-1][0]}")


def read(run):
    with reading(run), LogReader(run) as log:
        log.digest()
        log.check_seals()


SHAPED = ("agents", "arms", "events", "items", "sessions")


def test_a_question_of_ones_own_about_a_column_that_is_not_there_blames_no_log(run):
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match="no such column: nowhere") as refused:
        log.query("SELECT nowhere FROM agents")
    assert "restore" not in str(refused.value)


def _app():
    cli._mount()
    return cli.app


@pytest.mark.parametrize(
    "read",
    [
        gl.Run.impressions,
        gl.Run.metrics,
        gl.Run.summary,
        lambda run: run.digest,
        lambda run: CliRunner().invoke(_app(), ["agent", str(run), "--user", "1"]),
    ],
    ids=["frames", "metrics", "summary", "digest", "agent"],
)
def test_who_reads_a_changed_log_is_warned(run, read):
    change(run, "UPDATE impressions SET clicked = 1 - clicked")
    with pytest.warns(RunWarning, match="were changed after they were written"):
        read(gl.open_run(run))


def test_a_finished_log_that_differs_from_its_manifest_is_named(run):
    change(run, "UPDATE impressions SET rating = 5.0")
    with pytest.raises(RunDirectoryError, match=r"its digest is [\w:]+\.\.\., and manifest\.json says"), reading(run):
        raise ValueError("something that this change might lead to")


def test_what_an_edit_leads_to_is_told_with_the_edit(run):
    change(run, "UPDATE runs SET mind = json_set(mind, '$.kind', json('[]'))")
    said = r"cannot be read \(KeyError: 'x'\), and is not as it was written: the description of the mind was changed"
    with pytest.raises(RunDirectoryError, match=said), reading(run):
        raise KeyError("x")


@pytest.mark.parametrize("garbage", [b"", b'{"digest": "\x80"}', b"[]"])
def test_a_damaged_manifest_is_named_and_written_anew_on_resuming(run, garbage):
    whole = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_bytes(garbage)
    for name, *options in (["report"], ["export", "--format", "trec", "--out", f"{run}.out"]):
        error = CliRunner().invoke(_app(), [name, str(run), *options]).exception
        assert isinstance(error, RunDirectoryError), repr(error)
        assert "manifest.json" in str(error)
    resume_experiment(run)
    assert json.loads((run / "manifest.json").read_text())["digest"] == whole["digest"]


def test_a_fault_of_our_own_stays_what_it_is(run):
    with pytest.raises(ValueError, match="ours"), reading(run):
        raise ValueError("ours")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE calls", "its tables are not those that a run writes .*calls"),
        ("ALTER TABLE arms RENAME COLUMN name TO other", "its tables are not those that a run writes|damaged"),
        ("DELETE FROM agents", "belongs to row [0-9]+ of agents, which is not there|a number that nothing has"),
        ("DELETE FROM items", "belongs to row [0-9]+ of items, which is not there|a number that nothing has"),
        ("DELETE FROM arms", "belongs to row 1 of arms, which is not there"),
    ],
)
def test_the_reader_alone_names_a_damaged_log_and_never_in_the_words_of_a_driver(run, statement, said):
    """Whoever asks a `LogReader` is told as whoever asks a command."""
    change(run, statement)
    told = []
    for ask in QUESTIONS:
        with LogReader(run) as log:
            try:
                ask(log)
            except RunDirectoryError as fault:
                told.append(str(fault))
    assert any(re.search(said, each) for each in told), told


def test_a_digest_that_finds_an_odd_value_says_in_which_log(run):
    change(run, "DELETE FROM arms")
    said = rf"^{re.escape(str(run))}.*: sessions\.arm_id holds 1, expected the number of an arm"
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=said):
        log.digest()


@pytest.mark.parametrize("column", ["sessions.day", "impressions.clicked", "events.value", "calls.status"])
def test_a_column_that_a_log_of_today_lacks_is_no_unknown_value(run, column):
    """Earlier logs lack columns, whose cells are then NA; here somebody has taken one away."""
    table, _, name = column.partition(".")
    change(run, f"ALTER TABLE {table} RENAME COLUMN {name} TO other")
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=f"the table {table} has no column {name}"):
        getattr(log, table)()


@pytest.mark.parametrize(
    ("column", "ask"),
    [
        ("calls.page", LogReader.digest),
        ("moods.p_next", LogReader.digest),
        ("moods.boredom", lambda log: log.session(1)),
        ("calls.reply", lambda log: log.session(1)),
        ("runs.mind", LogReader.run),
        ("runs.dataset", LogReader.run),
    ],
)
def test_what_is_left_of_a_log_without_a_column_is_no_whole_answer(run, column, ask):
    table, _, name = column.partition(".")
    change(run, f"ALTER TABLE {table} RENAME COLUMN {name} TO other")
    with LogReader(run) as log, pytest.raises(RunDirectoryError, match=f"the table {table} has no column {name}"):
        ask(log)


def test_seals_name_the_column_that_is_not_there_and_nothing_that_was_not_changed(run):
    change(run, "ALTER TABLE interventions RENAME COLUMN day TO other")
    with LogReader(run) as log:
        assert log.check_seals(None).faults == ("what is sealed cannot be read (no such column: interventions.day)",)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE sessions SET ended_by = x'ff'", r"sessions\.ended_by holds a value of the kind blob, expected text"),
        ("UPDATE events SET value = 'x'", r"events\.value holds a value of the kind text, expected real or integer"),
    ],
)
def test_a_value_of_another_kind_is_named_by_whoever_puts_it_into_words(run, statement, said):
    change(run, statement)
    with LogReader(run) as log:
        (user,) = log.users_who_came(1)
    error = CliRunner().invoke(_app(), ["agent", str(run), "--user", user]).exception
    assert isinstance(error, RunDirectoryError), repr(error)
    assert re.search(said, str(error))


QUESTIONS = (
    LogReader.digest,
    LogReader.impressions,
    LogReader.events,
    LogReader.lost_pages,
    LogReader.call_totals,
    LogReader.clicks_by_team,
    lambda log: log.items_shown(2),
    lambda log: list(log.impression_chunks(["user_id", "item_id"])),
    lambda log: log.steps_by_slot(2, 1),
)
