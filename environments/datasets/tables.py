"""CSV and Parquet files as columns of text, with every complaint tied to a file and a row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from groundlings.environments.arrays import IntArray
from groundlings.environments.datasets.file_kinds import refuse_large, refuse_other_kinds, refuse_other_separators
from groundlings.environments.errors import DataError, shown


@dataclass(frozen=True)
class Column:
    """One column, dictionary-encoded: parsing touches each distinct cell once, however long the file is.

    Attributes:
        table: Where it stands.
        name: Its header.
        values: The distinct cells, spaces at their ends cut off.
        codes: Which of them each row holds, shape (n_rows,).
    """

    table: Table
    name: str
    values: tuple[str, ...]
    codes: IntArray

    @cached_property
    def cells(self) -> list[str]:
        """One cell a row."""
        return [self.values[code] for code in self.codes.tolist()]

    def parsed(self, parse: Callable[[str], Any], kind: type[np.generic]) -> np.ndarray[Any, Any]:
        """Each cell through `parse`, shape (n_rows,).

        Args:
            parse: Raises ValueError, with what it expected, for a cell it cannot read.
            kind: The element type of the result.
        """
        return np.array(self.each(parse), dtype=kind)[self.codes]

    def each(self, parse: Callable[[str], Any]) -> list[Any]:
        """`parsed` of the distinct cells alone, in the order of `values`."""
        results: list[Any] = []
        problems: dict[int, str] = {}
        for code, value in enumerate(self.values):
            try:
                results.append(parse(value))
            except ValueError as error:
                results.append(0)
                problems[code] = str(error)
        if problems:
            row = int(np.flatnonzero(np.isin(self.codes, list(problems)))[0])
            code = int(self.codes[row])
            self.fail(row, f"found {shown(self.values[code])}, expected {problems[code]}")
        return results

    def refuse_empty(self, what: str) -> None:
        """Raise DataError where a cell is empty; `what` says what it should hold."""
        if "" in self.values:
            row = int(np.flatnonzero(np.array([value == "" for value in self.values])[self.codes])[0])
            self.fail(row, f"the cell is empty, expected {what}; fill it in or remove the row")

    def fail(self, row: int, complaint: str) -> NoReturn:
        """Raise DataError about the cell of a row (0 is the first row of data)."""
        self.table.fail(row, f"column {self.name!r}: {complaint}")


@dataclass(frozen=True)
class Table:
    """One file of data.

    Attributes:
        path: Where it is.
        data: Its columns, all text, missing cells as "".
        is_csv: Whether rows have line numbers.
    """

    path: Path
    data: pa.Table
    is_csv: bool

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a file by its ending (.parquet or .pq, .tsv or .tab, else CSV; text has a header line).

        Raises:
            DataError: It is missing, empty, damaged, not UTF-8, or its rows differ in length.
        """
        if not path.is_file():
            if path.exists():
                what = "a directory" if path.is_dir() else "a device or a pipe"
                raise DataError(f"{path}: this is {what}; expected a CSV or Parquet file")
            folder = path.parent
            names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
            raise DataError(f"{path}: no such file; correct the path{_meant(path.name, names)}")
        is_csv = path.suffix.lower() not in (".parquet", ".pq")
        try:
            refuse_large(path, is_csv)
            data = _read_csv(path) if is_csv else pyarrow.parquet.read_table(path)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path}: cannot be read as {'CSV' if is_csv else 'Parquet'}: {reason}") from error
        if data.num_rows == 0:
            raise DataError(f"{path}: the file has no rows; it needs {'a header line and ' if is_csv else ''}data")
        return cls(path, data, is_csv)

    def column(self, name: str, key: str, *, lists: bool = False, infinite: bool = False) -> Column:
        """A column by its header.

        Args:
            name: The header.
            key: The YAML key that asked for it, for the message.
            lists: Whether cells may be lists of texts; they come as JSON.
            infinite: Whether numbers may be infinite.
        """
        headers = self.data.column_names
        if headers.count(name) != 1:
            found = "stands in the header twice" if name in headers else "is not in the header"
            raise DataError(
                f"{self.path}: column {name!r} ({key}) {found}; "
                f"the columns are {', '.join(map(repr, headers))}{_meant(name, headers)}"
            )
        raw = self.data.column(name)
        if isinstance(raw.type, pa.BaseExtensionType) and not is_text(raw.type.storage_type):
            raise DataError(  # a pandas Period is stored as a count of its months or days, which looks like seconds
                f"{self.path}: column {name!r} ({key}) holds {raw.type}, expected text, numbers or times; convert it, "
                "for instance with dt.to_timestamp() or astype(str)"
            )
        try:
            raw = self._as_told(name, lists, infinite)
            encoded = raw.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
            values = tuple(value.strip() for value in encoded.dictionary.to_pylist())
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
        return Column(
            self,
            name,
            values,
            encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        )

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
            row = int(np.argmax(odd))
            self.fail(row, f"column {name!r}: found {numbers[row]}, expected a finite number, or nothing (null)")
        whole = numbers[~empty]
        if len(whole) and (whole == np.rint(whole)).all() and np.abs(whole).max() < _EXACT:
            return raw.cast(pa.int64())
        return raw

    def where(self, row: int) -> str:
        """A row as its author can find it: its line in a CSV file, its number (from 1) in a Parquet file."""
        return f"line {_line_of(self.path, row)}" if self.is_csv else f"row {row + 1}"

    def fail(self, row: int, complaint: str) -> NoReturn:
        """Raise DataError about a row (0 is the first row of data)."""
        raise DataError(f"{self.path}, {self.where(row)}: {complaint}")


_EXACT = 2**53
"""From here on double precision leaves out whole numbers."""

_LONGEST_CELL = 2**31 - 1


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _separator(path: Path) -> str:
    """What stands between two cells of a text file, by its ending."""
    return "\t" if path.suffix.lower() in (".tsv", ".tab") else ","


def _read_csv(path: Path) -> pa.Table:
    """All columns as text; Arrow itself refuses rows of another length than the header's."""
    separator = _separator(path)
    content = path.read_bytes()
    if not content.strip():
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
    if content.count(b'"') % 2:
        _refuse_open_quote(path, content.decode("utf-8-sig"))
    headers = _header(content, separator)
    refuse_other_separators(path, headers, separator)
    ragged: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    data = pyarrow.csv.read_csv(
        pa.BufferReader(content),
        read_options=pyarrow.csv.ReadOptions(use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(headers, pa.string()), strings_can_be_null=False
        ),
    )
    if ragged:
        row = ragged[0]
        raise DataError(
            f"{path}, line {_line_of(path, row.number - 2)}: found {row.actual_columns} cells, "
            f"expected {row.expected_columns} as in the header; quote cells that hold a "
            f"{'comma' if separator == ',' else 'tab'}"
        )
    return data


def _header(content: bytes, separator: str) -> list[str]:
    """The names of the columns: the first row that is not empty, as Arrow sees it; its cells may hold line breaks."""
    rows = _rows(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""), separator)
    return next((row for row in rows if row), [])


def _rows(lines: Iterable[str], separator: str, *, strict: bool = False) -> Any:
    """A reader of rows; a cell may be as long as it likes, where the module's own limit is 131,072 characters."""
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, delimiter=separator, strict=strict)


def _refuse_open_quote(path: Path, text: str) -> None:
    """Arrow ends a quoted cell with the file; a file that was cut short must not pass for a whole one."""
    reader = _rows(io.StringIO(text, newline=""), _separator(path), strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: a quotation mark is never closed ({error}); close it") from error


def _line_of(path: Path, row: int) -> int:
    """The line on which a row of data starts: cells may hold line breaks, and empty lines count for nothing."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = _rows(file, _separator(path))
        start, seen = 1, -1  # the header is row -1
        try:
            for cells in reader:
                if cells:
                    if seen == row:
                        return start
                    seen += 1
                start = reader.line_num + 1
        except csv.Error:
            return start
    return start


def _meant(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
