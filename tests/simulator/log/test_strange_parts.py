"""Parts in directories of strangers: links among them, odd lists, names, and queries that nobody waits for."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.strangers import refuse_strange
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log import parts as files
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.asked import NotAnswered, answer

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 6}},
    "simulation": {"days": 1}, "site": {"page_size": 4, "max_pages": 2}, "mind": {"kind": "scripted", "click": [0]},
    "arms": [{"name": "popular", "recommender": "popular"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def as_written(tmp_path_factory) -> Path:
    """A finished log in parts; it is only read."""
    run = tmp_path_factory.mktemp("run")
    log_experiment(ExperimentConfig.model_validate(SMALL), ParquetStore(run / "log.db"))
    return run


@pytest.fixture
def in_parts(as_written, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(as_written, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LEADING_OUT = {
    "a folder that holds parts": "parts/sessions/arm_id=1",
    "a folder where parts will lie": "parts/events/arm_id=9",
    "the name of a part that is being written": "parts/sessions/arm_id=1/day=0/000009.parquet.part",
}


@pytest.mark.parametrize("name", LEADING_OUT.values(), ids=LEADING_OUT)
def test_a_link_among_the_parts_makes_the_run_somebody_elses(in_parts, tmp_path, name):
    elsewhere, link = tmp_path / "elsewhere", in_parts / name
    if link.is_dir():
        link.rename(elsewhere)
    else:
        elsewhere.mkdir()
        (elsewhere / "000001.parquet").write_text("precious")
        link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    before = contents(elsewhere)
    said = rf"{name} in it is a link to .*elsewhere, so nothing goes on in it"
    with pytest.raises(RunDirectoryError, match=said):
        refuse_strange(in_parts)
    assert contents(elsewhere) == before


def test_no_part_is_written_through_a_link(tmp_path):
    kept, path = tmp_path / "kept", "parts/sessions/arm_id=1/day=0/000001.parquet"
    kept.mkdir()
    (kept / "precious").write_text("mine")
    folder = tmp_path / "run" / "parts" / "sessions"
    folder.mkdir(parents=True)
    (folder / "arm_id=1").symlink_to(kept)
    with pytest.raises(RunDirectoryError, match=r"arm_id=1: a link to .*kept, expected a folder; nothing is written"):
        files.write(tmp_path / "run", path, memoryview(b"part"))
    assert contents(kept) == {"precious": b"mine"}
    (folder / "arm_id=1").unlink()
    (folder / "arm_id=1" / "day=0").mkdir(parents=True)
    (tmp_path / "run" / f"{path}.part").symlink_to(kept / "precious")
    files.write(tmp_path / "run", path, memoryview(b"part"))
    assert (kept / "precious").read_text() == "mine"
    assert (tmp_path / "run" / path).read_bytes() == b"part"


def test_a_directory_may_have_any_name_that_the_system_takes(as_written, tmp_path):
    run = tmp_path / os.fsdecode(b"no UTF-8 \xff")
    try:
        shutil.copytree(as_written, run)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with LogReader(run) as log, LogReader(as_written) as same:
        assert log.impressions().equals(same.impressions())
        assert log.digest() == same.digest()


@pytest.mark.parametrize("column", ["arm_id", "day", "number", "rows", "first_session", "last_session", "bytes"])
@pytest.mark.parametrize("value", ["0 OR 1 = 1", 1.5, b"\xff"])
def test_a_list_of_parts_holds_whole_numbers_or_is_not_read(in_parts, column, value):
    """They become names of files, sums and bounds in a query."""
    with sqlite3.connect(in_parts / "log.db") as connection:
        connection.execute(f"UPDATE parts SET {column} = ?", (value,))
    for read in (LogReader.digest, LogReader.impressions):
        with (
            LogReader(in_parts) as log,
            pytest.raises(RunDirectoryError, match=f"as {column}, expected a whole number"),
        ):
            read(log)


def test_a_query_that_is_ended_from_outside_leaves_nothing_on_the_disk(as_written, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("groundlings.simulator.log.reading.asked._START_SECONDS", 3.0)
    with pytest.raises(NotAnswered, match=r"stopped after 0\.2 seconds; ask for less"):
        answer(as_written, "SELECT repeat('x', 2000000000)", seconds=0.2)  # DuckDB looks at nothing while it is at this
    assert list(tmp_path.iterdir()) == []


def listed_again(run: Path, path: Path, rows: int) -> None:
    """Have the list of parts name a file as it now is, as a stranger would."""
    content = path.read_bytes()
    table, arm, day = (folder.name for folder in reversed(path.parents[:3]))
    where = (table, int(arm.removeprefix("arm_id=")), int(day.removeprefix("day=")))
    with sqlite3.connect(run / "log.db") as connection:
        connection.execute(
            "UPDATE parts SET rows = ?, bytes = ?, sha256 = ? WHERE (name, arm_id, day) = (?, ?, ?)",
            (rows, len(content), files.hash_of(content), *where),
        )


def asked_for(run: Path, simulation: str) -> None:
    """Have a run's configuration say this of its days, as a stranger would."""
    with sqlite3.connect(run / "log.db") as connection:
        connection.execute("UPDATE runs SET config = json_set(config, '$.simulation', json(?))", (simulation,))


DOORS = {
    "a query": lambda log: log.query("SELECT count(*) FROM impressions"),
    "whole parts": lambda log: list(log.impression_batches({"rank": pa.int64()})),
    "the digest": LogReader.digest,
}


@pytest.mark.parametrize("claimed", [1, 3_000_000], ids=["other rows than are listed", "more rows than bytes can hold"])
@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
def test_a_part_that_claims_rows_it_cannot_hold_is_not_decoded(in_parts, read, claimed):
    """Equal rows without end take some kilobytes on the disk and gigabytes in memory."""
    path = next((in_parts / "parts" / "impressions").rglob("*.parquet"))
    one = pq.ParquetFile(path).read().slice(0, 1)
    pq.write_table(one.take(pa.array(np.zeros(3_000_000, np.int64))), path, compression="zstd")
    listed_again(in_parts, path, claimed)
    asked_for(in_parts, '{"days": 1000000}')
    said = (
        "has 3,000,000 rows, expected 1;"
        if claimed == 1
        else r"claims 3,000,000 rows in [\d,]+ bytes, expected at most"
    )
    with LogReader(in_parts) as log, pytest.raises(RunDirectoryError, match=said):
        read(log)


@pytest.mark.parametrize(
    ("simulation", "said"),
    [
        ('{"days": 1}', r"has 3,000,0\d\d rows of impressions, expected at most 96 of a run with these arms"),
        ('{"days": 200000}', r"000002\.parquet is missing"),
        ('{"days": "many"}', "does not say how many days and slots it has"),
    ],
    ids=["more than its days allow", "as many as its days allow", "days that are no number"],
)
@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
def test_parts_that_claim_too_much_together_are_not_decoded(in_parts, read, simulation, said):
    """Each holds fewer rows than one alone is refused for, and a log can list any number of them."""
    asked_for(in_parts, simulation)
    with sqlite3.connect(in_parts / "log.db") as connection:
        for number in (2, 3):
            connection.execute(
                "INSERT INTO parts SELECT 100 + ?, name, arm_id, day, ?, 1500000, max(first_id + rows), first_session, "
                "last_session, bytes, sha256 FROM parts WHERE name = 'impressions'",
                (number, number),
            )
    with LogReader(in_parts) as log, pytest.raises(RunDirectoryError, match=said):
        read(log)


def as_another_tool_writes(run, name, change):
    """Give a part other content, and list it as it is now."""
    path = next((run / "parts" / name).rglob("*.parquet"))
    table = change(pq.read_table(path))
    pq.write_table(table, path)
    listed_again(run, path, len(table))


@pytest.mark.parametrize(
    ("name", "column", "values", "said"),
    [
        ("impressions", "clicked", None, "has no column clicked"),
        ("impressions", "clicked", pa.string(), "holds string as clicked, expected bool"),
        ("impressions", "item_id", pa.float64(), "holds double as item_id, expected int64"),
        ("sessions", "agent_id", pa.int64(), "may hold nothing as agent_id, expected a value in every row"),
    ],
)
def test_columns_of_a_part_that_no_run_writes_are_told_before_they_are_read(in_parts, name, column, values, said):
    def change(table):
        place = table.schema.get_field_index(column)
        if values is None:
            return table.rename_columns(["opened" if each == column else each for each in table.column_names])
        return table.set_column(place, pa.field(column, values), pa.nulls(len(table), values))

    as_another_tool_writes(in_parts, name, change)
    with LogReader(in_parts) as log:
        for read in (log.impressions, log.digest, lambda: list(log.impression_chunks(["clicked", "item_id"]))):
            with pytest.raises(RunDirectoryError, match=rf"000001.parquet {said}; the log was left as it is, restore"):
                read()


def test_nan_in_a_part_is_told_with_its_row_and_is_no_value(in_parts):
    def change(table):
        place, ratings = table.schema.get_field_index("rating"), [None] * len(table)
        ratings[3] = float("nan")
        return table.set_column(place, "rating", pa.array(ratings, pa.float64()))

    as_another_tool_writes(in_parts, "impressions", change)
    with LogReader(in_parts) as log:
        for read in (
            log.impressions,
            log.rows_by_arm,
            lambda: log.items_by_step(2, 1, 4.0),
            lambda: log.steps_by_page(1, 4.0),
            lambda: log.session_totals(4.0),
            lambda: list(log.impression_chunks(["rating"])),
        ):
            with pytest.raises(RunDirectoryError, match=r"impressions.rating is NaN or infinite in a row \(.*_id 4\)"):
                read()


def test_a_part_with_rows_of_other_sessions_is_told(in_parts):
    def other(table):
        place = table.schema.get_field_index("session_id")
        return table.set_column(place, table.schema.field(place), pa.array([99] * len(table)))

    as_another_tool_writes(in_parts, "events", other)
    with LogReader(in_parts) as log, pytest.raises(RunDirectoryError, match="has rows of other sessions than those"):
        log.events()
