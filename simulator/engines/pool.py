"""Worker processes: the shards of an occasion are simulated side by side, on as many cores.

Workers are forked when an occasion begins and end with it. So they have everything without being sent anything: what
the recommender has learnt, minds, stock and history are pages of memory that they share with this process, and a fork
takes milliseconds however large they are. Only what happened comes back: of large shards the rows, laid out, or files
that hold them, of small ones the records. The log is written here and by nobody else.

Fork is safe here for these reasons, and offered where they hold (`forked.why_no_fork`). A worker computes and nothing
else: it neither prints nor touches a database, and ends without running what was registered for the end. It uses one
thread for linear algebra and OpenMP, because the threads of this process do not exist in it. It ends when this process
does, however that ends.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from groundlings.environments.errors import WorkerLost
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import GetsReady
from groundlings.simulator.engines.crew import outcomes_of
from groundlings.simulator.engines.engine import IN_PROCESS
from groundlings.simulator.engines.forked import ending, fork
from groundlings.simulator.engines.stopped import StoppedWorkers
from groundlings.simulator.engines.worker import ATTEMPTS, Answer, Begins, simulate_what_is_asked, unpacked
from groundlings.simulator.log.shard_rows import Counts
from groundlings.simulator.shards import Numbering, Occasion, Outcome

_AHEAD = 2
"""Shards that a worker has been given at a time, so that it need not wait while this process writes."""

_ENDING_SECONDS = 5.0

_LOOKS_SECONDS = 5.0
"""How long no answer may come before it is seen whether somebody has stopped a worker."""

_WINDOW = 4
"""Shards per worker that may wait for an earlier one."""


class WorkerPool:
    """Simulates in worker processes; see the module.

    Args:
        workers: How many, at most.
        tell: Is told of workers that were killed or stopped.

    Attributes:
        lost: Workers that were killed; what they had begun was simulated again.
    """

    def __init__(self, workers: int, tell: Callable[[str], None] = lambda _: None) -> None:
        self._workers = workers
        self._tell = tell
        self._refused = False
        self.lost = 0

    def outcomes(
        self, occasion: Occasion, concurrency: int, cut_short: Callable[[Sessions], None]
    ) -> AsyncGenerator[Outcome, None]:
        """See `Engine.outcomes`; one shard is simulated in this process.

        Raises:
            WorkerLost: The same shard has ended its worker `ATTEMPTS` times.
        """
        if len(occasion) < 2:
            return IN_PROCESS.outcomes(occasion, concurrency, cut_short)
        if isinstance(occasion.snapshot.mind, GetsReady):
            occasion.snapshot.mind.get_ready(occasion.users)
        try:
            crew = _Crew(occasion, min(self._workers, len(occasion)))
        except OSError as fault:
            if not self._refused:
                self._tell(f"simulated in one process, because no other could be started ({fault.strerror})")
            self._refused = True
            return IN_PROCESS.outcomes(occasion, concurrency, cut_short)
        return outcomes_of(crew, occasion, cut_short, self._lose, self._tell)

    def over(self, arm: str) -> None:
        """See `Engine.over`."""

    def close(self) -> None:
        """See `Engine.close`: workers end with their occasion."""

    def _lose(self, loss: str) -> None:
        self.lost += 1
        self._tell(loss)


@dataclass(eq=False)
class _Worker:
    """A worker process.

    Attributes:
        process, connection: It, and the way to it.
        given: Shards that it has been given and not handed back.
        laid_out: Those of them whose rows it holds until it is told where their ids begin.
    """

    process: ForkProcess
    connection: Connection
    given: deque[int] = field(default_factory=deque)
    laid_out: set[int] = field(default_factory=set)

    @property
    def works_on(self) -> int | None:
        """The shard that it simulates, or whose rows it turns into files; None where it has nothing to do."""
        return next((shard for shard in self.given if shard not in self.laid_out), next(iter(self.given), None))

    def send(self, message: int | Begins) -> None:
        """Ask it for something."""
        with suppress(OSError):  # it was killed; reading from it says so
            self.connection.send(message)


class _Crew:
    """The workers of one occasion; raises `OSError` where the system lets none begin.

    Attributes:
        answers: Shard -> what came of it, or the error that ended it; those that have not been taken.
    """

    def __init__(self, occasion: Occasion, workers: int) -> None:
        self.answers: dict[int, Outcome | Exception] = {}
        self._occasion = occasion
        self._numbering = None if occasion.claim is None else Numbering(occasion.claim)
        self._todo = deque(range(len(occasion)))
        self._failed: list[int] = []
        self._strikes = Counter[int]()
        self._window = workers * _WINDOW
        self._life = os.pipe()
        self._readers = ThreadPoolExecutor(workers, thread_name_prefix="groundlings-pool")
        self._reading: dict[asyncio.Future[bytes], _Worker] = {}
        self._workers: list[_Worker] = []
        self._silent, self._stopped = False, StoppedWorkers()
        try:
            for _ in range(workers):
                self._hire()
        except OSError:
            if not self._workers:  # one is enough
                self.dismiss()
                raise

    @property
    def open(self) -> list[int]:
        """Shards that were begun and of which nothing came yet, as far as is known here."""
        held = {shard for worker in self._workers for shard in (*worker.laid_out, worker.works_on) if shard is not None}
        return [*self._failed, *sorted(held)]

    def take(self, number: int) -> Outcome:
        """What came of a shard; raises the error that ended it."""
        answer = self.answers.pop(number)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def work(self, until: int) -> list[str]:
        """Hand out shards and wait for an answer, for a while; what was lost meanwhile, in words.

        Args:
            until: The shard whose outcome is wanted first; others are begun so far ahead of it.

        Raises:
            WorkerLost: See `WorkerPool.outcomes`.
        """
        self._hand_out(until)
        done, _ = await asyncio.wait(self._reading, timeout=_LOOKS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        self._silent = not done
        losses = []
        for future in done:
            worker = self._reading.pop(future)
            try:
                answer: Answer = unpacked(future.result(), self._occasion.sessions)
            except (EOFError, OSError):
                losses.append(self._replaced(worker))
                continue
            self._take_down(worker, answer)
            self._read(worker)
        return losses

    def stopped(self) -> list[str]:
        """What is to be said of workers that somebody has stopped, where no answer came for a while."""
        return self._stopped.look(worker.process.pid for worker in self._workers) if self._silent else []

    def _take_down(self, worker: _Worker, answer: Answer) -> None:
        """Note what a worker says of a shard, and tell whoever waits for it where ids begin."""
        if not isinstance(answer.outcome, Counts):
            worker.given.remove(answer.shard)
            worker.laid_out.discard(answer.shard)
            self.answers[answer.shard] = answer.outcome
            if isinstance(answer.outcome, Exception):
                self._failed.append(answer.shard)
            return
        assert self._numbering is not None, "rows are laid out where ids are given out"
        worker.laid_out.add(answer.shard)
        for shard, origin in self._numbering.ready(answer.shard, answer.outcome):
            for holder in self._workers:
                if shard in holder.laid_out:
                    holder.send(Begins(shard, origin))

    async def wind_up(self) -> None:
        """See `Crew.wind_up`: what has arrived is among the answers."""

    def dismiss(self) -> None:
        """End all workers; they hold nothing that is needed."""
        for future in self._reading:
            future.cancel()  # nobody waits for it, and nobody is to be told of its end
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._readers.shutdown()
        for worker in self._workers:
            worker.connection.close()
        for end in self._life:
            os.close(end)

    def _hand_out(self, until: int) -> None:
        """Give each worker as many shards as it may have, the one with the fewest first.

        Those that wait for their ids do not count: the shard that they wait for may still have to be given to somebody.
        """
        for held in range(_AHEAD):
            for worker in self._workers:
                to_do = len(worker.given) - len(worker.laid_out)
                if to_do == held and self._todo and self._todo[0] < until + self._window:
                    worker.given.append(self._todo.popleft())
                    worker.send(worker.given[-1])

    def _hire(self) -> None:
        """Fork a worker."""
        beside = [worker.connection for worker in self._workers]
        process, connection = fork(simulate_what_is_asked, self._life, self._occasion, beside=beside)
        worker = _Worker(process, connection)
        self._workers.append(worker)
        self._read(worker)

    def _read(self, worker: _Worker) -> None:
        """Wait for the worker's next answer, in a thread: records are large, and this one may be busy writing."""
        loop = asyncio.get_running_loop()
        self._reading[loop.run_in_executor(self._readers, worker.connection.recv_bytes)] = worker

    def _replaced(self, worker: _Worker) -> str:
        """Take on another worker for one that has ended, and have its shards simulated again; what is to be said.

        Raises:
            WorkerLost: The shard that it had begun ended others before, or nobody is left.
        """
        worker.process.join(_ENDING_SECONDS)
        worker.process.kill()  # where it has closed its end and goes on
        worker.process.join()
        how = ending(worker.process.exitcode)
        worker.process.close()
        worker.connection.close()
        self._workers.remove(worker)
        self._todo.extendleft(reversed(worker.given))
        shard = worker.works_on
        if shard is not None:
            self._strikes[shard] += 1
            if self._strikes[shard] >= ATTEMPTS:
                self._failed.append(shard)
                raise WorkerLost(self._explained(shard, how))
        try:
            if self._todo:
                self._hire()
        except OSError as fault:
            if not self._workers:
                raise WorkerLost(
                    f"{self._occasion.words}: the last worker process {how}, and no other could be started "
                    f"({fault.strerror}); use execution.engine: process, and resume the run"
                ) from None
        return f"a worker process {how}; what it had begun is simulated again"

    def _explained(self, shard: int, how: str) -> str:
        occasion = self._occasion
        sessions = len(occasion.sessions(shard))
        return (
            f"{occasion.words}: {ATTEMPTS} worker processes, one after the other, "
            f"{how.replace('was', 'were')} while they simulated the same {sessions:,} sessions (shard {shard + 1} of "
            f"{len(occasion)}). Where the system kills what takes too much memory, fewer workers help "
            "(execution.workers), or execution.engine: process; then resume the run: everything decided so far is kept"
        )
