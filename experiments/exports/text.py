"""Text tables, one file an arm, that refuse what their format cannot carry."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from groundlings.environments.errors import DataError
from groundlings.experiments.archive.tables import LineFeeds
from groundlings.experiments.exports.source import Arm

if TYPE_CHECKING:
    import pyarrow as pa

Separator = Literal[",", "\t", " "]

_SPACE = re.compile(r"\s")
_TAB_OR_LINE = re.compile(r"[\t\r\n]")
_BLANK = r"[\x00-\x20\x{85}\pZ]"
"""As `_SPACE` and some more, for Arrow's expressions."""


def refuse_separators(ids: Iterable[str], separator: Literal["\t", " "]) -> None:
    """Return where ids can be written into cells.

    Args:
        ids: Of items or people.
        separator: Of the cells.

    Raises:
        DataError: One holds what separates cells or lines.
    """
    for each in ids:
        if (_SPACE if separator == " " else _TAB_OR_LINE).search(each):
            raise _unwritable(f"the id {each!r}", separator)


def _unwritable(what: str, separator: Separator) -> DataError:
    held = "white space" if separator == " " else "a tab or a line break"
    return DataError(
        f"{what} holds {held}, and this format has no way to write that; export to parquet, or change the id in the "
        "data"
    )


class TextTable:
    """One text file, UTF-8, lines end with a line feed; use it as a context manager.

    A cell of None is empty. With commas, cells are quoted where they must be; with tabs and spaces there is no
    quoting in any of our formats, so a cell that holds the separator cannot be written. Where cells are separated by
    spaces, readers take any white space for one.
    """

    def __init__(self, path: Path, separator: Separator, header: Sequence[str] = ()) -> None:
        self.count = 0
        self._path, self._separator = path, separator
        self._apart = _BLANK if separator == " " else f'[{separator}"\r\n]'
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = (
            csv.writer(LineFeeds(self._file))
            if separator == ","
            else csv.writer(LineFeeds(self._file), delimiter=separator, quoting=csv.QUOTE_NONE, quotechar=None)
        )
        if header:
            self._rows.writerow(header)

    def __enter__(self) -> TextTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows.

        Raises:
            DataError: A cell holds what separates cells.
        """
        row: Sequence[Any] = ()
        try:
            for row in rows:
                if self._separator == " " and any(isinstance(cell, str) and _SPACE.search(cell) for cell in row):
                    raise csv.Error
                self._rows.writerow(row)
                self.count += 1
        except csv.Error:
            raise _unwritable(f"{self._path.name}: a cell of {tuple(row)!r}", self._separator) from None

    def write_columns(self, rows: pa.Table) -> None:
        """As `write`, rows that are columns: the same bytes, in a tenth of the time where no cell must be quoted.

        Raises:
            DataError: A cell holds what separates cells.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not len(rows):
            return
        cells = [_written(column.combine_chunks()) for column in rows.columns]
        texts = [cell for cell, kind in zip(cells, rows.schema.types, strict=True) if pa.types.is_string(kind)]
        if any(pc.any(pc.match_substring_regex(pc.unique(text), self._apart)).as_py() for text in texts):
            self.write(zip(*(column.to_pylist() for column in rows.columns), strict=True))
            return
        cells[-1] = pc.binary_join_element_wise(cells[-1], "", "\n")
        self._file.flush()
        self._file.buffer.write(_content(pc.binary_join_element_wise(*cells, self._separator)))
        self.count += len(rows)


def _written(column: pa.Array) -> pa.Array:
    """A column as text: floats as Python writes them, NULL as nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        coded = pc.dictionary_encode(column)
        column = pa.array(map(repr, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
    return pc.fill_null(column.cast(pa.string()), "")


def _content(texts: pa.Array) -> bytes:
    """All texts one behind the other, as they lie in memory."""
    import numpy as np

    _, offsets, content = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(memoryview(content)[places[0] : places[-1]])


def ratings_as_written(column: pa.ChunkedArray) -> pa.Array:
    """As `as_written`, of a column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = pc.dictionary_encode(column.combine_chunks())
    words = pa.array([as_written(value) for value in coded.dictionary.to_pylist()], pa.float64())
    return words.take(coded.indices)


def as_written(rating: float | None) -> float | None:
    """A rating as people write it: 0.3, where binary fractions that are added up give 0.30000000000000004."""
    return None if rating is None else float(f"{rating:.12g}")


class ArmTables:
    """The same text table for each arm, `<folder of the arm>/<name>`; use it as a context manager."""

    def __init__(
        self, directory: Path, arms: Sequence[Arm], name: str, separator: Separator, header: Sequence[str] = ()
    ) -> None:
        self._stack = ExitStack()
        self._tables = {
            arm.arm_id: (
                f"{arm.folder}/{name}",
                self._stack.enter_context(TextTable(directory / arm.folder / name, separator, header)),
            )
            for arm in arms
        }

    def __enter__(self) -> ArmTables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write(self, arm: Arm, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows to an arm's file."""
        self._tables[arm.arm_id][1].write(rows)

    def write_columns(self, arm: Arm, rows: pa.Table) -> None:
        """As `write`, rows that are columns."""
        self._tables[arm.arm_id][1].write_columns(rows)

    @property
    def rows(self) -> dict[str, int]:
        """File -> rows so far."""
        return {name: table.count for name, table in self._tables.values()}


def one_line(text: str) -> str:
    """The text with every run of white space (tabs and line breaks too) as one blank."""
    return " ".join(text.split())
