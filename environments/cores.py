"""How many processors there are to compute on, and parts of a work shared out to two of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_THREADS, _PARTS_TO_SHARE = 2, 4
"""More threads would wait for memory, and for one another."""

Part = TypeVar("Part")


def usable_cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_two_threads(work: Callable[[Part], None], parts: Sequence[Part]) -> None:
    """Do the work of each part, in two threads where there are several; an error of any part is raised.

    Args:
        work: Writes what nobody else writes, so that it does not matter which thread does it when.
        parts: In the order in which they are begun.
    """
    if len(parts) < _PARTS_TO_SHARE:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(work, parts):
            pass
