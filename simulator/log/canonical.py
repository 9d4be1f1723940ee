"""Rows as bytes that depend on their values alone, whether they are about to be written or were read back.

A block of rows is taken column by column, `PIECE_ROWS` rows at a time, so that hashing it costs a few nanoseconds a
row. Integers are written as distances from the smallest one in as few bytes as the largest needs, text as its lengths
and then all of it in UTF-8. Only known values are written, behind a bit per row that says which are. NaN is NULL, as
the databases have it, -0.0 is 0.0, and truth values are 0 and 1.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Boolean, Float, Integer, Table

from groundlings.simulator.log.columns import Column, holds_nothing

PIECE_ROWS = 32_768
"""Rows that are turned into bytes at a time; another number would give other bytes."""

Kind: TypeAlias = Literal["integer", "float", "text"]
_INTEGERS = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))


class NotOurs(Exception):
    """A value that no run writes into a column of its kind."""


class Hash(Protocol):
    """What takes bytes in, as of `hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take some in."""
        ...


@cache
def kinds_of(table: Table) -> tuple[Kind, ...]:
    """What each column of a table holds."""
    return tuple(
        "integer" if isinstance(column.type, Integer | Boolean)
        else "float" if isinstance(column.type, Float)
        else "text"
        for column in table.columns
    )  # fmt: skip


def absorb(total: Hash, kinds: Sequence[Kind], columns: Sequence[Column], always: int | None = None) -> None:
    """Have a hash take in rows.

    Args:
        total: The hash.
        kinds: What each column holds.
        columns: One entry per row in each; arrays, or sequences of values of a database.
        always: How many columns are taken in whatever they hold; those behind them, which came with a later schema,
            only where they hold something, so that rows of before have the hash that they had. All if absent.

    Raises:
        NotOurs: A value is not of its column's kind.
    """
    rows = len(columns[0]) if columns else 0
    for start in range(0, rows, PIECE_ROWS):
        for place, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
            piece = column if rows <= PIECE_ROWS else column[start : start + PIECE_ROWS]
            if always is not None and place >= always:
                if holds_nothing(piece):
                    continue
                total.update(f"column {place}\n".encode())
            for part in _PARTS[kind](piece):
                total.update(part)


def _integers(column: Column) -> Iterator[bytes | memoryview]:
    values, mask = _known(column)
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = values.astype(np.int64)
        if not np.array_equal(whole, values):
            raise NotOurs("a fraction among whole numbers")
        values = whole
    base, top = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    width = 0 if base == top else 1 if top - base == 1 else (max(8, (top - base).bit_length()) + 7) // 8
    yield struct.pack("<cIIqB", b"i", len(column), len(values), base, width)
    yield mask
    if width:
        distances = values - base if top - base < 2**63 else values.astype(np.uint64) - np.uint64(base % 2**64)
        if top - base == 1:
            yield np.packbits(distances.astype(np.bool_)).tobytes()
        else:
            yield distances.astype(_INTEGERS[(width - 1).bit_length()]).data


def _floats(column: Column) -> Iterator[bytes | memoryview]:
    values, mask = _known(column)
    floats = values.astype(np.dtype("<f8"), copy=False)
    constant = bool(len(floats)) and floats[0] == floats[-1] and bool((floats == floats[0]).all())
    yield struct.pack("<cII?", b"f", len(column), len(floats), constant)
    yield mask
    yield ((floats[:1] if constant else floats) + np.float64(0.0)).data


def _texts(column: Column) -> Iterator[bytes | memoryview]:
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    unknown = values.count(None)
    constant = not unknown and values.count(values[0]) == len(values)
    yield struct.pack("<cII?", b"t", len(values), unknown, constant)
    if unknown == len(values):
        return
    if unknown:
        yield np.packbits([value is not None for value in values]).tobytes()
    known = values[:1] if constant else [value for value in values if value is not None] if unknown else values
    try:
        yield from _integers(np.fromiter(map(len, known), np.int64, len(known)))
        yield "".join(known).encode("utf-8", "surrogatepass")
    except TypeError:
        raise NotOurs("a value that is no text") from None


_PARTS = {"integer": _integers, "float": _floats, "text": _texts}


def _known(column: Column) -> tuple[NDArray[np.generic], bytes]:
    """The known values of a column of numbers, and which they are: a bit per row, nothing where all or none are."""
    mask: NDArray[np.bool_] | None = None
    if isinstance(column, range):
        values: NDArray[np.generic] = np.arange(column.start, column.stop)
    elif isinstance(column, np.ma.MaskedArray) and column.dtype.kind not in "fO":
        values, mask = column.compressed(), ~np.ma.getmaskarray(column)
    elif isinstance(column, np.ndarray) and column.dtype.kind != "O":
        column = column.filled(np.nan) if isinstance(column, np.ma.MaskedArray) else column
        values = column.view(np.int8) if column.dtype.kind == "b" else column
    else:
        values, mask = _from_objects(column.tolist() if isinstance(column, np.ndarray) else column)
    if values.dtype.kind == "f" and mask is None:
        mask = values == values  # NaN differs from itself
        if not mask.all():
            values = values[mask]
    if mask is None or len(values) in (0, len(mask)):
        return values, b""
    return values, np.packbits(mask).tobytes()


_NUMBERS = frozenset({int, float, bool, type(None)})


def _from_objects(column: Sequence[Any]) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    """Numbers as a database takes or gives them: whole ones with a mask of the known ones, others with NaN for None."""
    try:
        return np.frombuffer(array("q", column), np.int64), None  # takes whole numbers alone, and looks once at each
    except (TypeError, OverflowError):
        pass
    types = set(map(type, column))
    if not types <= _NUMBERS:
        raise NotOurs("a value that is no number")
    if float in types:
        return np.array(column, np.float64), None
    if type(None) not in types:
        return np.fromiter(column, np.int64, len(column)), None
    known = [value for value in column if value is not None]
    return np.fromiter(known, np.int64, len(known)), np.array([value is not None for value in column], np.bool_)
