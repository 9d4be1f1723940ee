"""What a second core works out while this process goes on: one question, answered by a forked process."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Generic, TypeVar

from groundlings.environments.cores import usable_cores
from groundlings.simulator.engines.forked import become_worker, fork, why_no_fork

Answer = TypeVar("Answer")


class Beside(Generic[Answer]):
    """The answer to a question that a forked process works out; use it as a context manager, which ends the process.

    The answer is the same wherever it is worked out, and nothing depends on the process: where none can begin, or it
    hands nothing back, whoever asks for the answer works it out, and so meets each fault itself.

    Fork is safe here where the question opens what it reads: it must use no database, file or thread of this process.
    It is worked out on one thread of linear algebra and OpenMP, as by the workers of `pool`.

    Args:
        question: What is worked out. It begins as this is made.
    """

    def __init__(self, question: Callable[[], Answer]) -> None:
        self._question = question
        self._process: ForkProcess | None = None
        self._connection: Connection
        self._life: tuple[int, int]
        if usable_cores() > 1 and why_no_fork() is None:
            self._begin()

    def __enter__(self) -> Beside[Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.join()
        self._process.close()
        self._process = None
        self._connection.close()
        for end in self._life:
            os.close(end)

    def answer(self) -> Answer:
        """Wait for the answer; it is worked out here where the process hands none back, as it does a second time."""
        found = self.handed_back()
        return self._question() if found is None else found

    def handed_back(self) -> Answer | None:
        """Wait for what the process hands back; None where there is none, or it has ended before."""
        if self._process is None:
            return None
        with suppress(EOFError, OSError):
            found: Answer = self._connection.recv()
            return found
        return None

    def _begin(self) -> None:
        self._life = os.pipe()
        try:
            self._process, self._connection = fork(_work_out, self._life, self._question)
        except OSError:  # the system lets no process begin
            for end in self._life:
                os.close(end)


def _work_out(
    connection: Connection, not_ours: list[Connection], life: tuple[int, int], question: Callable[[], object]
) -> None:
    from threadpoolctl import threadpool_limits

    become_worker(not_ours, life)
    with threadpool_limits(1), suppress(Exception):
        connection.send(question())
