"""Running where an event loop runs already, as in every cell of a notebook, and being stopped inside of one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from typing import Any, TypeVar

from groundlings.experiments.running.events import Changed, Progress, ProgressEvent, SessionsWritten

Result = TypeVar("Result")


def outside_of_loops(work: Callable[[Progress], Result], progress: Progress) -> Result:
    """What `work` returns, wherever it is asked for; it is waited for in either case.

    Ctrl-C, or a notebook's stop button, reaches the thread with the next session that is written.

    Args:
        work: Opens an event loop of its own; it is given `progress`, or what tells it and can be stopped.
        progress: Is told how far it is, perhaps from another thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work(progress)
    stop = Event()

    def stopped(event: ProgressEvent) -> ProgressEvent:
        if stop.is_set() and isinstance(event, SessionsWritten):
            raise KeyboardInterrupt  # nobody else can press Ctrl-C in this thread
        return event

    with ThreadPoolExecutor(1, thread_name_prefix="groundlings") as pool:
        working = pool.submit(work, Changed(progress, stopped))
        try:
            return working.result()
        finally:
            stop.set()


def completed(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns, from an event loop of its own.

    As `asyncio.run`, whose task keeps what is returned: when it takes its handler of Ctrl-C away, Python compares that
    by its representation, and so writes out a whole data set.
    """
    found: list[Result] = []

    async def kept() -> None:
        found.append(await work)

    asyncio.run(kept())
    return found[0]


@contextmanager
def ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C end what is computed in a coroutine without an `await`: a loop would wait for the next one."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
