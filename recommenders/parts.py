"""Requests in parts: whatever needs a number for each session and item has it for some sessions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.ranking import Ranking

CELLS_AT_ONCE = 2**23
"""Sessions times items."""


def parts_of(sessions: int, items: int) -> Iterator[IntArray]:
    """Rows of a request, of so many sessions that they and the items make `CELLS_AT_ONCE` cells at most.

    There is a part where there are no sessions, too.
    """
    height = max(1, CELLS_AT_ONCE // max(1, items))
    for first in range(0, max(1, sessions), height):
        yield np.arange(first, min(first + height, sessions), dtype=np.int64)


def joined(parts: Sequence[Ranking]) -> Ranking:
    """Lists of different sessions below each other, filled up to the longest."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.items.shape[1] for part in parts)

    def stacked(name: str, filler: float) -> Any:
        cells = [getattr(part, name) for part in parts]
        missing = [((0, 0), (0, width - each.shape[1])) for each in cells]
        return np.concatenate(
            [np.pad(each, gap, constant_values=filler) for each, gap in zip(cells, missing, strict=True)]
        )

    return Ranking(
        items=stacked("items", NO_ITEM),
        scores=stacked("scores", np.nan),
        propensities=stacked("propensities", 1.0),
        explored=stacked("explored", False),
        propensity_kind=parts[0].propensity_kind,
        teams=None if parts[0].teams is None else stacked("teams", -1),
        calls=tuple(call for part in parts for call in part.calls),
    )
