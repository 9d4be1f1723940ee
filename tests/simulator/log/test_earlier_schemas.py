"""A log of every earlier schema version opens for reading, is exported, resumes and keeps its digest.

`data/schema_N` keeps two logs as version N wrote them, their configurations and what was known of them then:
`then`, a run of scripted minds that was interrupted in the middle of a day, and `inner`, a finished run of language
agents, so that every table holds rows. Whoever adds a migration adds a folder made by the version before it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, inspect

from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.source import LogSource
from groundlings.experiments.running.run import resume_experiment
from groundlings.experiments.running.run_directory import Resuming
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.migrations import SCHEMA_VERSION, migrate, schema_version
from groundlings.simulator.log.seal_check import check_seals
from groundlings.simulator.log.store import LOG_NAME, open_log
from groundlings.simulator.log.tables import metadata

DATA = Path(__file__).parent / "data"
VERSIONS = sorted(int(folder.name.removeprefix("schema_")) for folder in DATA.glob("schema_*"))
NAMES = ("then", "inner")


@pytest.fixture
def earlier(tmp_path):
    """A run directory as some version left it, and what was noted of it."""

    def unpacked(version: int, name: str):
        kept, run = DATA / f"schema_{version}", tmp_path / f"{name}-{version}"
        run.mkdir()
        (run / LOG_NAME).write_bytes(gzip.decompress((kept / f"{name}.db.gz").read_bytes()))
        (run / "config.yaml").write_text((kept / f"{name}.yaml").read_text())
        return run, json.loads((kept / "about.json").read_text())[name]

    return unpacked


def test_a_log_of_every_earlier_version_is_kept():
    assert set(range(1, SCHEMA_VERSION)) <= set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_it_is_read_without_a_change_and_has_its_digest(earlier, version, name):
    run, about = earlier(version, name)
    before = (run / LOG_NAME).read_bytes()
    engine = open_log(run)
    with engine.connect() as connection:
        assert schema_version(connection) == version
    assert digest(engine) == about["digest_of_log"]
    assert check_seals(engine).faults == ()
    engine.dispose()
    assert (run / LOG_NAME).read_bytes() == before


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_it_is_exported_whole(earlier, tmp_path, version, name):
    run, about = earlier(version, name)
    with LogSource(run, partial=True) as source:
        assert sum(count.sessions for count in source.counts().values()) == about["sessions"]
        shown = sum(count.impressions for count in source.counts().values())
    export_run(run, "parquet", tmp_path / "out", partial=True)
    parts = (tmp_path / "out" / "impressions").glob("*/*.parquet")
    assert sum(pq.read_metadata(part).num_rows for part in parts) == shown > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_an_interrupted_one_ends_like_the_run_that_nobody_interrupted(earlier, monkeypatch, version):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    run, about = earlier(version, "then")
    # A log since schema 4 says by which code it was begun; that is this code's forebear.
    assert resume_experiment(run, resuming=Resuming(accept_changes=version >= 4)).digest == about["digest"]
    engine = open_log(run)
    assert check_seals(engine).faults == ()
    engine.dispose()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_opening_it_for_writing_brings_its_tables_up_to_date(earlier, version, name):
    run, about = earlier(version, name)
    engine = create_engine(f"sqlite:///{run / LOG_NAME}")
    with engine.begin() as connection:
        migrate(connection, "log")
        assert schema_version(connection) == SCHEMA_VERSION
        for table in metadata.sorted_tables:
            found = [column["name"] for column in inspect(connection).get_columns(table.name)]
            assert sorted(found) == sorted(column.name for column in table.columns), table.name
    assert digest(engine) == about["digest_of_log"]
