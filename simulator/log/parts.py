"""Parts: the rows of the three large tables as Parquet files of one arm and day each, beside a small SQLite file.

A part is written whole under another name, brought to the disk and renamed; it counts once its row in the table
`parts` of `log.db` is committed. A file without such a row is what a killed run left, and is no part of the log.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, MetaData, String, Table
from sqlalchemy import Integer as WholeNumber

from groundlings.environments.errors import RunDirectoryError, shown
from groundlings.simulator.log import tables
from groundlings.simulator.log.canonical import kinds_of
from groundlings.simulator.log.columns import Coded, Columns

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "parts"
"""Where they lie, in the directory of the run."""

RESTORE = "the log was left as it is, restore it from a copy"
"""What to do about a part that is not as it was written."""

parts = Table(
    FOLDER,
    MetaData(),  # not one of the tables of every log: only the index of a log in parts has it
    Column("part_id", WholeNumber, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),  # of the table whose rows it holds
    Column("arm_id", WholeNumber, nullable=False),
    Column("day", WholeNumber, nullable=False),
    Column("number", WholeNumber, nullable=False),  # 1, 2, 3, ... within table, arm and day
    Column("rows", WholeNumber, nullable=False),
    Column("first_id", WholeNumber, nullable=False),  # ids of its rows follow each other
    Column("first_session", WholeNumber, nullable=False),
    Column("last_session", WholeNumber, nullable=False),
    Column("bytes", WholeNumber, nullable=False),
    Column("sha256", String, nullable=False),  # of the file
)

_NARROW = frozenset(("day", "pages", "page", "position", "rank", "display_position", "place_row", "place_slot"))
_ASCENDING = frozenset(("session_id", "impression_id", "event_id"))
"""Columns that grow from row to row, but for the rows of one session."""
_OURS = re.compile(r"\d{6}\.parquet(\.part)?")


@dataclass(frozen=True, slots=True)
class Part:
    """A row of `parts`; attributes are its columns. `RunDirectoryError` where one holds another kind of value."""

    part_id: int
    name: str
    arm_id: int
    day: int
    number: int
    rows: int
    first_id: int
    first_session: int
    last_session: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        for column in parts.columns:
            kind, found = (str if isinstance(column.type, String) else int), getattr(self, column.name)
            if type(found) is not kind:
                expected = "text" if kind is str else "a whole number"
                raise RunDirectoryError(
                    f"the list of parts: found {shown(found)} as {column.name}, expected {expected}; {RESTORE}"
                )

    @property
    def path(self) -> str:
        """Where it lies in the run's directory; made of numbers alone, whatever a log says."""
        if self.name not in tables.LARGE:
            raise RunDirectoryError(
                f"the list of parts names a table {self.name!r}, expected one of {', '.join(tables.LARGE)}; {RESTORE}"
            )
        return f"{FOLDER}/{self.name}/arm_id={self.arm_id}/day={self.day}/{self.number:06d}.parquet"


@cache
def schema_of(name: str) -> pa.Schema:
    """The columns of a part, in the order of `tables.py`: whole numbers of 32 or 64 bits, truth values, text."""
    import pyarrow as pa

    table = tables.metadata.tables[name]
    kinds = {"float": pa.float64(), "text": pa.string()}

    def kind(column: Column[Any], held: str) -> pa.DataType:
        if held != "integer":
            return kinds[held]
        if isinstance(column.type, Boolean):
            return pa.bool_()
        return pa.int32() if column.name in _NARROW else pa.int64()

    return pa.schema(
        [
            pa.field(column.name, kind(column, held), nullable=bool(column.nullable))
            for column, held in zip(table.columns, kinds_of(table), strict=True)
        ]
    )


def table_of(name: str, columns: Columns) -> pa.Table:
    """Rows of a table as Arrow has them, in the kinds of `schema_of`."""
    import pyarrow as pa

    schema = schema_of(name)
    arrays = [_array(column, field.type) for column, field in zip(columns.columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def file_of(table: pa.Table) -> bytes:
    """The bytes of a Parquet file; the same rows give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = table.schema
    ids = [field.name for field in schema if field.name in _ASCENDING]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[field.name for field in schema if field.type != pa.float64() and field.name not in ids],
        column_encoding=dict.fromkeys(ids, "DELTA_BINARY_PACKED"),
        write_statistics=ids,
    ) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    """A column of a block; NaN is NULL, -0.0 is 0.0 as databases have it, and truth values may come as 0 and 1."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, range):
        column = np.arange(column.start, column.stop)
    if isinstance(column, Coded):
        return pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.values, kind)).cast(kind)
    if isinstance(column, np.ma.MaskedArray) and column.dtype.kind in "biu":
        return pa.array(column.data, mask=np.ma.getmaskarray(column)).cast(kind)
    if isinstance(column, np.ma.MaskedArray):
        column = column.filled(np.nan if column.dtype.kind == "f" else None)
    if isinstance(column, np.ndarray) and column.dtype.kind == "f" and not pa.types.is_floating(kind):
        unknown = np.isnan(column)
        return pa.array(np.where(unknown, 0, column).astype(np.int64), mask=unknown).cast(kind)
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        array = pa.array(np.ascontiguousarray(column), from_pandas=True).cast(kind)
    elif pa.types.is_boolean(kind):
        array = pa.array([None if cell is None else bool(cell) for cell in column], kind)
    else:
        array = pa.array(column, kind, from_pandas=True)
    return pc.add(array, 0.0) if pa.types.is_floating(kind) else array


def write(directory: Path, path: str, content: bytes) -> None:
    """Put a file at its place in a run's directory: whole, and on the disk before its name is there.

    Raises:
        RunDirectoryError: The disk is full, the directory may not be written, or a link leads out of it.
    """
    target = directory / path
    beside = target.with_name(target.name + ".part")
    with named_faults_of(target):
        refuse_links(directory, target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)  # a link by this name would have a file written where it leads
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        _sync(target.parent)


def refuse_links(directory: Path, folder: Path) -> None:
    """Raise `RunDirectoryError` where the way to a folder of parts is a link: a run writes in its own directory alone.

    Args:
        directory: The run's; it may itself be reached by links.
        folder: In it; it need not be there.
    """
    for each in (folder, *folder.parents):
        if each == directory:
            return
        if each.is_symlink():
            raise RunDirectoryError(
                f"{each}: a link to {os.path.realpath(each)}, expected a folder; nothing is written or removed through "
                "it. Put the folder itself in its place"
            )


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def named_faults_of(path: Path) -> Iterator[None]:
    """Turn what a disk does to a part into one clear error.

    Raises:
        RunDirectoryError: The system refused it.
    """
    try:
        yield
    except OSError as fault:
        safe = "all committed sessions are safe"
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            why = f"the disk is full; {safe}, free some space and run again"
        elif fault.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            why = f"cannot be written ({fault.strerror}); {safe}, choose another directory with --out"
        else:
            why = f"cannot be written ({fault.strerror or fault}); {safe}, check the disk's space and health"
        raise RunDirectoryError(f"{path}: {why}") from None


def hash_of(content: bytes) -> str:
    """SHA-256 of a part."""
    return hashlib.sha256(content).hexdigest()


def fault_of(directory: Path, part: Part, *, whole: bool) -> str | None:
    """What is wrong with the file of a part, None where nothing is.

    Args:
        directory: The run's.
        part: As it was written.
        whole: Whether all of it is read and hashed; else only its size is looked at.
    """
    path = directory / part.path
    try:
        size = path.lstat().st_size
        if path.is_symlink() or not path.is_file():
            return f"part {part.path} is no file"
        if size != part.bytes:
            return f"part {part.path} has {size:,} bytes, expected {part.bytes:,}"
        if whole:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
                    return f"part {part.path} was changed"
    except FileNotFoundError:
        return f"part {part.path} is missing"
    except OSError as fault:
        return f"part {part.path} cannot be read ({fault.strerror})"
    return None


def leftovers(directory: Path, known: Sequence[Part]) -> list[Path]:
    """Files that a killed run left among the parts: named as ours, and no part of the log."""
    paths = {directory / part.path for part in known}
    found = (directory / FOLDER).rglob("*.parquet*")
    return sorted(path for path in found if path not in paths and _OURS.fullmatch(path.name) and not path.is_symlink())
