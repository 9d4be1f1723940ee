"""How much text a Parquet file holds: of a cell that stands a million times, the file keeps one, and memory all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

_SURELY_HELD = 2**28
"""Bytes of text that are not counted more closely."""
_AT_A_TIME = 2**30
_ROWS_AT_A_TIME = 2**18
_KEPT_WHOLE = frozenset({"PLAIN", "RLE", "BIT_PACKED", "RLE_DICTIONARY", "PLAIN_DICTIONARY"})
"""Encodings in which each cell is kept whole, or as the number of a distinct one; in others as a difference."""
_SPELT_OUT = frozenset({pa.string(), pa.large_string(), pa.binary(), pa.large_binary()})


def text_in(path: Path, about: Any, longest: int) -> tuple[int, str | None]:
    """Bytes of text in a file, each cell counted as often as it stands, and a column with a cell that is too long.

    Cells are counted as they are kept, once each with the places where they stand, so that counting takes no more
    memory than the file unpacks to. Of what is surely little, nothing is counted.

    Args:
        path: Of the file.
        about: What it says of itself.
        longest: Bytes of a cell that is not too long.
    """
    parts = _columns_of_text(about)
    coded = [name for name, each in parts.items() if all(_keeps_whole(column) for _, column in each)]
    size = 0
    with pyarrow.parquet.ParquetFile(path, read_dictionary=coded, pre_buffer=False) as file:
        most = {name: sum(_most_in(file, *part) for part in each) for name, each in parts.items()}
        unsure = sum(most.values())
        for name in sorted(most, key=lambda name: -most[name]):
            if unsure <= _SURELY_HELD:
                break
            unsure -= most[name]
            rows = _ROWS_AT_A_TIME if name in coded else _rows_that_fit(parts[name])
            for batch in file.iter_batches(rows, columns=[name], use_threads=False):
                for cells in _texts(batch):
                    if _longest(cells) > longest:
                        return size, name
                    size += _length(cells)
    return size, None


def _columns_of_text(about: Any) -> dict[str, list[tuple[int, Any]]]:
    """Path of each column of text -> its parts, each with the number of its row group."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            if column.physical_type == "BYTE_ARRAY":
                found.setdefault(column.path_in_schema, []).append((number, column))
    return found


def _keeps_whole(column: Any) -> bool:
    return _KEPT_WHOLE.issuperset(column.encodings)


def _most_in(file: Any, group: int, column: Any) -> int:
    """Bytes of text that a part of a column may hold: no cell is longer than the longest that is kept."""
    most: int = column.num_values * column.total_uncompressed_size
    if most <= _SURELY_HELD or not _keeps_whole(column):
        return most
    first = next(file.iter_batches(1, row_groups=[group], columns=[column.path_in_schema], use_threads=False), None)
    kept = max(map(_longest, _texts(first)), default=0) if first is not None else 0
    return column.num_values * kept + column.total_uncompressed_size


def _rows_that_fit(parts: Sequence[tuple[int, Any]]) -> int:
    """Rows of a column that are surely no more than is read at a time."""
    return max(1, min(_ROWS_AT_A_TIME, _AT_A_TIME // max(1, *(part.total_uncompressed_size for _, part in parts))))


def _longest(cells: Any) -> int:
    """Bytes of the longest text among cells, or among the distinct ones that they are codes of."""
    texts = cells.dictionary if pa.types.is_dictionary(cells.type) else cells
    return pc.max(pc.binary_length(texts)).as_py() or 0


def _length(cells: Any) -> int:
    """Bytes of all texts among cells."""
    if not pa.types.is_dictionary(cells.type):
        return pc.sum(pc.binary_length(cells)).as_py() or 0
    return pc.sum(pc.binary_length(cells.dictionary).cast(pa.int64()).take(cells.indices)).as_py() or 0


def _texts(batch: Any) -> Iterator[Any]:
    """The texts of a batch, those in lists and records too."""
    for column in batch.columns:
        yield from _texts_in(column)


def _texts_in(column: Any) -> Iterator[Any]:
    kind = column.type
    if pa.types.is_map(kind):
        yield from _texts_in(column.keys)
        yield from _texts_in(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_in(column.flatten())
    elif pa.types.is_struct(kind):
        for inner in column.flatten():
            yield from _texts_in(inner)
    elif pa.types.is_dictionary(kind) or kind in _SPELT_OUT:
        yield column
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        yield column.cast(pa.large_binary())
