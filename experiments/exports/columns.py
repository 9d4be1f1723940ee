"""Parquet tables with fixed columns, written chunk by chunk, synthetic to the last file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ARROW_TYPES: Mapping[str, Any] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "bool": pa.bool_(),
}


def typed(columns: Mapping[str, str]) -> dict[str, pa.DataType]:
    """The Arrow type of each column."""
    return {name: ARROW_TYPES[kind] for name, kind in columns.items()}


class ParquetTable:
    """One Parquet file; use it as a context manager.

    Args:
        path: The file.
        columns: Name -> "int", "float", "text" or "bool"; NULL is allowed everywhere. The column `synthetic` is added.
        provenance: Goes, as JSON, into the file's metadata under `groundlings`.
    """

    def __init__(self, path: Path, columns: Mapping[str, str], provenance: Mapping[str, Any]) -> None:
        self.count = 0
        self._kinds = tuple(columns.values())
        fields = [(name, ARROW_TYPES[kind]) for name, kind in columns.items()]
        metadata = {"synthetic": "true", "groundlings": json.dumps(provenance, ensure_ascii=False)}
        self._schema = pa.schema([*fields, ("synthetic", pa.bool_())], metadata=metadata)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")  # Arrow takes some names for addresses, and ~ for a home
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name, kind in columns.items() if kind != "float" and not name.endswith("_id")]
            + [name for name, kind in columns.items() if kind == "text" and name.endswith("_id")],
            write_statistics=[name for name, kind in columns.items() if kind == "int"],
        )

    def __enter__(self) -> ParquetTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._writer.close()

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, cells in the order of the columns, as one row group."""
        if not rows:
            return
        arrays = [
            # SQLite gives truth values as 0 and 1.
            pa.array([None if cell is None else bool(cell) for cell in column] if kind == "bool" else column,
                     type=ARROW_TYPES[kind])
            for kind, column in zip(self._kinds, zip(*rows, strict=True), strict=True)
        ]  # fmt: skip
        self.write_columns(pa.table(arrays, names=self._schema.names[:-1]))

    def write_columns(self, rows: pa.Table) -> None:
        """As `write`, rows that are columns already, of these kinds and in this order."""
        if not len(rows):
            return
        synthetic = pa.array(np.ones(len(rows), dtype=np.bool_))
        table = pa.table([*rows.columns, synthetic], schema=self._schema)
        self._writer.write_table(table, row_group_size=len(rows))
        self.count += len(rows)
