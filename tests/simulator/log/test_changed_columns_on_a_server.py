"""A log on a PostgreSQL server of which somebody has altered tables or rows is refused, or said to be altered."""

from __future__ import annotations

import json
import warnings

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.replicates import go_on_with
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import NotAnswered, answer
from groundlings.simulator.log.store import open_log
from groundlings.simulator.log.writer import LogWriter

SMALL = {
    "name": "small", "seed": 3, "simulation": {"days": 1}, "site": {"page_size": 4, "max_pages": 2},
    "dataset": {"name": "toy", "toy": {"n_users": 8, "n_items": 30, "interactions_per_user": 6}},
    "mind": {"kind": "scripted", "click": [0], "stars": 4.0, "satisfaction": 6.0, "misdeeds": ["none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}],
}  # fmt: skip


def test_a_column_that_was_renamed_or_made_another_kind_on_the_server_is_named_before_a_row_is_read(server, database):
    store = PostgresStore(server.url(database), "run_altered")
    with LogWriter(store):
        pass
    changes = {
        "seals RENAME COLUMN covers TO cover": "the table seals has no column covers",
        "sessions ALTER COLUMN day TYPE TEXT": "sessions.day holds values of the kind text, expected whole numbers",
        "impressions ALTER COLUMN pscore TYPE REAL": "impressions.pscore holds values of the kind float4, expected dec",
        "impressions ALTER COLUMN clicked TYPE INTEGER USING 1": "impressions.clicked .* int4, expected truth values",
        "items ALTER COLUMN title TYPE BYTEA USING ''": "items.title holds values of the kind bytea, expected text",
        "agents ALTER COLUMN persona DROP NOT NULL": "agents.persona may hold nothing, expected a value in every row",
        "calls DROP CONSTRAINT calls_pkey CASCADE": "the table calls has no primary key",
    }
    changes["sessions SET (fillfactor = 90); CREATE TABLE run_altered.twins () INHERITS (run_altered.sessions)"] = (
        r"the table sessions takes in the rows of another table, twins, which inherits from it"
    )
    for change, said in changes.items():
        server.run(f"CREATE DATABASE altered TEMPLATE {database}")
        server.run(f"ALTER TABLE run_altered.{change}", "altered")
        with pytest.raises(RunDirectoryError, match=f"{said}.*restore it from a copy"):
            open_log(PostgresStore(server.url("altered"), "run_altered"))
        server.run("DROP DATABASE altered WITH (FORCE)")
    open_log(store).dispose()


def test_an_edit_or_a_trigger_on_the_server_is_named(server, database, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    config = ExperimentConfig.model_validate({**SMALL, "log": {"url": server.url(database)}})
    run = run_experiment(config, tmp_path / "run").directory
    with LogReader(run) as log:
        assert not check_log(run, log, most_rows=None).faults
        server.run(f"UPDATE {schema(run)}.impressions SET clicked = NOT clicked WHERE impression_id IN (SELECT "
                   f"min(impression_id) FROM {schema(run)}.impressions)", database)  # fmt: skip
        (fault,) = check_log(run, log, most_rows=None).faults
        assert "day 1 were changed after they were written" in fault
    with pytest.raises(RunDirectoryError, match="day 1 were changed after they were written"):
        resume_experiment(run)
    refuses_nan(server, database, run)
    refuses_what_is_too_large(server, run)
    server.run(f"CREATE VIEW {schema(run)}.mine AS SELECT 1", database)
    with pytest.raises(RunDirectoryError, match="found view mine"):
        resume_experiment(run)
    with pytest.raises(NotAnswered, match="function nowhere") as refused:
        answer(run, "SELECT nowhere(1)")
    assert "createdb" not in str(refused.value), "the query is wrong, and not the server"
    cells = "repeat('x', 3000) AS a, 1 AS a, NULL::int, true, 0.10, '\\x00ff'::bytea, ARRAY[1, 2]"
    found = answer(run, f"SELECT {cells} FROM generate_series(1, 2)", rows=1)
    assert found.rows == (("x" * 2000 + "... (3,000 characters)", "1", None, "1", "0.1", "2 bytes", "{1,2}"),)
    assert (found.columns[:2], found.more) == (("a", "a"), True)
    monkeypatch.setattr("groundlings.simulator.log.reading.asked._MOST_SHOWN", 5_000)
    found = answer(run, "SELECT repeat('x', 1000000) FROM generate_series(1, 3)")
    assert (len(found.rows), found.more) == (3, False)
    assert answer(run, "SELECT repeat('x', 2000) FROM generate_series(1, 400)").more, "many long ones are cut, too"
    for none, why in (("SELECT FROM arms", "without columns"), ("SELECT 1; SELECT 2", "syntax error")):
        with pytest.raises(NotAnswered, match=why):
            answer(run, none)
    caplog.clear()
    with pytest.raises(NotAnswered, match="terminating connection"):
        answer(run, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert not caplog.records, "a connection that ends while it is asked is told once"
    server.run(f"ALTER TABLE {schema(run)}.impressions ALTER COLUMN clicked TYPE text", database)
    with pytest.raises(RunDirectoryError, match="its tables are not those that a run writes"):
        LogReader(run)


def refuses_nan(server, database, run):
    """What stands over an unknown value is no value: neither seals nor sums take it for one, and rows are named."""
    server.run(f"CREATE DATABASE odd TEMPLATE {database}")
    odd = PostgresStore(server.url("odd"), schema(run))
    for place, asked in {
        "impressions.rating": {"rows_by_arm": (), "items_by_step": (2, 1, 4.0), "steps_by_page": (1, 4.0),
                               "impressions": (), "session_totals": (4.0,), "digest": ()},
        "sessions.satisfaction": {"session_totals": (4.0,), "sessions": ()},
    }.items():  # fmt: skip
        table, column = place.split(".")
        server.run(f"UPDATE {schema(run)}.{table} SET {column} = 'NaN' WHERE {column} IS NULL", "odd")
        with LogReader(odd) as log:
            assert "were changed after they were written" in str(log.check_seals())
            for name, arguments in asked.items():
                with pytest.raises(RunDirectoryError, match=rf"{place} is NaN or infinite in .*{table[:-1]}_id \d+"):
                    getattr(log, name)(*arguments)
        server.run(f"UPDATE {schema(run)}.{table} SET {column} = NULL WHERE {column} = 'NaN'", "odd")


def refuses_what_is_too_large(server, run):
    odd = PostgresStore(server.url("odd"), schema(run))
    server.run(f"UPDATE {schema(run)}.impressions SET rating = 1e308 WHERE rating IS NOT NULL", "odd")
    server.run(f"UPDATE {schema(run)}.sessions SET pages = 9223372036854775807", "odd")
    with LogReader(odd) as log:
        with pytest.raises(RunDirectoryError, match=r"a number, or a sum of numbers, is too large .* from a copy"):
            log.items_by_step(2, 1, 4.0)
        with pytest.raises(RunDirectoryError, match=r"sessions\.pages holds 9223372036854775807, expected 0 to"):
            log.pages_by_arm()


def test_what_a_server_would_run_where_rows_are_read_is_refused(server, database):
    store = PostgresStore(server.url(database), "run_empty")
    with LogWriter(store):
        pass
    changes = {
        "FUNCTION run_empty.length(varchar)": "RETURNS integer LANGUAGE sql RETURN 1",
        "OPERATOR run_empty.== (text, text)": "(LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)",
        "POLICY mine ON run_empty.sessions": "USING (day < 1)",
    }
    for made, how in changes.items():
        kind = made.split()[0]
        server.run(f"CREATE {made.replace(' (text, text)', '')} {how}", database)
        with pytest.raises(
            RunDirectoryError, match=f"found {kind.lower()} .*, which no run .* could run when rows are"
        ):
            open_log(store)
        server.run(f"DROP {made}", database)
    open_log(store)


def test_nothing_of_a_strangers_runs_when_a_run_goes_on(server, database, tmp_path):
    with LogWriter(PostgresStore(server.url(database), "run_empty")):
        pass
    arms = [{"name": "popular", "recommender": "popular"}]
    content = {"name": "x", "seed": 1, "dataset": {"name": "toy"}, "mind": {"kind": "scripted"}, "arms": arms}
    (tmp_path / "config.yaml").write_text(json.dumps(content))
    (tmp_path / "log.json").write_text(json.dumps({"url": server.url(database), "schema": "run_empty"}))
    server.run("CREATE FUNCTION run_empty.count(bigint) RETURNS bigint LANGUAGE sql RETURN 1", database)
    with pytest.raises(RunDirectoryError, match=r"found function .*, which no run"):
        go_on_with(tmp_path)


def test_what_is_set_for_a_user_or_a_database_changes_no_value_and_is_not_overruled(server, database):
    store = PostgresStore(server.url(database), "run_empty")
    with LogWriter(store):
        pass
    for setting in ("extra_float_digits = 0", "client_encoding = 'LATIN1'", "quote_all_identifiers = on"):
        server.run(f"ALTER DATABASE {database} SET {setting}")
    with warnings.catch_warnings(action="error"), LogWriter(store):  # no index of ours is called a stranger's
        pass
    with LogReader(store) as log:
        read = log.query("SELECT CAST(0.1 AS float8) + 0.2 AS number, chr(8364) AS euro")
    assert read.loc[0].tolist() == [0.1 + 0.2, "\N{EURO SIGN}"]
    server.run("CREATE ROLE passer_by LOGIN")
    theirs = PostgresStore(server.url(database, "passer_by"), "run_empty")
    with pytest.raises(
        RunDirectoryError, match=r"may not look into the schema of the run.*`GRANT USAGE ON SCHEMA run_e"
    ):
        open_log(theirs)
    server.run("GRANT USAGE ON SCHEMA run_empty TO passer_by", database)
    with pytest.raises(RunDirectoryError, match="lacks a right; who reads a run needs USAGE on its schema and SELECT"):
        open_log(theirs)
    server.run("GRANT SELECT ON ALL TABLES IN SCHEMA run_empty TO passer_by", database)
    open_log(theirs)
    server.run("ALTER TABLE run_empty.runs ENABLE ROW LEVEL SECURITY", database)
    with pytest.raises(RunDirectoryError, match=r"row-level security, which hides rows .*DISABLE ROW"):
        LogReader(theirs).run()
    server.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    for write in (store.check_server, LogWriter(store).__enter__):
        with pytest.raises(RunDirectoryError, match=r"takes no writes.*default_transaction_read_only is set for this"):
            write()


def schema(run):
    return json.loads((run / "log.json").read_text())["schema"]
