"""Numbers of a fixed list, such as the ratings of a scale: compared by their place on it, never by float equality.

0.1 * 3 is not 0.3 in floating point, a third has no last digit, and single precision knows neither. A number belongs to
a place of the list where it is that number but for rounding:

    noise     it lies within 1e-6 of the smallest gap from it, or within what single precision can tell apart;
    digits    it is that number rounded to the decimals it is written with, and these are fine enough to name one place.

What is printed, put into schemas and put into grammars comes from `texts`, and each of these texts is at its place.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray

_NOISE = 1e-6
_SINGLE_PRECISION = 2.0**-23
_MOST_SINGLE_NOISE = 0.01
_FINE = 50
"""Digits name a place where so many of their last units fit into the smallest gap: 0.67 is two thirds among thirds."""

_FEWEST_DIGITS, _MOST_DIGITS = 6, 17


@lru_cache(maxsize=64)
def texts(values: tuple[float, ...]) -> tuple[str, ...]:
    """Each number in words of a prompt, a message or a table: with six digits, or as many as tell all apart.

    Args:
        values: Ascending.
    """
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        told = tuple(f"{value:.{digits}g}" for value in values)
        if all(place(values, float(text)) == number for number, text in enumerate(told)):
            return told
    return tuple(repr(value) for value in values)


@lru_cache(maxsize=64)
def numbers(values: tuple[float, ...]) -> tuple[float | int, ...]:
    """The numbers that `texts` say, whole ones as int: what schemas and grammars list."""
    told = [float(text) for text in texts(values)]
    return tuple(int(number) if number.is_integer() else number for number in told)


def place(values: tuple[float, ...], number: float) -> int:
    """The place of a number on an ascending list, -1 where it is not on it."""
    if not values or not math.isfinite(number):
        return -1
    found = _nearest(values, number)
    gap, off = _gap(values), abs(number - values[found])
    if off <= max(_NOISE * gap, min(_SINGLE_PRECISION * abs(values[found]), _MOST_SINGLE_NOISE * gap)):
        return found
    last_digit = 10.0 ** int(Decimal(repr(number)).as_tuple().exponent)
    return found if last_digit * _FINE <= gap and off <= last_digit / 2 else -1


def places(values: tuple[float, ...], cells: FloatArray) -> IntArray:
    """`place` of every cell, in the same shape; -1 where a cell is NaN or not on the list."""
    distinct, which = np.unique(cells, return_inverse=True)
    found = np.array([place(values, number) for number in distinct.tolist()], dtype=np.int64)
    return found[which].reshape(cells.shape)


def _nearest(values: tuple[float, ...], number: float) -> int:
    return int(np.argmin(np.abs(np.array(values) - number)))


def _gap(values: tuple[float, ...]) -> float:
    """The smallest distance between two neighbours; that of a lone number from zero, or 1."""
    if len(values) == 1:
        return abs(values[0]) or 1.0
    return float(np.diff(values).min())
