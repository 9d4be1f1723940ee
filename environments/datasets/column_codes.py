"""A column's distinct cells and which of them each row holds, made by Arrow: no Python object per row."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.environments.arrays import BoolArray, IntArray

_FLOAT_BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}

_MOST = 10**18
"""Whole numbers of more than 18 digits are left to whoever reads cells one by one."""

_PLAIN = "^-?[0-9]{1,18}$"
_WHOLE = re.compile(r"[+-]?\d{1,18}")


def encoded(stored: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Distinct cells in the order in which they first stand, and for each row the place of its cell among them.

    Whole numbers stay whole numbers where no cell is missing. All else becomes text, spaces at its ends cut off, ""
    where a cell is missing.

    Raises:
        UnicodeDecodeError: A text is not UTF-8.
        ArrowException: There is no text for cells of this kind.
    """
    kind = stored.type
    if not pa.types.is_primitive(kind):
        cells = stored.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
        return _trimmed(cells.dictionary), cells.indices
    whole = stored.combine_chunks()
    if kind in _FLOAT_BITS:  # as bits: numbers that differ in their sign alone are different texts
        whole = whole.view(_FLOAT_BITS[kind])
    cells = whole.dictionary_encode(null_encoding="encode")
    distinct = cells.dictionary.view(kind) if kind in _FLOAT_BITS else cells.dictionary
    if pa.types.is_integer(kind) and not distinct.null_count:
        return distinct, cells.indices
    return _trimmed(distinct.cast(pa.string()).fill_null("")), cells.indices


def _trimmed(texts: pa.Array) -> pa.Array:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        texts.to_pylist()  # says which bytes are not UTF-8
        raise
    return pc.utf8_trim_whitespace(texts)


def whole_numbers(cells: pa.Array) -> IntArray | None:
    """The whole numbers that all cells are, shape (n,); None where some are none, or have more than 18 digits.

    Args:
        cells: Whole numbers or text, without missing ones.
    """
    if pa.types.is_integer(cells.type):
        numbers = cells.to_numpy(zero_copy_only=False)
        if len(numbers) and not -_MOST < int(numbers.min()) <= int(numbers.max()) < _MOST:
            return None
        return numbers.astype(np.int64)
    plain = plain_numbers(cells)
    others = np.flatnonzero(~plain.read)
    if not all(_WHOLE.fullmatch(cells[place].as_py()) for place in others.tolist()):
        return None
    plain.numbers[others] = [int(cells[place].as_py()) for place in others.tolist()]
    return plain.numbers


@dataclass(frozen=True, slots=True, eq=False)
class PlainNumbers:
    """Cells that are whole numbers in plain digits, shape (n,) each.

    Attributes:
        numbers: 0 where a cell is none.
        read: Whether it is one.
    """

    numbers: IntArray
    read: BoolArray


def plain_numbers(texts: pa.Array) -> PlainNumbers:
    """The cells that are plain digits, up to 18 of them, perhaps with a minus before them."""
    plain = pc.match_substring_regex(texts, _PLAIN)
    found = PlainNumbers(np.zeros(len(texts), dtype=np.int64), plain.to_numpy(zero_copy_only=False))
    found.numbers[found.read] = texts.filter(plain).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return found
