"""A log in parts: Parquet files for the three large tables, and a small SQLite file that says which of them count."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, true

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import parts as files
from groundlings.simulator.log.columnar import ColumnarConnection, columnar
from groundlings.simulator.log.columns import Columns
from groundlings.simulator.log.parts import RESTORE, Part, parts
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.tables import LARGE

if TYPE_CHECKING:
    from groundlings.simulator.log.row_layout import Block, Cohort


@dataclass(frozen=True)
class ParquetStore(SqliteStore):
    """See `store.Store`; `path` is the SQLite file, and the parts lie beside it."""

    @property
    def keeper(self) -> PartKeeper:
        """Writes the parts."""
        return PartKeeper(self.path.parent)

    def connected(self, address: str) -> Any:
        """See `SqliteStore.connected`."""
        return ColumnarConnection(super().connected(address), self.path.parent)

    def prepare(self, connection: Connection) -> None:
        """Make the table that lists the parts, and their folder."""
        folder = self.path.parent / files.FOLDER
        files.refuse_links(self.path.parent, folder)
        with files.named_faults_of(folder):
            folder.mkdir(exist_ok=True)
        parts.create(connection, checkfirst=True)

    def check_integrity(self, connection: Connection) -> None:
        """Ask SQLite to read everything, and look that every part is there; their bytes are under the seals."""
        super().check_integrity(connection)
        for part in parts_in(connection):
            fault = files.fault_of(self.path.parent, part, whole=False)
            if fault is not None:
                raise RunDirectoryError(f"{self.path.parent}: {fault}; {RESTORE}")


@dataclass(frozen=True, slots=True)
class PartKeeper:
    """Writes the parts of a log, and clears away what is none.

    Attributes:
        directory: The run's.
    """

    directory: Path

    def keep(self, connection: Connection, block: Block, cohort: Cohort) -> dict[str, str]:
        """Write a part for each large table that has rows in a block; they count once the transaction is committed.

        Args:
            connection: To the index, in the transaction that writes the rest of the block.
            block: Rows of one arm and day.
            cohort: One of those that the rows are of.

        Returns:
            Path in the run's directory -> SHA-256.

        Raises:
            RunDirectoryError: A part cannot be written.
        """
        sessions = block.sessions.columns[0]
        where = {
            "arm_id": cohort.arm_id,
            "day": int(cohort.record.sessions.day),
            "first_session": int(sessions[0]),
            "last_session": int(sessions[-1]),
        }
        hashes = {}
        for name in LARGE:
            columns: Columns = getattr(block, name)
            if len(columns):
                content = files.file_of(name, columns)
                part = _next_part(connection, name, where, columns, content)
                files.write(self.directory, part.path, content)
                connection.execute(insert(parts), asdict(part))
                hashes[part.path] = part.sha256
        return hashes

    def clear_leftovers(self, connection: Connection) -> int:
        """Remove files that a killed run left and that no committed row names; how many there were."""
        found = files.leftovers(self.directory, parts_in(connection))
        for path in found:
            with files.named_faults_of(path):
                path.unlink()
        return len(found)


def _next_part(
    connection: Connection, name: str, where: Mapping[str, int], columns: Columns, content: memoryview
) -> Part:
    here = (parts.c.name == name) & (parts.c.arm_id == where["arm_id"]) & (parts.c.day == where["day"])
    last, number = (
        connection.execute(select(func.max(column)).where(condition)).scalar_one() or 0
        for column, condition in ((parts.c.part_id, true()), (parts.c.number, here))
    )
    return Part(
        part_id=last + 1,
        name=name,
        number=number + 1,
        rows=len(columns),
        first_id=int(columns.columns[0][0]),
        bytes=len(content),
        sha256=files.hash_of(content),
        **where,
    )


def is_in_parts(index: Path) -> bool:
    """Whether a SQLite file is the index of a log in parts; nothing is made by asking."""
    if not index.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            return connection.execute(query, (parts.name,)).fetchone() is not None
    except sqlite3.Error:  # whoever opens it says what is wrong
        return False


def parts_in(connection: Connection) -> tuple[Part, ...]:
    """The parts of a log, in the order of writing; empty for a log that has none."""
    behind = columnar(connection)
    return () if behind is None else behind.parts()
