"""What a worker process does: it simulates the shards whose numbers it is sent, and sends back what came of them.

Where rows are laid out here, a shard has two answers: how many rows there are, and, once it is told where their ids
begin, the rows or the files that hold them.
"""

from __future__ import annotations

import asyncio
import io
import pickle
import traceback
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from groundlings.environments.sessions import Sessions
from groundlings.simulator.engines.forked import become_worker
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.shard_rows import Counts
from groundlings.simulator.session import CohortRecord
from groundlings.simulator.shards import Occasion, Outcome, Simulated, work_on

Done = TypeVar("Done")

ATTEMPTS = 3
"""How often a shard may lose its worker before the run stops."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a shard.

    Attributes:
        shard: Its number.
        outcome: What came of it, how many rows it has where they wait for their ids, or the error that ended it.
    """

    shard: int
    outcome: Outcome | Counts | Exception


@dataclass(frozen=True, slots=True)
class Begins:
    """Where the ids of a shard's rows begin."""

    shard: int
    origin: Origin


def simulate_what_is_asked(
    connection: Connection, not_ours: Iterable[Connection], life: tuple[int, int], occasion: Occasion
) -> None:
    """The life of a worker process, until nobody asks any more.

    Args:
        connection: Shards come in by number, and where the ids of laid out rows begin; packed answers go out.
        not_ours: Connections of the parent, copied by the fork.
        life: A pipe whose second end nobody but the parent holds open: the first one ends when the parent has ended.
        occasion: What shards are of.
    """
    from threadpoolctl import threadpool_limits

    become_worker(not_ours, life)
    held: dict[int, Simulated] = {}
    with threadpool_limits(1), suppress(EOFError, OSError):  # the parent has closed its end
        while True:
            asked: int | Begins = connection.recv()
            if isinstance(asked, Begins):
                answer = Answer(asked.shard, attempted(partial(held.pop(asked.shard).outcome, asked.origin)))
            else:
                answer = simulated(asked, partial(_work, occasion, asked), held)
            connection.send_bytes(packed(answer))


def simulated(number: int, work: Callable[[], Outcome | Simulated], held: dict[int, Simulated]) -> Answer:
    """What becomes of a shard; where it fails, the error is the answer.

    Args:
        number: Of the shard.
        work: Simulates it.
        held: Takes the rows that still lack their ids.
    """
    done = attempted(work)
    if isinstance(done, Simulated):
        held[number] = done
        return Answer(number, done.rows.counts)
    return Answer(number, done)


def attempted(work: Callable[[], Done]) -> Done | Exception:
    """What comes of some work; where it fails, the error, so that it can be sent."""
    try:
        return work()
    except Exception as fault:
        return portable(fault)


def _work(occasion: Occasion, number: int) -> Outcome | Simulated:
    return ended(work_on(occasion.snapshot, occasion.task(number)))


def ended(work: Coroutine[Any, Any, Done]) -> Done:
    """What comes of work, by an event loop that leaves signals alone.

    `asyncio.run` puts a handler for Ctrl-C in its place and back, and writes down all that was simulated on the way,
    for a message that nobody reads.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def packed(answer: Answer) -> bytes:
    """An answer as bytes; the sessions are left out, because whoever asked has them."""
    stream = io.BytesIO()
    packer = _Packer(stream, protocol=pickle.HIGHEST_PROTOCOL)
    packer.sessions = getattr(getattr(answer.outcome, "sessions", None), "sessions", None)
    packer.dump(answer)
    return stream.getvalue()


def unpacked(content: bytes, sessions: Callable[[int], Sessions]) -> Answer:
    """The answer that was packed.

    Args:
        content: From `packed`.
        sessions: The sessions of a shard by its number.
    """
    unpacker = _Unpacker(io.BytesIO(content))
    answer: Answer = unpacker.load()
    outcome = answer.outcome
    if isinstance(outcome, Outcome) and isinstance(outcome.sessions, CohortRecord):
        whole = replace(outcome.sessions, sessions=sessions(answer.shard))
        return replace(answer, outcome=replace(outcome, sessions=whole))
    return answer


def portable(fault: Exception) -> Exception:
    """An error that can be sent to another process, with its traceback as a note; its text where it cannot itself."""
    told = "".join(traceback.format_exception(fault)).rstrip()
    try:
        sent: Exception = pickle.loads(pickle.dumps(fault))  # noqa: S301 - our own bytes
        sent.add_note(f"in a worker process:\n{told}")  # what came back may be anything, and take no note
        pickle.dumps(sent)
    except Exception:
        return RuntimeError(f"in a worker process:\n{told}")
    return sent


class _Packer(pickle.Pickler):
    sessions: Sessions | None

    def persistent_id(self, obj: Any) -> Any:
        return _SESSIONS if obj is self.sessions and obj is not None else None


class _Unpacker(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002 - there is one kind
        return None


_SESSIONS = "sessions"
