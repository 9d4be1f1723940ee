"""Text files as tables of text: what separates their cells, what they are packed in, and where each row stands."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
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
from groundlings.environments.datasets.file_kinds import LONGEST_CELL, TIMES_CSV, refuse_many_cells, refuse_other_kinds
from groundlings.environments.errors import DataError, shown
from groundlings.environments.memory import available_memory, spelt

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "upright strokes"}
"""What may stand between two cells, and its name."""

_ANYTHING = re.compile(rb"\S")
_NOTE_OF_SEPARATOR = re.compile(rb"""\s*("?sep=["']?(?:[^\w\s"']|\t)["']?)[ ;,\t]*\r?(?:\n|\Z)""", re.IGNORECASE)
_PACKED = b"\x1f\x8b"
_CHUNK = _BLOCK = 2**20
_MOST_UNPACKED = 2**36
_MOST_TIMES = 200
"""Bytes that a packed one may stand for: tables that people write unpack to 3 to 30 times their size."""
_UNPACKED_ANYWAY = 2**26
"""Bytes that any file may unpack to, however small it is."""
_LONGEST_HEADER = 2**22
_MOST_COLUMNS = 100_000
"""Each takes some kilobytes before its first row is read."""
_LONGEST_ROW = 4 * LONGEST_CELL
_MOST_RAGGED = 1_000_000
"""Rows of another length than the header that are noted, one by one, before a file is taken for no table."""


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
    if not _ANYTHING.search(content, len(codecs.BOM_UTF8) * content.startswith(codecs.BOM_UTF8)):
        raise DataError(f"{path}: the file is empty; it needs a header line and data")
    refuse_other_kinds(path, content)
    odd = _not_utf_8(content)
    if odd is not None:
        line = content.count(b"\n", 0, odd) + 1
        raise DataError(f"{path}, line {line}: byte 0x{content[odd]:02x} is not UTF-8; save the file as UTF-8")
    nul = content.find(b"\0")
    if nul >= 0:
        line = content.count(b"\n", 0, nul) + 1
        raise DataError(f"{path}, line {line}: a zero byte; this is not a text file, or it is damaged")
    _refuse_long_header(path, content)
    _refuse_note_of_separator(path, content)
    if b"\n" not in content and b"\r" not in content:
        content += b"\n"  # without one, Arrow takes a header for nothing at all
    separator = separator_of(path, content)
    if content.count(b'"') % 2:
        _refuse_open_quote(path, content, separator)
    columns = len(_header(content, separator))
    if columns > _MOST_COLUMNS:
        raise DataError(
            f"{path}: the header line names {columns:,} columns, at most {_MOST_COLUMNS:,} are read; keep those that "
            "the configuration names"
        )
    refuse_many_cells(path, content.count(b"\n"), columns)
    block = _BLOCK
    while True:
        try:
            return _parsed(path, content, separator, block)
        except pa.ArrowInvalid:
            if block >= min(len(content), _LONGEST_ROW):
                raise
            block = min(block * 16, len(content), _LONGEST_ROW)  # a row has to fit into it


def _not_utf_8(content: bytes) -> int | None:
    """Where the first byte stands that is not UTF-8; text made of the whole may take four times as much."""
    read = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _CHUNK):
        begun = len(read.getstate()[0])
        try:
            read.decode(content[start : start + _CHUNK], final=start + _CHUNK >= len(content))
        except UnicodeDecodeError as error:
            return start - begun + error.start
    return None


def _parsed(path: Path, content: bytes, separator: str, block: int) -> TextTable:
    ragged: list[Ragged] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        if len(ragged) == _MOST_RAGGED:
            return "error"
        ragged.append(Ragged(row.number - 2, row.actual_columns, row.expected_columns))
        return "skip"

    options = {
        "read_options": pyarrow.csv.ReadOptions(use_threads=False, block_size=block),
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=separator, newlines_in_values=True, invalid_row_handler=note
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(_header(content, separator), pa.string()), strings_can_be_null=False
        ),
    }
    try:
        data = pyarrow.csv.read_csv(pa.BufferReader(content), **options)
    except pa.ArrowInvalid:
        if len(ragged) < _MOST_RAGGED:
            if block == _LONGEST_ROW < len(content):
                raise DataError(
                    f"{path}: a row is longer than {spelt(_LONGEST_ROW)}; save the file as CSV with one row a line"
                ) from None
            raise
        raise DataError(
            f"{path}: more than {_MOST_RAGGED:,} rows have not the {ragged[0].expected} cells of the header line (the "
            f"first of them has {ragged[0].found}); save the file as CSV anew, with one header line for all rows"
        ) from None
    return TextTable(data, separator, tuple(ragged))


def unpacked(path: Path) -> bytes:
    """The bytes of a file, those inside where gzip has packed it.

    Raises:
        DataError: It is damaged, or what is packed in it does not fit into memory, or is plainly no table.
    """
    with path.open("rb") as file:
        if file.read(len(_PACKED)) != _PACKED:
            file.seek(0)
            return file.read()
    there = available_memory()
    most = _MOST_UNPACKED if there.bytes is None else there.bytes // TIMES_CSV
    believed = max(_MOST_TIMES * path.stat().st_size, _UNPACKED_ANYWAY)
    content, size = io.BytesIO(), 0
    try:
        with gzip.open(path) as packed:
            while part := packed.read(_CHUNK):
                size += content.write(part)
                if size > believed:
                    raise DataError(
                        f"{path}: it unpacks to more than {_MOST_TIMES} times its size ({spelt(believed)}), as no "
                        "table does that people write; if it is one, unpack it (gunzip) and name what comes out"
                    )
                if size > most:
                    raise DataError(
                        f"{path}: it unpacks to more than {spelt(most)}, and reading that takes more than the "
                        f"{spelt(there.bytes or 0)} that are left ({there.limit}); take fewer rows or columns"
                    )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the file is packed with gzip and damaged ({error}); pack it anew") from error
    return content.getvalue()


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
    content = unpacked(path)
    if b'"' not in content and content.count(b"\r") == content.count(b"\r\n"):
        return _lines_that_hold_something(content)[1:]
    with opened(path) as file:
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


def _lines_that_hold_something(content: bytes) -> IntArray:
    """Numbers of the lines that are not empty, of text without cells in quotation marks, in one go over the bytes."""
    start = len(codecs.BOM_UTF8) * content.startswith(codecs.BOM_UTF8)
    signs = np.frombuffer(content, dtype=np.uint8)
    ends = np.append(np.flatnonzero(signs == ord("\n")), len(content))
    before = np.append(start - 1, ends[:-1])
    lengths = ends - before - 1
    lengths -= (lengths == 1) & (signs[ends - 1] == ord("\r"))
    return np.flatnonzero(lengths) + 1


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """A file in UTF-8, perhaps packed with gzip, as text with the ends of lines that it has."""
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
    beginning = content[: 2 * _LONGEST_HEADER]  # longer ones are refused
    text = io.TextIOWrapper(io.BytesIO(beginning), encoding="utf-8-sig", errors="ignore", newline="")
    return next((row for row in _rows(text, separator) if row), [])


def _refuse_long_header(path: Path, content: bytes) -> None:
    """Refuse a file whose first lines are so long that they are no names of columns, before anybody splits them."""
    first = _ANYTHING.search(content, len(codecs.BOM_UTF8) * content.startswith(codecs.BOM_UTF8))
    start = first.start() if first else 0
    ends = [place for sign in (b"\n", b"\r") if (place := content.find(sign, start, start + _LONGEST_HEADER)) >= 0]
    if start > _LONGEST_HEADER or (not ends and len(content) - start > _LONGEST_HEADER):
        raise DataError(
            f"{path}: found no header line of at most {spelt(_LONGEST_HEADER)} at its beginning, expected the names of "
            "the columns there; save the file as CSV with one row a line"
        )


def _refuse_note_of_separator(path: Path, content: bytes) -> None:
    """Refuse a file whose first line tells a spreadsheet what separates cells, as some exports write it."""
    if found := _NOTE_OF_SEPARATOR.match(content, len(codecs.BOM_UTF8) * content.startswith(codecs.BOM_UTF8)):
        line = content.count(b"\n", 0, found.start(1)) + 1
        raise DataError(
            f"{path}, line {line}: found {shown(found[1].decode())}, a note for spreadsheets and no header; remove "
            "this line, so that the names of the columns come first"
        )


def _rows(lines: Iterable[str], separator: str, *, strict: bool = False) -> Any:
    """A reader of rows, whose cells may be as long as any (`LONGEST_CELL`), not 131,072 characters as usual."""
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(lines, delimiter=separator, strict=strict)


def _refuse_open_quote(path: Path, content: bytes, separator: str) -> None:
    """Arrow ends a quoted cell with the file; a file that was cut short must not pass for a whole one."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = _rows(text, separator, strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: a quotation mark is never closed ({error}); close it") from error
