"""What a file is before it is read as a table: its size and its kind."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from groundlings.environments.datasets.packed_texts import text_in
from groundlings.environments.errors import DataError, shown
from groundlings.environments.memory import available_memory, spelt

TIMES_CSV = 4
"""Bytes of memory per byte of a CSV file: its text, its columns and their distinct cells."""
_TIMES_TEXT = 2
"""Bytes of memory per byte of text in a Parquet file: its columns, and one of them as it is taken apart."""
_MOST_TIMES = 1000
_HELD_ANYWAY = 2**30
"""Bytes of text that any Parquet file may hold, however small it is; larger ones `_MOST_TIMES` their size."""
_CELL_BYTES = 16
_PAGES = 2**20
"""Bytes that a column may take besides its cells, for pages and statistics."""
LONGEST_CELL = 2**24
"""Bytes of one cell: a long novel has 4 million."""

_OF_PYTHON = "is a pickle of Python, which is not read because it may hold code; save the table as CSV or Parquet"
_TAR = slice(257, 262)
"""Where an archive of tar says that it is one."""

_KINDS = (
    (b"\x1f\x8b", "is compressed with gzip twice; unpack it once (gunzip)"),
    (b"BZh", "is compressed with bzip2; unpack it first (bunzip2)"),
    (b"\xfd7zXZ\0", "is compressed with xz; unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it first (unzstd)"),
    (b"PK\x03\x04", "is a zip archive or a workbook of a spreadsheet; unpack it, or save the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of a spreadsheet; save the sheet as CSV in UTF-8"),
    (b"PAR1", "is a Parquet file; unpack it where it is packed, and give it the ending .parquet"),
    (
        b"ARROW1",
        "is a Feather file; save it as Parquet, for instance with pandas: pd.read_feather(...).to_parquet(...)",
    ),
    *((b"\x80" + bytes([version]), _OF_PYTHON) for version in range(2, 6)),
    (b"\x93NUMPY", "holds an array of NumPy; save it as CSV, with a header line that names the columns"),
    (b"SQLite format 3\0", "is a database of SQLite; save the table as CSV"),
    (
        b"\x89HDF\r\n",
        "is HDF5; save the table as CSV or Parquet, for instance with pandas: pd.read_hdf(...).to_csv(...)",
    ),
    (codecs.BOM_UTF32_LE, "is text in UTF-32; save it as UTF-8"),
    (codecs.BOM_UTF32_BE, "is text in UTF-32; save it as UTF-8"),
    (codecs.BOM_UTF16_LE, "is text in UTF-16; save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "is text in UTF-16; save it as UTF-8"),
)


def refuse_large(path: Path, is_csv: bool) -> None:
    """Return if a file fits into memory, as far as that can be told before it is read.

    Raises:
        DataError: It does not; the message says what it takes and what there is.
    """
    needed = TIMES_CSV * path.stat().st_size
    if not is_csv:
        about = pyarrow.parquet.read_metadata(path)
        _refuse_long_cells_packed(path, about)
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        values = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
        needed = max(sum(group.total_byte_size for group in groups), values * _CELL_BYTES)
        _refuse_beyond_memory(path, needed)
        needed = _TIMES_TEXT * _text_in(path, about)
    _refuse_beyond_memory(path, needed)


def _text_in(path: Path, about: Any) -> int:
    """Bytes of text in a Parquet file; raises `DataError` where that is more than any table holds."""
    size, long = text_in(path, about, LONGEST_CELL)
    if long is not None:
        raise _too_long(path, long)
    believed = max(_MOST_TIMES * path.stat().st_size, _HELD_ANYWAY)
    if size > believed:
        raise DataError(
            f"{path}: its cells hold {spelt(size)} of text, more than {_MOST_TIMES:,} times its size and "
            f"{spelt(_HELD_ANYWAY)}, as no table does that people write; leave the column of long texts that repeat "
            "out of the file"
        )
    return size


def _refuse_long_cells_packed(path: Path, about: Any) -> None:
    """Refuse a Parquet file whose cells are too long on the average of a column, which it says before it is read."""
    for group in map(about.row_group, range(about.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if (
                column.physical_type == "BYTE_ARRAY"
                and column.total_uncompressed_size > LONGEST_CELL * max(column.num_values, 1) + _PAGES
            ):
                raise _too_long(path, column.path_in_schema)


def refuse_long_cells(path: Path, data: pa.Table) -> None:
    """Raise `DataError` where a text is longer than any that we keep."""
    for name, cells in zip(data.column_names, data.columns, strict=True):
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
            longest = pc.max(pc.binary_length(cells)).as_py()
            if longest is not None and longest > LONGEST_CELL:
                raise _too_long(path, name)


def _too_long(path: Path, column: str) -> DataError:
    return DataError(
        f"{path}: column {shown(column)} has a cell that is longer than {spelt(LONGEST_CELL)}, the most that is read; "
        "shorten it, or leave the column out of the file"
    )


def refuse_many_cells(path: Path, rows: int, columns: int) -> None:
    """As `refuse_large`, of text that was read and not parsed: short cells take more as a column than in the file."""
    _refuse_beyond_memory(path, rows * columns * _CELL_BYTES)


def _refuse_beyond_memory(path: Path, needed: int) -> None:
    there = available_memory()
    if there.bytes is not None and needed > there.bytes:
        raise DataError(
            f"{path}: reading it takes about {spelt(needed)} ({needed:,} bytes), and {spelt(there.bytes)} are left "
            f"({there.limit}); take fewer rows or columns, or give it more memory"
        )


def refuse_other_kinds(path: Path, content: bytes) -> None:
    """Return if bytes may be UTF-8; raise `DataError`, which says what they are, where they cannot be."""
    for start, told in _KINDS:
        if content.startswith(start):
            raise DataError(f"{path}: the file {told}")
    if content[_TAR] == b"ustar":
        raise DataError(f"{path}: the file is an archive of tar; unpack it, and name the table in it")
    start = content[:200]
    if b"".join(start.split()).startswith((b'{"', b"[{")):
        raise DataError(f"{path}: the file is JSON; save it as CSV (in pandas: pd.read_json(...).to_csv(...))")
    # Latin letters in UTF-16 have a zero byte each, all on the same side.
    if len(start) > 3 and (start[1::2].count(0) > len(start) // 4) != (start[::2].count(0) > len(start) // 4):
        raise DataError(f"{path}: the file is text in UTF-16; save it as UTF-8")
