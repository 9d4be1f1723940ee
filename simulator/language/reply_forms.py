"""Which form replies are asked for in: found out once for all endpoints of a pool, and the same from then on.

People answer otherwise when no form is sent, so a run in which some replies came with a form and others without
compares two kinds of people. The first request of each kind of reply (verdict, afterthought, ...) therefore goes out
alone; whether the server takes its form decides for all others, of all arms. A server that refuses a form later, after
it has taken it, does not change the form: that is an error, of this prompt or of the run.

Servers refuse a form before they think about a reply, so the others wait for the first one for a moment only. Where
that was too short, those that went out meanwhile are refused, too, and are sent again without a form.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Literal

from groundlings.environments.chat import ChatRequest
from groundlings.simulator.language import provider_words as words
from groundlings.simulator.language.faults import BadStatus, fault_of
from groundlings.simulator.language.request_body import Dialect, Form

Structured = Literal["auto", "json_schema", "grammar", "none"]

_REFUSES_A_FORM = frozenset({400, 406, 415, 422, 501})
_REFUSES_A_FORM_IT_NAMES = _REFUSES_A_FORM | {404, 405, 500, 503}
_UNEXPLAINED_BEFORE_DOUBT = 2
_LONGEST_WAIT_SECONDS = 2.0
_OPEN: AbstractAsyncContextManager[None] = nullcontext()

_Kind = tuple[str, ...]


class ReplyForms:
    """The forms of one endpoint.

    Args:
        structured: How a form is asked for; "auto" tries one and falls back to none.
        so_far: The forms that an interrupted run has its replies in; empty where it begins.
    """

    def __init__(self, structured: Structured, so_far: frozenset[str] = frozenset()) -> None:
        self._structured = structured
        self._so_far = so_far & {"json_schema", "grammar", "none"}
        self._tried: Form = "json_schema" if structured == "auto" else structured
        self._takes: dict[_Kind, bool] = {}
        """Whether the servers take a form for a kind of reply, as far as that is settled."""
        self._gates: dict[_Kind, asyncio.Event] = {}
        """Of the kinds that were asked for; set when the first request of the kind is over."""
        self._unexplained = 0
        self._cleared: set[_Kind] = set()
        """Kinds of reply whose form was not what the server refused: without one it refused as well."""

    def share(self, other: ReplyForms) -> None:
        """Go by the same findings as another endpoint: their replies are interchangeable only in one form."""
        self._takes, self._gates = other._takes, other._gates

    @property
    def findings(self) -> dict[_Kind, bool]:
        """Whether the servers take a form, by kind of reply, as far as that is settled."""
        return dict(self._takes)

    def learn(self, findings: dict[_Kind, bool]) -> None:
        """Note what another process has settled; what is settled here stays."""
        for kind, takes in findings.items():
            self._takes.setdefault(kind, takes)
            self._gates.setdefault(kind, asyncio.Event()).set()

    def know(self, dialect: Dialect) -> None:
        """Note whose server it is, which tells the form that is tried first."""
        if self._structured != "auto":
            return
        self._tried = "json_schema" if dialect == "other" else "grammar"
        if self._so_far and self._tried not in self._so_far:
            self._tried = next(form for form in ("json_schema", "grammar", "none") if form in self._so_far)

    def of(self, request: ChatRequest) -> Form:
        """The form to ask for now."""
        if request.answers:
            return "answers"
        if self._structured == "auto" and self._takes.get(_kind(request)) is False:
            return "none"
        return self._tried

    def turn(self, request: ChatRequest) -> AbstractAsyncContextManager[None]:
        """Entered before a request is sent: the first one of its kind goes out alone, the others wait for its end."""
        if self._structured != "auto" or request.answers:
            return _OPEN
        gate = self._gates.get(_kind(request))
        if gate is None:
            return self._first(_kind(request))
        return _OPEN if gate.is_set() else _waiting(gate)

    def taken(self, request: ChatRequest, form: Form) -> None:
        """Note that the server has answered in a form."""
        if self._structured == "auto" and form != "answers":
            self._takes.setdefault(_kind(request), form != "none")

    def refused(self, request: ChatRequest) -> bool:
        """Note that the server takes no form for this kind of reply; returns whether it is the first such kind."""
        first = False not in self._takes.values()
        self._takes[_kind(request)] = False
        return first

    def clear(self, request: ChatRequest) -> None:
        """Note that the server refuses a request without a form as it refused the one with it."""
        self._cleared.add(_kind(request))

    def suspect(self, request: ChatRequest) -> Form:
        """The form that may be why the server refuses a request; "none" where it is not."""
        return "none" if _kind(request) in self._cleared else self.of(request)

    def has_taken(self, request: ChatRequest) -> bool:
        """Whether the form of this kind of reply is settled, and is one that the server took."""
        return self._takes.get(_kind(request)) is True

    def doubted(self, request: ChatRequest, form: Form, error: BadStatus) -> bool:
        """Whether an error may be due to the form that was sent, so that the request is to be tried without."""
        if self._structured != "auto" or form in ("none", "answers"):
            return False
        if (takes := self._takes.get(_kind(request))) is not None:
            return not takes  # found out by another request while this one was on its way
        if (self._so_far and "none" not in self._so_far) or words.tells_of_generation(error.said):
            return False
        if words.tells_of_form(error.said):
            return error.status in _REFUSES_A_FORM_IT_NAMES
        if error.status == 500:
            self._unexplained += 1
            return self._unexplained >= _UNEXPLAINED_BEFORE_DOUBT
        return error.status in _REFUSES_A_FORM and fault_of(error).concerns == "request"

    @asynccontextmanager
    async def _first(self, kind: _Kind) -> AsyncIterator[None]:
        gate = self._gates[kind] = asyncio.Event()
        opener = asyncio.get_running_loop().call_later(_LONGEST_WAIT_SECONDS, gate.set)
        try:
            yield
        finally:
            opener.cancel()
            gate.set()


@asynccontextmanager
async def _waiting(gate: asyncio.Event) -> AsyncIterator[None]:
    await gate.wait()
    yield


def _kind(request: ChatRequest) -> _Kind:
    """Replies of a kind have the same keys; what may stand in them differs from page to page."""
    return tuple(request.reply_schema.get("properties", ()))
