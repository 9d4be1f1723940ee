"""Numbers that are none: a server and Parquet keep NaN apart from NULL, and every store keeps infinity.

What is unknown is NULL, and no run writes either, but for scores: those of a recommender may be infinite. Whoever makes
something of a log's numbers refuses such a log with `NotFinite`, and `integrity.damage_in` finds the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Column, Connection, Float, Table, text

from groundlings.simulator.log.columnar import columnar

if TYPE_CHECKING:
    import pandas as pd

SCORE = "score"
"""The one column that may hold infinity, and no NaN."""

_LARGEST = "1.7976931348623157e308"
_INFINITY = "CAST('Infinity' AS DOUBLE PRECISION)"
"""PostgreSQL and DuckDB hold NaN for greater than any number, infinity included; SQLite keeps none."""

_COUNTED = {"stars": "ratings", "surplus": "stated", "satisfaction": "asked"}
_NEVER_UNKNOWN = ("latency_seconds", "paid")
"""Columns of answers that are known where another column counts something, and those that are known in each row."""


class NotFinite(ValueError):
    """Something of a log is NaN or infinite."""

    def __init__(self) -> None:
        super().__init__("a number is NaN or infinite, or a sum is too large for a number; expected finite ones")


def refuse_cells(name: str, cells: Sequence[Any]) -> None:
    """Return where cells of a column of numbers, None where they are unknown, are finite.

    Raises:
        NotFinite: One is NaN, or infinite and no score.
    """
    numbers = np.array(cells, dtype=np.float64)
    unknown = int(np.isnan(numbers).sum())
    if (unknown and unknown != cells.count(None)) or (name != SCORE and np.isinf(numbers).any()):
        raise NotFinite


def refuse_row(names: Sequence[str], row: Sequence[Any]) -> None:
    """As `refuse_cells`, of a row."""
    for name, cell in zip(names, row, strict=True):
        if type(cell) is float and not math.isfinite(cell) and (name != SCORE or math.isnan(cell)):
            raise NotFinite


def refuse_frame(frame: pd.DataFrame) -> None:
    """As `refuse_cells`, of an answer in which NaN may stand for NULL.

    It is told from it in sums, which are known where something was counted.
    """
    for name in frame.columns[[kind.kind in "fO" for kind in frame.dtypes]]:
        if frame[name].dtype.kind == "f" and np.isinf(frame[name].to_numpy()).any():
            raise NotFinite
        known = frame[_COUNTED[name]].fillna(0) > 0 if _COUNTED.get(name) in frame else name in _NEVER_UNKNOWN
        if (frame[name].isna() & known).any():
            raise NotFinite


def odd_number(connection: Connection, table: Table, column: Column[Any]) -> Iterator[str]:
    """In which rows of a log a column holds what is no number, in words.

    Args:
        connection: To the log.
        table: As it stands there.
        column: One of its columns.
    """
    if not isinstance(column.type, Float):
        return
    wrong = f"{column.name} > {_LARGEST} OR {column.name} < -{_LARGEST}"
    if column.name == SCORE:
        wrong = f"{column.name} > {_INFINITY}" if keeps_nan(connection) else "FALSE"
    key = next(iter(table.primary_key.columns)).name
    rows, first = connection.execute(text(f"SELECT count(*), min({key}) FROM {table.name} WHERE {wrong}")).one()
    if rows:
        which = f"a row ({key} {first})" if rows == 1 else f"{rows:,} rows, the first with {key} {first}"
        yield f"{table.name}.{column.name} is NaN or infinite in {which}, expected finite numbers"


def keeps_nan(connection: Connection) -> bool:
    """Whether NaN is another thing than NULL to what keeps a log."""
    return connection.dialect.name != "sqlite" or columnar(connection) is not None
