"""Text files as tables of text: what separates their cells, what they are packed in, and where each row stands."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.file_kinds import TIMES_CSV, refuse_other_kinds
from groundlings.environments.errors import DataError
from groundlings.environments.memory import available_memory, spelt

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "upright strokes"}
"""What may stand between two cells, and its name."""

_PACKED = b"\x1f\x8b"
_CHUNK = _BLOCK = 2**20
_MOST_UNPACKED = 2**36
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Ragged:
    """A row with too few or too many cells.

    Attributes:
        row: Its number in the file, 0 for the first after the header.
        found, expected: Cells.
    """

    row: int
    found: int
    expected: int


@dataclass(frozen=True, slots=True, eq=False)
class TextTable:
    """What a text file holds.

    Attributes:
        data: All columns as text, without ragged rows.
        separator: What stands between two cells.
        ragged: Rows that `data` lacks, ascending.
    """

    data: pa.Table
    separator: str
    ragged: tuple[Ragged, ...]


def read_csv(path: Path) -> TextTable:
    """The rows of a file in UTF-8 with a header line, perhaps packed with gzip.

    Raises:
        DataError: It is empty, damaged, no text, not UTF-8, or cannot be told how its cells are separated.
    """
    content = unpacked(path)
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise DataError(f"{path}: the file is empty; it needs a header line and data")
    refuse_other_kinds(path, content)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    nul = content.find(b"\0")
    if nul >= 0:
        line = content.count(b"\n", 0, nul) + 1
        raise DataError(f"{path}, line {line}: a zero byte; this is not a text file, or it is damaged")
    if b"\n" not in content and b"\r" not in content:
        content += b"\n"  # without one, Arrow takes a header for nothing at all
    separator = separator_of(path, content)
    if content.count(b'"') % 2:
        _refuse_open_quote(path, content.decode("utf-8-sig"), separator)
    block = _BLOCK
    while True:
        try:
            return _parsed(content, separator, block)
        except pa.ArrowInvalid:
            if block >= len(content):
                raise
            block = min(block * 16, len(content))  # a row has to fit into it


def _parsed(content: bytes, separator: str, block: int) -> TextTable:
    ragged: list[Ragged] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(Ragged(row.number - 2, row.actual_columns, row.expected_columns))
        return "skip"

    data = pyarrow.csv.read_csv(
        pa.BufferReader(content),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=block),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(_header(content, separator), pa.string()), strings_can_be_null=False
        ),
    )
    return TextTable(data, separator, tuple(ragged))


def unpacked(path: Path) -> bytes:
    """The bytes of a file, those inside where gzip has packed it.

    Raises:
        DataError: It is damaged, or what is packed in it does not fit into memory.
    """
    with path.open("rb") as file:
        if file.read(len(_PACKED)) != _PACKED:
            file.seek(0)
            return file.read()
    there = available_memory()
    most = _MOST_UNPACKED if there.bytes is None else there.bytes // TIMES_CSV
    parts, size = [], 0
    try:
        with gzip.open(path) as packed:
            while part := packed.read(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > most:
                    raise DataError(
                        f"{path}: it unpacks to more than {spelt(most)}, and reading that takes more than the "
                        f"{spelt(there.bytes or 0)} that are left ({there.limit}); take fewer rows or columns"
                    )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the file is packed with gzip and damaged ({error}); pack it anew") from error
    return b"".join(parts)


def separator_of(path: Path, content: bytes) -> str:
    """What separates the cells of the header line: what the ending says, unless the header has no such sign.

    Raises:
        DataError: Two other signs could be meant.
    """
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    usual = "\t" if ".tsv" in endings or ".tab" in endings else ","
    if len(_header(content, usual)) > 1:
        return usual
    able = [sign for sign in SEPARATORS if len(_header(content, sign)) > 1]
    if len(able) > 1:
        names = " or ".join(SEPARATORS[sign] for sign in able)
        raise DataError(f"{path}: its cells may be separated by {names}; save the file as CSV with commas")
    return able[0] if able else usual


def line_starts(path: Path, separator: str) -> IntArray:
    """The line on which each row after the header starts: cells may hold line breaks, and empty lines are no rows."""
    with _text(path) as file:
        reader = _rows(file, separator)
        starts, line = [], 1
        try:
            for cells in reader:
                if cells:
                    starts.append(line)
                line = reader.line_num + 1
        except csv.Error:
            starts.append(line)
    return np.array(starts[1:], dtype=np.int64)


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    with path.open("rb") as file:
        packed = file.read(len(_PACKED)) == _PACKED
    if packed:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
            yield text
    else:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield text


def _header(content: bytes, separator: str) -> list[str]:
    """The names of the columns: the first row that is not empty, as Arrow sees it; its cells may hold line breaks."""
    rows = _rows(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""), separator)
    return next((row for row in rows if row), [])


def _rows(lines: Iterable[str], separator: str, *, strict: bool = False) -> Any:
    """A reader of rows; a cell may be as long as it likes, where the module's own limit is 131,072 characters."""
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, delimiter=separator, strict=strict)


def _refuse_open_quote(path: Path, text: str, separator: str) -> None:
    """Arrow ends a quoted cell with the file; a file that was cut short must not pass for a whole one."""
    reader = _rows(io.StringIO(text, newline=""), separator, strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: a quotation mark is never closed ({error}); close it") from error
