"""A few numbers that client processes share: how long an endpoint is to be left alone, when the next request may go."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_BYTES_A_NUMBER = 8


class SharedNumbers:
    """Numbers in memory that this process shares with those it forks afterwards; each number is read and set at once.

    Args:
        values: What they are at first.

    Raises:
        OSError: The system gives no memory or no file for the lock.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._memory = memoryview(mmap.mmap(-1, _BYTES_A_NUMBER * len(values))).cast("d")
        for place, value in enumerate(values):
            self._memory[place] = value
        # The system takes a record lock from a process that ends, however it ends: nobody waits for the dead.
        self._lock = os.fdopen(os.memfd_create("groundlings-limits"), "w+b", buffering=0)

    def __getitem__(self, place: int) -> float:
        return float(self._memory[place])

    def __setitem__(self, place: int, value: float) -> None:
        self._memory[place] = value

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process is in here meanwhile: for numbers that are set by what they were."""
        import fcntl  # systems without it fork no clients

        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
