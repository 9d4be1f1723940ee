"""Bars of effects with their intervals, all on one scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from groundlings.experiments.analysis.answer.values import Size

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from zero to an effect, with its interval, in per cent of the width.

    Attributes:
        zero: Where zero is.
        start, end: Of the bar.
        low, high: Ends of the interval; equal where there is none.
    """

    zero: float
    start: float
    end: float
    low: float
    high: float


def bars_of_sizes(sizes: Mapping[Key, Size]) -> dict[Key, Bar]:
    """Name -> its bar; all on one scale that holds zero and every interval. Sizes that are not known have no bar."""
    known = {name: size for name, size in sizes.items() if size.value is not None}
    ends = [end for size in known.values() for end in (size.value, size.low, size.high) if end is not None]
    marks = [0.0, *ends]
    low, high = min(marks), max(marks)
    reach = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / reach, 2)

    return {
        name: Bar(
            zero=place(0.0),
            start=place(min(0.0, size.value or 0.0)),
            end=place(max(0.0, size.value or 0.0)),
            low=place((size.value if size.low is None else size.low) or 0.0),
            high=place((size.value if size.high is None else size.high) or 0.0),
        )
        for name, size in known.items()
    }
