"""What a client process and the process that keeps budget, store and log tell each other, and how it is packed."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest, Message
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Mood
from groundlings.personas.memory import Memory
from groundlings.simulator.engines.worker import Answer
from groundlings.simulator.language.admission import Result, Wanted
from groundlings.simulator.session import CohortRecord
from groundlings.simulator.shards import Outcome


@dataclass(frozen=True, slots=True)
class Give:
    """To a client: simulate these shards, in their order as far as there are places."""

    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Enter:
    """From a client: a request waits for admission."""

    ticket: int
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Admit:
    """To a client: send the request, or here is its reply, or what it is refused with."""

    ticket: int
    kept: ChatReply | None = None
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """From a client: what came of an admitted request."""

    ticket: int
    outcome: Result


@dataclass(frozen=True, slots=True)
class Settle:
    """To a client: an admitted request is accounted for; the earlier reply where the store keeps one."""

    ticket: int
    other: ChatReply | None


@dataclass(frozen=True, slots=True)
class Find:
    """Either way: whether the servers take a form, by kind of reply."""

    findings: dict[tuple[str, ...], bool]


@dataclass(frozen=True, slots=True)
class Tell:
    """From a client: people should know this."""

    line: str


@dataclass(frozen=True, slots=True)
class End:
    """To a client: leave open sessions, hand over what is finished, and end."""


ToClient = Give | Admit | Settle | Find | End
FromClient = Answer | Enter | Leave | Find | Tell


def packed_together(messages: Sequence[FromClient]) -> bytes:
    """Messages as bytes; what they share is packed once, and sessions are left out, because the other side has them."""
    stream = io.BytesIO()
    _Packer(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(messages)
    return stream.getvalue()


def unpacked_together(content: bytes, sessions: Callable[[int], Sessions]) -> list[FromClient]:
    """The messages that were packed.

    Args:
        content: From `packed_together`.
        sessions: The sessions of a shard by its number.
    """
    found: list[FromClient] = pickle.loads(content)  # noqa: S301 - our own bytes
    return [_with_sessions(each, sessions) if isinstance(each, Answer) else each for each in found]


def _with_sessions(answer: Answer, sessions: Callable[[int], Sessions]) -> Answer:
    outcome = answer.outcome
    if not isinstance(outcome, Outcome) or not isinstance(outcome.sessions, CohortRecord):
        return answer
    whole = replace(outcome.sessions, sessions=sessions(answer.shard))
    return replace(answer, outcome=replace(outcome, sessions=whole))


def _left_out(_: Sessions) -> tuple[Callable[[], None], tuple[()]]:
    return _nothing, ()


def _nothing() -> None:
    return None


def _rebuilt(kind: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    """A way to pack a frozen record of several fields: its class is called with their values.

    The one that dataclasses have looks its fields up anew for each record, on both sides.
    """
    values = attrgetter(*(each.name for each in fields(kind)))
    return lambda record: (kind, values(record))


_OF_EACH_DECISION = (CallRecord, ChatReply, ChatRequest, Memory, Message, Mood)


class _Packer(pickle.Pickler):
    dispatch_table: Any = (
        copyreg.dispatch_table | {Sessions: _left_out} | {kind: _rebuilt(kind) for kind in _OF_EACH_DECISION}
    )
