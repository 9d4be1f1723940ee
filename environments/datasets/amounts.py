"""Cells that say how much: prices, costs, quantities and times, of which sums and ratios are made."""

from __future__ import annotations

import math

MOST = 1e15
"""Of any amount: whole numbers are exact up to here, and no sum or square of amounts leaves what numbers can say."""


def amount(cell: str, expected: str) -> float:
    """The number of 0 or more that a cell says, NaN where it is empty.

    Args:
        cell: Text with a decimal point.
        expected: What it should be, for the message.

    Raises:
        ValueError: It is no such number; says what was expected.
    """
    if not cell:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(expected) from None
    if not (math.isfinite(number) and number >= 0) or "_" in cell:
        raise ValueError(expected)
    if number > MOST:
        raise ValueError(f"{MOST:.0e} (1,000,000,000,000,000) at most")
    return number
