"""A log on a PostgreSQL server whose tables somebody has altered is refused before a row is read."""

from __future__ import annotations

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.store import open_log
from groundlings.simulator.log.writer import LogWriter


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
    for change, said in changes.items():
        server.run(f"CREATE DATABASE altered TEMPLATE {database}")
        server.run(f"ALTER TABLE run_altered.{change}", "altered")
        with pytest.raises(RunDirectoryError, match=f"{said}.*restore it from a copy"):
            open_log(PostgresStore(server.url("altered"), "run_altered"))
        server.run("DROP DATABASE altered WITH (FORCE)")
    open_log(store).dispose()
