"""Running where an event loop runs already, as in every cell of a notebook: in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from groundlings.experiments.running.run import Watcher

Result = TypeVar("Result")


def outside_of_loops(work: Callable[[Watcher], Result], watcher: Watcher) -> Result:
    """What `work` returns, wherever it is asked for; it is waited for in either case.

    Ctrl-C, or a notebook's stop button, reaches the thread with the next visit that is written.

    Args:
        work: Opens an event loop of its own.
        watcher: Hears how far it is, perhaps from another thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work(watcher)
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="groundlings") as pool:
        working = pool.submit(work, cast("Watcher", _Stoppable(watcher, stop)))
        try:
            return working.result()
        finally:
            stop.set()


class _Stoppable:
    """Passes everything on, and presses Ctrl-C where nobody else can."""

    def __init__(self, watcher: Watcher, stop: Event) -> None:
        self._watcher = watcher
        self._stop = stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watcher, name)

    def visits(self, count: int) -> None:
        """See `Watcher.visits`."""
        self._watcher.visits(count)
        if self._stop.is_set():
            raise KeyboardInterrupt
