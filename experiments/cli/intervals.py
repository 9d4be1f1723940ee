"""Figures with their intervals, as the tables of labs print them."""

from __future__ import annotations

from typing import Protocol


class Estimated(Protocol):
    """A figure with its interval; None where there is none."""

    @property
    def value(self) -> float | None:
        """The figure."""
        ...

    @property
    def low(self) -> float | None:
        """The lower end."""
        ...

    @property
    def high(self) -> float | None:
        """The upper end."""
        ...


def with_ends(figure: Estimated, digits: int = 3) -> str:
    """Such as "0.660 [0.591, 0.729]"; see `ends`."""
    return ends(figure.value, figure.low, figure.high, digits)


def ends(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """A figure and its interval; the figure alone where it has no interval, "not known" where there is no figure."""
    if value is None:
        return "not known"
    told = f"{value:.{digits}f}"
    return told if low is None or high is None else f"{told} [{low:.{digits}f}, {high:.{digits}f}]"
