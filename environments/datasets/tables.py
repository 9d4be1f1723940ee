"""Files and data frames as tables, with every complaint tied to a file and a row."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.csv_files import SEPARATORS, Ragged, read_csv
from groundlings.environments.datasets.file_kinds import refuse_large, refuse_long_cells
from groundlings.environments.datasets.file_parts import Part
from groundlings.environments.datasets.other_separators import other_separator
from groundlings.environments.datasets.problems import Problem, Problems
from groundlings.environments.errors import DataError, RunWarning, shown
from groundlings.environments.lookalikes import near
from groundlings.environments.missing_files import meant_instead

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Table:
    """One file of data, or several that are read as one.

    Attributes:
        path: Where it is; the first of several.
        data: Its columns, all text, missing cells as "".
        is_csv: Whether rows have line numbers.
        parts: The files, in the order of rows; () of a table that is no file.
        problems: Where rows that cannot be used are noted; None where the first one is an error.
    """

    path: Path
    data: pa.Table
    is_csv: bool
    parts: tuple[Part, ...] = ()
    problems: Problems | None = None

    @classmethod
    def read(cls, path: Path, problems: Problems | None = None) -> Table:
        """Read a file by its ending (.parquet or .pq, else text with a header line, perhaps packed with gzip).

        Args:
            path: Where it is.
            problems: Where rows with too few or too many cells are noted, and later what else is wrong with rows.

        Raises:
            DataError: It is missing, empty, damaged, not UTF-8, or its rows differ in length and nobody notes that.
        """
        if not path.is_file():
            if path.exists():
                what = "a directory" if path.is_dir() else "a device or a pipe"
                raise DataError(f"{path}: this is {what}; expected a CSV or Parquet file")
            what = "this link leads to no file" if path.is_symlink() else "no such file"
            raise DataError(f"{path}: {what}; correct the path{meant_instead(path)}")
        is_csv = path.suffix.lower() not in (".parquet", ".pq")
        separator: str | None = None
        ragged: tuple[Ragged, ...] = ()
        try:
            refuse_large(path, is_csv)
            if is_csv:
                text = read_csv(path)
                data, separator, ragged = text.data, text.separator, text.ragged
            else:
                data = pyarrow.parquet.read_table(path)
            refuse_long_cells(path, data)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path}: cannot be read as {'CSV' if is_csv else 'Parquet'}: {reason}") from error
        part = Part(path, data.num_rows, separator, tuple(data.column_names), ragged)
        table = cls(path, data, is_csv, (part,), problems)
        if ragged:
            _reject_ragged(table, part)
        if data.num_rows == 0:
            raise DataError(f"{path}: the file has no rows; it needs {'a header line and ' if is_csv else ''}data")
        return table

    @classmethod
    def read_all(cls, paths: Sequence[Path], problems: Problems | None = None) -> Table:
        """Several files with the same columns as one table, rows in the order of the files.

        Raises:
            DataError: As of `read`, or a column is of another kind in another file.
        """
        tables = [cls.read(path, problems) for path in paths]
        first = tables[0]
        if len(tables) == 1:
            return first
        try:
            data = pa.concat_tables([table.data for table in tables], promote_options="permissive")
        except (pa.ArrowException, ValueError) as error:
            raise DataError(
                f"{first.path} and {len(tables) - 1} more files: their columns are of different kinds "
                f"({' '.join(str(error).split())}); write all files with the same kinds"
            ) from error
        parts = tuple(part for table in tables for part in table.parts)
        joined = cls(first.path, data, first.is_csv, parts, problems)
        if problems is not None:
            problems.rows[:] = [
                replace(each, table=joined) if any(each.table is table for table in tables) else each
                for each in problems.rows
            ]
        return joined

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have a decimal comma: only where commas separate nothing."""
        return bool(self.parts) and all(part.separator not in (None, ",") for part in self.parts)

    def check_header(self, name: str, key: str) -> None:
        """Return if each file has a column once; `key` is the YAML key that asked for it, for the message."""
        for part in self.parts or (Part(self.path, self.data.num_rows, None, tuple(self.data.column_names)),):
            headers = part.headers
            if headers.count(name) == 1:
                continue
            twice = name in headers
            found = "stands in the header twice" if twice else "is not in the header"
            advice = "; rename one of them" if twice else _otherwise(part) or _headless(part) or near(name, headers)
            raise DataError(
                f"{part.path}: column {name!r} ({key}) {found}; the columns are {', '.join(map(repr, headers))}{advice}"
            )

    def warn_of_unread(self, read: Collection[str], expected: str) -> None:
        """Warn of columns that nobody reads, for files whose columns have fixed names.

        Args:
            read: Headers of the columns that are read.
            expected: What may stand there instead, for the message.
        """
        if unread := [name for name in self.data.column_names if name not in read]:
            named = ", ".join(map(shown, unread))
            warnings.warn(f"{self.path}: not read: the columns {named}; {expected}", RunWarning, stacklevel=3)

    def column(self, name: str, key: str, *, lists: bool = False, infinite: bool = False) -> Column:
        """A column by its header.

        Args:
            name: The header.
            key: The YAML key that asked for it, for the message.
            lists: Whether cells may be lists of texts; they come as JSON.
            infinite: Whether numbers may be infinite.
        """
        self.check_header(name, key)
        raw = self.data.column(name)
        if isinstance(raw.type, pa.BaseExtensionType) and not is_text(raw.type.storage_type):
            raise DataError(  # a pandas Period is stored as a count of its months or days, which looks like seconds
                f"{self.path}: column {name!r} ({key}) holds {raw.type}, expected text, numbers or times; convert it, "
                "for instance with dt.to_timestamp() or astype(str)"
            )
        if pa.types.is_duration(raw.type):
            raise DataError(  # it is stored as a count of its unit, which looks like a number or a time
                f"{self.path}: column {name!r} ({key}) holds {raw.type}, a length of time, expected text, numbers or "
                "times; write moments with their day, and lengths as numbers of the unit that you mean, for instance "
                "with dt.total_seconds()"
            )
        try:
            raw = self._as_told(name, lists, infinite)
            column = Column(self, name, raw)
            if not pa.types.is_integer(raw.type) and not pa.types.is_timestamp(raw.type):
                _ = column.distinct  # says what cannot be read; the others are encoded where somebody asks
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path}: column {name!r} ({key}) holds the bytes {error.object[:20]!r}, which are not UTF-8; "
                "write the file anew with text in UTF-8"
            ) from error
        except (pa.ArrowException, ValueError) as error:
            raise DataError(
                f"{self.path}: column {name!r} ({key}) holds {raw.type}, expected text, numbers or times; "
                "convert it before you write the file"
            ) from error
        return column

    def ids(self, name: str, key: str) -> Column:
        """As `column`, of ids: refused where numbers are kept so that different ids are one."""
        column, raw = self.column(name, key), self.data.column(name)
        if pa.types.is_dictionary(raw.type):
            raw = raw.cast(raw.type.value_type)
        if pa.types.is_floating(raw.type):
            most = {pa.float16(): 2**11, pa.float32(): 2**24}.get(raw.type, _EXACT)
            numbers = raw.cast(pa.float64()).fill_null(0).to_numpy()
            if (np.abs(numbers) >= most).any():
                row = int(np.argmax(np.abs(numbers) >= most))
                column.fail(
                    row,
                    f"found {numbers[row]:.0f} as {raw.type}, which from {most:,} on leaves out whole numbers, so that "
                    "different ids become one; store ids as whole numbers (Int64 in pandas) or text",
                )
        return column

    def _as_told(self, name: str, lists: bool, infinite: bool) -> pa.ChunkedArray:
        """A column with numbers as people write them: whole ones without decimals, and none that is no number."""
        raw = self.data.column(name)
        if lists and (pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type)) and is_text(raw.type.value_type):
            cells = [None if cell is None else json.dumps(cell) for cell in raw.to_pylist()]
            return pa.chunked_array([cells], pa.string())
        if pa.types.is_decimal(raw.type):  # as databases export whole numbers: 7.00
            whole_type = pa.decimal256(76, 0) if pa.types.is_decimal256(raw.type) else pa.decimal128(38, 0)
            with suppress(pa.ArrowInvalid):  # some have decimals
                return raw.cast(whole_type)
        if not pa.types.is_floating(raw.type):
            return raw
        numbers = raw.cast(pa.float64()).to_numpy()
        empty = raw.is_null().to_numpy()
        odd = (np.isnan(numbers) if infinite else ~np.isfinite(numbers)) & ~empty
        if odd.any():
            rows = np.flatnonzero(odd)
            self.reject(rows, f"column {name!r}: found {numbers[rows[0]]}, expected a finite number, or nothing (null)")
            raw, empty = pc.if_else(pa.array(odd), pa.scalar(None, raw.type), raw), empty | odd
        whole = numbers[~empty]
        if len(whole) and (whole == np.rint(whole)).all() and np.abs(whole).max() < _EXACT:
            return raw.cast(pa.int64())
        return raw

    def where(self, row: int) -> str:
        """A row as its author can find it: its line in a text file, its number (from 1) in another one."""
        part, place = self._part_of(row)
        return part.where(place)

    def home(self, row: int) -> Path:
        """The file that a row stands in."""
        return self._part_of(row)[0].path

    def _part_of(self, row: int) -> tuple[Part, int]:
        """The file that holds a row, and the row's number there."""
        for part in self.parts:
            if row < part.n_rows:
                return part, row
            row -= part.n_rows
        return Part(self.path, self.data.num_rows, None, tuple(self.data.column_names)), row

    def attempt(self, read: Callable[[], _Result]) -> _Result | None:
        """What a function returns; None where it raises `DataError` and problems are collected."""
        return read() if self.problems is None else self.problems.attempt(read)

    def reject(self, rows: IntArray, complaint: str) -> None:
        """Say that rows (ascending) cannot be used; raise DataError about the first where nobody collects problems."""
        if self.problems is None:
            self.fail(int(rows[0]), complaint)
        self.problems.note(Problem(self, rows, complaint))

    def remark(self, row: int, what: str) -> None:
        """Say of a row what its reader has to know, though it is used; a warning where nobody collects problems."""
        told = f"{self.home(row)}, {self.where(row)}: {what}"
        if self.problems is None:
            warnings.warn(told, RunWarning, stacklevel=3)
        elif told not in self.problems.remarks:
            self.problems.remarks.append(told)

    def fail(self, row: int, complaint: str) -> NoReturn:
        """Raise DataError about a row (0 is the first row of data)."""
        raise DataError(f"{self.home(row)}, {self.where(row)}: {complaint}")


_PLACES = 4
"""Of ragged rows that are named."""

_EXACT = 2**53
"""From here on double precision leaves out whole numbers."""


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _otherwise(part: Part) -> str:
    """The end of a message on a text file whose cells other signs seem to separate; "" of others."""
    told = "" if part.separator is None else other_separator(part.path, len(part.headers))
    return told and f"; {told}"


def _headless(part: Part) -> str:
    """The end of a message on a file whose first line holds numbers, as headers hardly do; "" of others."""
    if not any(header.replace(".", "", 1).isdecimal() for header in part.headers):
        return ""
    return "; where this first line is data, write a line with headers above it"


def _reject_ragged(table: Table, part: Part) -> None:
    """Reject rows with too few or too many cells; they are not among the table's rows."""
    first, sign = part.ragged[0], SEPARATORS[part.separator or ","].removesuffix("s")
    complaint = f"found {first.found} cells, expected {first.expected} as in the header"
    complaint += _otherwise(part) or f"; quote cells that hold a {sign}"
    if table.problems is None or not table.data.num_rows:
        raise DataError(f"{part.path}, {part.line(first.row)}: {complaint}")
    places = tuple(part.line(each.row) for each in part.ragged[:_PLACES])
    table.problems.note(Problem(table, np.full(len(part.ragged), -1), complaint, part.path, places))
