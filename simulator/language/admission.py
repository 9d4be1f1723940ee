"""One budget and one call store for several client processes.

A client process asks the servers itself, and keeps neither budget nor record: before a request it asks the process that
has them for *admission*, and after it says what came of it. What is admitted there goes through the same code as a
request of one process does (`admitted`), so the cap holds however many clients there are, and the same request of two
clients goes out once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest
from groundlings.environments.errors import UnanswerablePrompt
from groundlings.simulator.language.budget import BudgetedModel, Spent, most_of
from groundlings.simulator.language.call_store import StoredModel
from groundlings.simulator.language.late_replies import kept_if_late

_LATE_SECONDS = 3.0
"""See `late_replies`; less than the other process waits for a client to end."""

Result = ChatReply | UnanswerablePrompt | None
"""What came of an admitted request: a reply, a refusal for good, or nothing (it was cancelled, or failed)."""


class NoAnswer(Exception):
    """A client got no answer, by a failure that it reports as the end of its session."""


class ClientLost(Exception):
    """A client ended while a request of it was on its way: nobody knows whether it was answered."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that waits for admission.

    Attributes:
        most: The most that it can take; None where no budget is kept.
        key: Its key in the call store; "" where there is none.
        text: Its canonical text; "" likewise.
    """

    most: Spent | None
    key: str = ""
    text: str = ""


class Gate(Protocol):
    """The way to the process that keeps budget and store."""

    async def enter(self, wanted: Wanted) -> tuple[int, ChatReply | None]:
        """Wait for admission: a ticket, and the reply where it is known already; raises what it is refused with."""
        ...

    async def leave(self, ticket: int, outcome: Result) -> ChatReply | None:
        """Say what came of an admitted request; another reply where the store keeps an earlier one."""
        ...

    def leave_late(self, ticket: int, reply: ChatReply) -> None:
        """Say that an admitted request was answered, though nobody waits for it any more."""
        ...


class AdmittedModel:
    """A model as a client process asks it: with admission, and by its own connections.

    Args:
        model: The model as the other process has it, with its budget and its store.
        gate: The way there.
    """

    def __init__(self, model: ChatModel, gate: Gate) -> None:
        self._store, self._budget, self._servers = layers(model)
        self._name = model.name
        self._gate = gate

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        ticket, kept = await self._gate.enter(self._wanted(request))
        if kept is not None:
            return kept
        outcome: Result = None
        late: list[ChatReply] = []
        try:
            outcome = await self._answered(request, late)
        except UnanswerablePrompt as refusal:
            outcome = refusal
            raise
        finally:
            if late:
                self._gate.leave_late(ticket, *late)
            else:
                other = await self._gate.leave(ticket, outcome)
        return other or outcome

    async def close(self) -> None:
        """See `ChatModel.close`; the budget and the store are closed by whoever keeps them."""
        if self._servers is not None:
            await self._servers.close()

    async def _answered(self, request: ChatRequest, late: list[ChatReply]) -> ChatReply:
        """The servers' reply; one that comes when nobody waits for it is put into `late`, if a store is to keep it."""
        servers = self._servers
        assert servers is not None  # a store without servers admits nobody
        if self._store is None:
            return await servers.ask(request)
        return await kept_if_late(lambda: servers.ask(request), late.append, _LATE_SECONDS)

    def _wanted(self, request: ChatRequest) -> Wanted:
        most = None if self._budget is None else most_of(request)
        if self._store is None:
            return Wanted(most)
        text = self._store.canonical(request)
        return Wanted(most, hashlib.sha256(text.encode()).hexdigest(), text)


def layers(model: ChatModel) -> tuple[StoredModel | None, BudgetedModel | None, ChatModel | None]:
    """The store, the budget and the servers of a model as `build_chat_model` makes it; None for what it lacks."""
    store = model if isinstance(model, StoredModel) else None
    inner = model if store is None else store.model
    budget = inner if isinstance(inner, BudgetedModel) else None
    return store, budget, inner if budget is None else budget.model


async def admitted(model: ChatModel, wanted: Wanted, send: Callable[[], Awaitable[ChatReply]]) -> ChatReply:
    """The reply to a request of a client, from the store or by the client itself within the budget.

    Args:
        model: Whose budget and store.
        wanted: The request.
        send: Admits the client, and waits for what comes of it.

    Raises:
        BudgetExhausted, DataError, UnanswerablePrompt: As `ChatModel.ask` of the model.
        NoAnswer, ClientLost: From `send`.
    """
    store, budget, servers = layers(model)
    most = wanted.most

    async def within_budget() -> ChatReply:
        if budget is None or most is None:
            return await send()
        try:
            return await budget.within(most, send)
        except ClientLost:
            budget.count_unanswered(most)
            raise

    if store is None:
        return await within_budget()
    return await store.kept_or(wanted.key, wanted.text, None if servers is None else within_budget)
