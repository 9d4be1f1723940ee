"""The digest of rows in parts is that of the same rows in one file, whatever stands in them and in either version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from groundlings.simulator.log import parts as files
from groundlings.simulator.log import tables
from groundlings.simulator.log.columns import Columns
from groundlings.simulator.log.connection import WritingConnection
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.store import open_log

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_subnormal=True)
PEOPLE = ("u2", "u10", 'o\'neil \\ "x"', "ü\n")
SESSION = (0, 86_400, "v1", "exact", 1, "exit")


@st.composite
def rows_of_two_arms(draw):
    """Rows of the three large tables, two sessions of one slot per person and arm, in either order of people."""
    sessions, impressions, events = [], [], []
    for arm in (1, 2):
        for who in draw(st.permutations(range(len(PEOPLE)))):
            number = len(sessions) + 1
            day, time, version, kind, pages, _ = SESSION
            sessions.append((number, arm, who + 1, day, time, version, kind, pages, draw(TEXTS), draw(NUMBERS)))
            flag = draw(st.sampled_from([None, False, True]))
            slot = (number, 1, 0, 0, 1, draw(NUMBERS), draw(st.floats(0, 1)), False, flag, flag)
            impressions.append((number, *slot, *(draw(NUMBERS) for _ in range(3)), 0, None, None, None, None))
            about = draw(st.sampled_from([None, number]))
            events.append((number, number, about, 1, draw(TEXTS), draw(NUMBERS), draw(st.none() | TEXTS)))
    return {"sessions": sessions, "impressions": impressions, "events": events}


def digest_in(store: SqliteStore, rows: dict[str, list[tuple[object, ...]]], version: int) -> str:
    connection = WritingConnection(store)
    connection.open()
    with connection.transaction() as transaction:
        store.pour(transaction, tables.arms, [(n, "r", name, n, "x", "{}", 0) for n, name in ((1, "b"), (2, "a'\\"))])
        store.pour(transaction, tables.agents, [(n, "r", name, "{}") for n, name in enumerate(PEOPLE, start=1)])
        store.pour(transaction, tables.items, [(1, "r", 'i"1', "An item", None, "")])
        for number, (name, listed) in enumerate(rows.items(), start=1):
            if not isinstance(store, ParquetStore):
                store.pour(transaction, tables.metadata.tables[name], listed)
                continue
            for arm in (1, 2):
                mine = [
                    row
                    for row in listed
                    if rows["sessions"][row[1] - 1 if name != "sessions" else row[0] - 1][1] == arm
                ]
                content = files.file_of(files.table_of(name, Columns(*zip(*mine, strict=True))))
                first = mine[0][0]
                part = Part(
                    2 * number + arm, name, arm, 0, 1, len(mine), first, first, first + len(mine) - 1, len(content), "x"
                )
                files.write(store.path.parent, part.path, content)
                transaction.execute(insert(files.parts), asdict(part))
    connection.close()
    engine = open_log(store)
    found = digest(engine, version)
    engine.dispose()
    return found


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=8, deadline=None)
@given(rows=rows_of_two_arms())
def test_any_text_and_any_number_gives_the_digest_of_the_same_rows_in_one_file(version, rows):
    with TemporaryDirectory() as folder:
        file, apart = Path(folder) / "file", Path(folder) / "apart"
        file.mkdir()
        apart.mkdir()
        there, here = ParquetStore(apart / "log.db"), SqliteStore(file / "log.db")
        assert digest_in(there, rows, version) == digest_in(here, rows, version)


def test_a_share_of_the_people_at_a_time_gives_the_same(monkeypatch, tmp_path):
    rows = {
        "sessions": [(n, 1 + (n > 4), (n - 1) % 4 + 1, *SESSION, 5.5) for n in range(1, 9)],
        "impressions": [(n, n, 1, 0, 0, 1, 0.1, 1.0, False, *(None,) * 5, 0, *(None,) * 4) for n in range(1, 9)],
        "events": [(n, n, n, 1, "click", None, None) for n in range(1, 9)],
    }
    found = set()
    for most in (1, 3, 1_000):
        monkeypatch.setattr("groundlings.simulator.log.row_texts._ROWS_AT_ONCE", most)
        folder = tmp_path / str(most)
        folder.mkdir()
        found.add(digest_in(ParquetStore(folder / "log.db"), rows, 1))
    (folder / "file").mkdir()
    found.add(digest_in(SqliteStore(folder / "file" / "log.db"), rows, 1))
    assert len(found) == 1
