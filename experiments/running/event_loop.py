"""Running where an event loop runs already, as in every cell of a notebook, and being stopped inside of one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Timer, current_thread, main_thread
from types import FrameType
from typing import Any, TypeVar

from groundlings.experiments.running.events import Changed, Note, Progress, ProgressEvent, SessionsWritten
from groundlings.simulator.concurrency import waited_for

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
            return waited_for(working)
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
def told_while_stopping(progress: Progress) -> Iterator[None]:
    """Say that Ctrl-C was heard where the work goes on for a while: the loop stops at the next `await`, without a word.

    A signal may come in the middle of a line that is printed, so another thread says it, and only where it takes long.

    Args:
        progress: Is told, once.
    """
    inner = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(inner):
        yield
        return
    waits = Timer(_PATIENCE_SECONDS, lambda: progress.event(Note(_WAITS)))
    waits.daemon = True

    def heard(number: int, frame: FrameType | None) -> None:
        if waits.ident is None:
            waits.start()
        inner(number, frame)

    signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        waits.cancel()
        signal.signal(signal.SIGINT, inner)


_PATIENCE_SECONDS = 2.0
_WAITS = (
    "stopping: waits for the end of what has begun (the fit or the lists of a recommender, questions on their way to a "
    "model), so that what was decided is kept; press Ctrl-C again to end at once"
)


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
