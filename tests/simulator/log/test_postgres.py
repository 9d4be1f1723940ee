"""The same log on a real PostgreSQL server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.archive.directory import choose_directory
from groundlings.experiments.archive.inventory import UNREADABLE, delete_run, diff_runs, look_at, read_run
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.synthesis import synthesise
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import named_faults, open_log, store_at
from groundlings.simulator.log.tables import memories
from groundlings.simulator.log.writer import LogWriter

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip

TALKING = {
    "population": {"size": 4},
    "mind": {"kind": "language", "model": {"provider": "scripted"}, "reasons": True, "reflection": {"every": 2},
             "interview": {"questions": ["What was missing?"]}},
}  # fmt: skip

COMPARED = ["user_id", "day", "timestamp", "rank", "item_id", "score", "pscore", "is_random", "clicked", "rating"]
COUNTED = ("arms", "agents", "items", "sessions", "impressions", "events", "calls", "moods", "memories", "interviews")


def small(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


@pytest.fixture
def undrawn(monkeypatch):
    """Most of the time would go into pictures that nobody looks at."""
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)


@pytest.fixture(scope="module")
def on_file(tmp_path_factory, blank_pictures_in_file) -> Path:
    return run_experiment(small(), tmp_path_factory.mktemp("file") / "run").directory


def rows(server, database, run: Path, table: str) -> int:
    return server.run(f"SELECT count(*) FROM {schema(run)}.{table}", database)[0][0]


def schema(run: Path) -> str:
    return json.loads((run / "log.json").read_text())["schema"]


def test_everything_that_reads_a_run_finds_the_same_in_either_database(
    server, database, on_file, tmp_path, blank_pictures
):
    with LogWriter(PostgresStore(server.url(database), "run_before_this_one")):
        pass  # so that ids of this one are large
    run = run_experiment(small(log={"url": server.url(database)}), tmp_path / "run").directory
    assert not (run / "log.db").exists()
    assert digest(open_log(run)) == digest(open_log(on_file))
    assert {each.part for each in diff_runs(on_file, run)} == {"config"}
    ours, theirs = ({**json.loads((path / "summary.json").read_text()), "run": None} for path in (run, on_file))
    assert ours == theirs
    assert (run / "report.html").stat().st_size > 10_000
    assert (
        compare_run(run, LogReader(run)).as_dict()["arms"] == compare_run(on_file, LogReader(on_file)).as_dict()["arms"]
    )
    ours, theirs = (re.sub(r"\bitem=\d+", "", str(read_story(path, "u3"))) for path in (run, on_file))
    assert ours == theirs, "but for the numbers that a database gives"
    for name, path in (("server", run), ("file", on_file)):
        export_run(path, "parquet", tmp_path / name)
    ours, theirs = (
        sorted(pq.read_table(tmp_path / name / "impressions", columns=COMPARED).to_pylist(), key=str)
        for name in ("server", "file")
    )
    assert ours == theirs
    assert len(ours) > 500


def test_language_agents_are_logged_alike_with_their_calls_moods_and_memories(server, database, tmp_path, undrawn):
    on_file = run_experiment(small(**TALKING), tmp_path / "file")
    on_server = run_experiment(small(**TALKING, log={"url": server.url(database)}), tmp_path / "server")
    assert on_server.digest == on_file.digest
    assert all(rows(server, database, on_server.directory, table) for table in COUNTED)


def test_two_runs_at_once_never_meet(server, database, tmp_path, undrawn):
    configs = {seed: small(seed=seed, log={"url": server.url(database)}) for seed in (3, 4)}
    forks = get_context("fork")  # fresh processes would import for longer than they run
    begun = [
        forks.Process(target=run_experiment, args=(config, tmp_path / f"at-once-{seed}"))
        for seed, config in configs.items()
    ]
    for process in begun:
        process.start()
    for process in begun:
        process.join(timeout=300)
    assert [process.exitcode for process in begun] == [0, 0]
    for seed in configs:
        alone = run_experiment(small(seed=seed), tmp_path / f"alone-{seed}")
        assert digest(open_log(tmp_path / f"at-once-{seed}")) == alone.digest
    schemas = [schema(tmp_path / f"at-once-{seed}") for seed in configs]
    for table, key in (("sessions", "session_id"), ("impressions", "impression_id"), ("agents", "agent_id")):
        both = " UNION ALL ".join(f"SELECT {key} FROM {name}.{table}" for name in schemas)
        ((total, distinct),) = server.run(
            f"SELECT count(*), count(DISTINCT {key}) FROM ({both}) AS both_runs", database
        )
        assert total == distinct > 0
    assert {name for (name,) in server.run("SELECT schema FROM groundlings.logs", database)} == set(schemas)


@pytest.fixture
def cut(server, database, tmp_path, monkeypatch, undrawn):
    """Run until something happens before the third cohort; gives the error and the directory."""

    def run_until(accident) -> tuple[RunDirectoryError, Path]:
        write, count = LogWriter.write, 0

        def failing(self, *arguments, **named):
            nonlocal count
            count += 1
            if count == 3:
                accident(store_at(tmp_path / "cut"))
            write(self, *arguments, **named)

        with monkeypatch.context() as patched:
            patched.setattr(LogWriter, "write", failing)
            with pytest.raises(RunDirectoryError) as told:
                run_experiment(small(log={"url": server.url(database)}), tmp_path / "cut")
        return told.value, tmp_path / "cut"

    return run_until


def test_a_lost_connection_ends_the_run_clearly_and_it_goes_on_from_there(server, database, cut, on_file):
    def lose(_store):
        server.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            " AND pid <> pg_backend_pid()"
        )

    told, run = cut(lose)
    assert "connection to the server was lost" in str(told)
    assert "resume" in str(told)
    assert rows(server, database, run, "sessions") == 60, "what was decided is saved over a new connection"
    assert look_at(run).status == "interrupted"
    assert resume_experiment(run).digest == digest(open_log(on_file))


def test_a_server_that_goes_away_for_good_leaves_what_was_committed(server, database, cut, on_file):
    def lose(_store):
        server.run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    told, run = cut(lose)
    assert "connection to the server was lost" in str(told)
    assert look_at(run).status == UNREADABLE
    with pytest.raises(RunDirectoryError, match="not currently accepting connections"):
        resume_experiment(run)
    server.run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    assert rows(server, database, run, "sessions") == 40
    assert look_at(run).status == "running"
    assert resume_experiment(run).digest == digest(open_log(on_file))


def test_a_run_that_was_killed_goes_on_at_once(server, database, on_file, tmp_path, undrawn):
    (tmp_path / "killed.yaml").write_text(as_yaml(small(log={"url": server.url(database)})))
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from groundlings.experiments.running.run import run_experiment\n"
        "from groundlings.experiments.config.loading import load_config\n"
        "from groundlings.simulator.log.postgres import PostgresStore\n"
        "pour = PostgresStore.pour\n"
        "def last_words(self, connection, table, rows, width=None):\n"
        "    pour(self, connection, table, rows, width)\n"
        "    tables.append(table.name)\n"
        "    tables.count('impressions') == 3 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "tables, PostgresStore.pour = [], last_words\n"
        "run_experiment(load_config(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "killed.yaml", tmp_path / "killed"])
    assert killed.returncode == -signal.SIGKILL
    assert rows(server, database, tmp_path / "killed", "sessions") == 40
    assert resume_experiment(tmp_path / "killed").digest == digest(open_log(on_file))


def test_a_full_disk_of_the_server_ends_the_run_clearly_and_it_goes_on_from_there(server, database, cut, on_file):
    def fill(store):
        server.run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
            " 'could not extend file' USING ERRCODE = 'disk_full'; END $$", database,
        )  # fmt: skip
        server.run(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {store.schema}.impressions EXECUTE FUNCTION full_disk()",
            database,
        )

    told, run = cut(fill)
    assert "disk is full" in str(told)
    assert rows(server, database, run, "sessions") == 40, "a session is there with all of its rows, or not at all"
    assert look_at(run).status == "interrupted"
    server.run("DROP FUNCTION full_disk CASCADE", database)
    assert resume_experiment(run).digest == digest(open_log(on_file))


def test_a_second_writer_of_the_same_log_is_refused_even_from_another_directory(server, database):
    store = PostgresStore(server.url(database), "run_twice")
    with LogWriter(store), pytest.raises(RunDirectoryError, match="another process"), LogWriter(store):
        pass
    with LogWriter(store):
        pass


def test_a_log_of_an_earlier_schema_is_read_and_then_brought_up_to_date(server, database, cut, on_file):
    def nothing_more(_store):
        raise RunDirectoryError("enough")

    _, run = cut(nothing_more)
    name = schema(run)
    for column in ("team_arm_id", "row_name", "place_row", "place_slot"):
        server.run(f"ALTER TABLE {name}.impressions DROP COLUMN {column}", database)
    for column in ("asked_by", "finish_reason", "form", "tokens_estimated", "thought_characters", "team_arm_id"):
        server.run(f"ALTER TABLE {name}.calls DROP COLUMN {column}", database)
    server.run(f"ALTER TABLE {name}.runs DROP COLUMN identity", database)
    server.run(f"DROP TABLE {name}.accepted_changes, {name}.seals, {name}.interventions", database)
    server.run(f"DELETE FROM {name}.schema_migrations WHERE number > 1", database)
    assert read_run(run).status == "interrupted"
    assert resume_experiment(run).digest == digest(open_log(on_file))
    assert server.run(f"SELECT max(number) FROM {name}.schema_migrations", database)[0][0] > 1


def test_a_log_without_one_of_its_tables_is_not_resumed(server, database, cut):
    def nothing_more(_store):
        raise RunDirectoryError("enough")

    _, run = cut(nothing_more)
    server.run(f"DROP TABLE {schema(run)}.memories", database)
    with pytest.raises(RunDirectoryError, match=r"damaged.*memories"):
        resume_experiment(run)


def test_a_run_that_is_only_exported_leaves_nothing_on_the_server(server, database, tmp_path, undrawn):
    synthesise(small(log={"url": server.url(database)}), "movielens", tmp_path / "out", quality=False)
    assert server.run("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'run\\_%'", database) == [(0,)]


def test_deleting_a_run_drops_its_schema_and_no_other(server, database, tmp_path, undrawn):
    one, other = (
        run_experiment(small(log={"url": server.url(database)}), tmp_path / name).directory for name in ("one", "other")
    )
    assert read_run(one).size_bytes > 100_000
    dropped = schema(one)
    delete_run(one)
    assert not one.exists()
    assert server.run(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{dropped}'", database) == [(0,)]
    assert read_run(other).sessions == 80


def test_a_run_that_another_machine_is_writing_is_not_deleted(server, database, tmp_path, undrawn):
    run = run_experiment(small(log={"url": server.url(database)}), tmp_path / "run").directory
    with LogWriter(store_at(run)), pytest.raises(RunDirectoryError, match="another process"):
        delete_run(run)
    assert read_run(run).sessions == 80


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (lambda server, _: server.url("absent"), 'log.url.*database "absent" does not exist'),
        (lambda server, name: server.over_tcp(name), "PGPASSWORD"),
        (lambda server, name: server.over_tcp(name).replace(str(server.port), "1"), "cannot be reached"),
        (lambda server, name: server.url(name).replace(str(server.directory), "/nowhere"), "cannot be reached"),
        (lambda server, name: server.url(name, user="nobody_here"), "nobody_here.*does not exist"),
        (lambda server, name: server.url(name, user="guest"), "GRANT CREATE"),
        (lambda server, name: server.url(name, user="wrong%20horse"), r'role "\(key\)" does not exist'),
    ],
    ids=["no database", "wrong password", "no server", "no socket", "no user", "no right", "password repeated"],
)
def test_what_is_wrong_with_a_server_is_said_before_anything_is_written(
    server, database, tmp_path, monkeypatch, address, message
):
    monkeypatch.setenv("PGPASSWORD", "wrong horse")
    server.run("DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    with pytest.raises(RunDirectoryError, match=message) as told:
        run_experiment(small(log={"url": address(server, database)}), tmp_path / "run")
    assert "wrong horse" not in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


def test_a_second_user_logs_into_the_same_database_once_that_is_granted(server, database):
    with LogWriter(PostgresStore(server.url(database), "run_of_the_first")):
        pass
    server.run("CREATE ROLE second LOGIN")
    server.run(f"GRANT CREATE ON DATABASE {database} TO second")
    store = PostgresStore(server.url(database, user="second"), "run_of_the_second")
    with pytest.raises(RunDirectoryError, match=r"lacks a right.*schema groundlings"), LogWriter(store):
        pass
    server.run("GRANT USAGE ON SCHEMA groundlings TO second", database)
    server.run("GRANT SELECT, INSERT, DELETE ON groundlings.logs TO second", database)
    with LogWriter(store):
        pass
    store.remove()


def test_a_database_that_cannot_hold_every_title_is_refused(server, tmp_path):
    server.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(RunDirectoryError, match=r"LATIN1.*expected UTF8"):
        run_experiment(small(log={"url": server.url("latin")}), tmp_path / "run")


def test_the_password_is_taken_from_the_environment_and_never_written_down(
    server, database, tmp_path, monkeypatch, capfd, blank_pictures
):
    monkeypatch.setenv("PGPASSWORD", "correct horse")
    run = run_experiment(small(log={"url": server.over_tcp(database)}), tmp_path / "run").directory
    written = {path.name: path.read_bytes() for path in run.iterdir()}
    assert {"config.yaml", "log.json", "manifest.json", "report.html"} <= set(written)
    assert [name for name, content in written.items() if b"horse" in content] == []
    assert "horse" not in str(server.run(f"SELECT * FROM {schema(run)}.runs", database)) + "".join(capfd.readouterr())


def test_a_run_does_not_move_to_another_database_in_silence(server, database, cut):
    def nothing_more(_store):
        raise RunDirectoryError("enough")

    _, run = cut(nothing_more)
    content = yaml.safe_load((run / "config.yaml").read_text())
    for changed, message in (({"url": server.url("other")}, "names postgresql"), (None, "names no log.url")):
        (run / "config.yaml").write_text(yaml.safe_dump({**content, "log": changed}))
        with pytest.raises(Exception, match=message):
            resume_experiment(run)


@pytest.mark.parametrize("content", ["", "{}", '{"url": "postgresql://h/d", "schema": "x; DROP TABLE y"}', "[1]"])
def test_an_address_that_was_changed_by_hand_is_explained(tmp_path, content):
    run = choose_directory("x", tmp_path / "run")
    (run / "log.json").write_text(content)
    with pytest.raises(RunDirectoryError, match=r"log\.json: expected the url and the schema"):
        open_log(run)
    assert look_at(run).status == UNREADABLE


def test_what_postgresql_cannot_store_is_said(server, database):
    store = PostgresStore(server.url(database), "run_nul")
    with LogWriter(store), store.for_writing().connect() as connection:  # noqa: SIM117
        with pytest.raises(RunDirectoryError, match="no NUL characters"), named_faults(store):
            store.pour(connection, memories, [(1, 0, "visit", "a\x00b", 1.0)])
