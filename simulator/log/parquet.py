"""A log in parts: Parquet files for the three large tables, and a small SQLite file that says which of them count."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, true

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import parts as files
from groundlings.simulator.log.columnar import ColumnarConnection, columnar
from groundlings.simulator.log.parts import RESTORE, Part, parts
from groundlings.simulator.log.sqlite import SqliteStore, tables_in

if TYPE_CHECKING:
    from groundlings.simulator.log.shard_rows import PartFile, ShardRows


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

    def keep(self, connection: Connection, rows: ShardRows) -> dict[str, str]:
        """Put the files of some rows at their places; they count once the transaction is committed.

        Args:
            connection: To the index, in the transaction that writes the rest of the rows.
            rows: Of one arm and day.

        Returns:
            Path in the run's directory -> SHA-256.

        Raises:
            RunDirectoryError: A part cannot be written.
        """
        hashes = {}
        for name, file in (rows.files or {}).items():
            part = _next_part(connection, name, rows, file)
            files.write(self.directory, part.path, file.content)
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


def _next_part(connection: Connection, name: str, rows: ShardRows, file: PartFile) -> Part:
    here = (parts.c.name == name) & (parts.c.arm_id == rows.arm_id) & (parts.c.day == rows.day)
    last, number = (
        connection.execute(select(func.max(column)).where(condition)).scalar_one() or 0
        for column, condition in ((parts.c.part_id, true()), (parts.c.number, here))
    )
    return Part(
        part_id=last + 1,
        name=name,
        arm_id=rows.arm_id,
        day=rows.day,
        number=number + 1,
        rows=file.rows,
        first_id=file.first_id,
        first_session=rows.origin.session,
        last_session=rows.origin.session + rows.counts.sessions - 1,
        bytes=len(file.content),
        sha256=file.sha256,
    )


def is_in_parts(index: Path) -> bool:
    """Whether a SQLite file is the index of a log in parts; nothing is made by asking."""
    return parts.name in (tables_in(index) or ())


def parts_in(connection: Connection) -> tuple[Part, ...]:
    """The parts of a log, in the order of writing; empty for a log that has none."""
    behind = columnar(connection)
    return () if behind is None else behind.parts()
