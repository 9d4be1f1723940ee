"""Many sessions at once, their results in order; waits that hear signals; a garbage collector that keeps still."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

_OBJECTS_PER_COLLECTION = 100_000
"""More than the open sessions of a usual run hold; with 10,000 the collector takes a twentieth of the time."""

Task = TypeVar("Task")
Result = TypeVar("Result")


async def in_order(
    work: Callable[[Task], Awaitable[Result]], tasks: Iterable[Task], concurrency: int
) -> AsyncGenerator[Result, None]:
    """Work on tasks side by side and yield the results in the order of the tasks.

    At most `concurrency` are open at once. A slow one holds back the results behind it, not the work: up to
    eight times as many finished ones wait their turn. When one fails, the open ones are cancelled, and those that were
    finished are yielded before the failure is raised: what was decided, and paid for, is not thrown away.

    Raises:
        ValueError: None may be open, so nothing would ever end.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; expected how many may be open at once, 1 or more")
    gate = asyncio.Semaphore(concurrency)

    async def admitted(task: Task) -> Result:
        async with gate:
            return await work(task)

    waiting: deque[asyncio.Task[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(asyncio.create_task(admitted(task)))
            if len(waiting) >= 8 * concurrency:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    except (Exception, asyncio.CancelledError):
        for open_task in waiting:
            open_task.cancel()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            if not isinstance(result, BaseException):
                yield result
        raise
    finally:
        for open_task in waiting:
            open_task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


_LOOKS_SECONDS = 0.2


def waited_for(work: Future[Result]) -> Result:
    """What another thread's work returns; a signal (Ctrl-C) is heard all the while.

    A signal that comes in the moment before a thread falls asleep does not wake it, and Python tells of signals only
    where it is awake. So it wakes now and then.

    Args:
        work: Of another thread.

    Raises:
        Exception: What the work raises.
    """
    while not work.done():
        wait((work,), timeout=_LOOKS_SECONDS)
    return work.result()


class _Others:
    """Whether somebody else has put objects out of the collector's sight.

    Once it is so, it is taken to stay so: counting them takes longer than a small run where they are millions.
    """

    def __init__(self) -> None:
        self._found = False

    def have_frozen(self) -> bool:
        self._found = self._found or gc.get_freeze_count() > 0
        return self._found


_others = _Others()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the garbage collector run less often, and not over what exists now, which stays to the end.

    Simulation makes hardly any cycles. Left alone, the collector takes a tenth of the time of a language agent's page.
    Where somebody has put objects out of its sight already, those stay there, and no others join them.
    """
    thresholds = gc.get_threshold()
    ours = not _others.have_frozen()
    if ours:
        gc.freeze()
    gc.set_threshold(max(_OBJECTS_PER_COLLECTION, thresholds[0]), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if ours:
            gc.unfreeze()
