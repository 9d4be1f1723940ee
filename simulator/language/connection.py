"""One OpenAI-compatible address: what it can do, and one attempt at asking it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.cleaning import logger
from groundlings.simulator.language import advice
from groundlings.simulator.language import provider_words as words
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.faults import (
    BadStatus,
    ErrorReply,
    Fault,
    GarbledReply,
    OversizedReply,
    fault_of,
)
from groundlings.simulator.language.health import Health
from groundlings.simulator.language.http_client import Wire
from groundlings.simulator.language.model_list import Capabilities, capabilities_in, keeps_no_list, only_model
from groundlings.simulator.language.rate_limit import Pace
from groundlings.simulator.language.remote_guard import refuse_remote
from groundlings.simulator.language.replies_so_far import NONE_SO_FAR, RepliesSoFar
from groundlings.simulator.language.reply_forms import ReplyForms, Structured
from groundlings.simulator.language.reply_reading import read_reply
from groundlings.simulator.language.request_body import Dialect, Form, RequestStyle, control_question
from groundlings.simulator.language.setting_names import setting
from groundlings.simulator.language.withheld import LoggableReplies

_logger = logger(__name__)


class Connection:
    """One endpoint of a pool: sends a request once and says what came of it.

    Args:
        base_url: Ends where "/chat/completions" begins, usually in "/v1".
        model: The model's name there; None takes the only one it serves.
        api_key: None sends a placeholder, which servers without keys ignore.
        timeout_seconds: Deadline of one attempt.
        concurrency: Requests on their way at a time.
        structured: How the reply's form is enforced; see `groundlings.simulator.language.config.ModelConfig`.
        send_seed: Whether the request's seed is sent along.
        pace: Its rate limits.
        style: How requests are written.
        headers: Sent with every request.
        strip_thinking: Whether a thinking block is cut from the beginning of a reply.
        so_far: What is known of the replies that an interrupted run got.
        max_reply_bytes: Longest answer that is read.
        key: Where its configuration stands in its file, for messages.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str | None,
        api_key: str | None = None,
        timeout_seconds: float = 60.0,
        concurrency: int = 8,
        structured: Structured = "auto",
        send_seed: bool = True,
        pace: Pace | None = None,
        style: RequestStyle | None = None,
        headers: Mapping[str, str] | None = None,
        strip_thinking: bool = False,
        so_far: RepliesSoFar = NONE_SO_FAR,
        max_reply_bytes: int = MOST_BYTES,
        key: str = "mind.model",
    ) -> None:
        refuse_remote(base_url)
        self.base_url = base_url
        self.model = model
        self.key = key
        self.concurrency = concurrency
        self.places = asyncio.Semaphore(concurrency)
        self.health = Health(timeout_seconds)
        self.pace = pace or Pace()
        self.capabilities: Capabilities | None = None
        self._dialect: Dialect = "other"
        self._forms = ReplyForms(structured, so_far.forms)
        self._style = replace(style or RequestStyle(), send_seed=send_seed)
        self._strip_thinking = strip_thinking
        self._new_wire = partial(Wire, base_url, api_key, headers=headers, most_bytes=max_reply_bytes)
        self._wire = self._new_wire()
        self._of_the_parent: Wire | None = None
        self.replies = LoggableReplies(base_url, self._wire.echoes, so_far.models)

    @property
    def load(self) -> float:
        """Requests given to it and not yet over, as a share of its places."""
        return self.health.outstanding / self.concurrency

    def know(self, found: Capabilities) -> None:
        """Note what first contact has shown.

        Raises:
            ConfigError: No model was named and the server does not serve exactly one.
        """
        self.model = self.model or only_model(found, self.base_url, self.key)
        self.capabilities = found
        self._dialect = found.dialect
        self._forms.know(found.dialect)

    @property
    def forms(self) -> ReplyForms:
        """The forms in which it is asked for replies."""
        return self._forms

    def before_clients(self) -> None:
        """See `ServesClients.before_clients`."""
        self.pace.share()
        self.health.share()

    def begin_in_client(self, places: int) -> None:
        """Begin anew in a forked process, with so many requests on their way at a time."""
        self.concurrency = places
        self.places = asyncio.Semaphore(places)
        self.health.outstanding = 0
        # Freed here, the copy of an open connection would take the parent's out of the parent's event loop.
        self._of_the_parent = self._wire
        self._wire = self._new_wire()

    def share_forms(self, other: Connection) -> None:
        """See `ReplyForms.share`."""
        self._forms.share(other._forms)

    async def close(self) -> None:
        """Drop its connections."""
        await self._wire.close()

    async def probe(self) -> Capabilities:
        """Ask who it is, once; a fault is raised as the client tells it, see `faults.fault_of`.

        A server that keeps no list, or one that nobody can read, can be used where the model is named. One that fails
        is asked a second time, because what the list says decides how replies are asked for.
        """
        for last in (False, True):
            try:
                return capabilities_in(await self._wire.get("models"), self._wire.echoes)
            except (BadStatus, GarbledReply) as error:
                fails = isinstance(error, BadStatus) and error.status == 500
                if not keeps_no_list(error) or (fails and self.model is None):
                    raise
                why = str(error) if isinstance(error, GarbledReply) else fault_of(error).what
            if last or not fails:
                break
        _logger.info("%s keeps no list of models", self.base_url)
        return Capabilities((), "other", no_list=why)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask once; a fault is raised as the client tells it, see `faults.fault_of`."""
        form = self._forms.of(request)
        try:
            reply = await self._send(request, form)
        except BadStatus as error:
            if not self._forms.doubted(request, form, error):
                raise
            return await self._without_form(request, form, error)
        self._forms.taken(request, form)
        return reply

    def turn(self, request: ChatRequest) -> AbstractAsyncContextManager[None]:
        """See `ReplyForms.turn`."""
        return self._forms.turn(request)

    async def _without_form(self, request: ChatRequest, form: Form, error: BadStatus) -> ChatReply:
        """The reply to a request that was refused in a form, where it is answered without one."""
        known = self._forms.of(request) == "none"
        try:
            reply = await self._send(request, "none")
        except BadStatus:
            if known:
                raise
            self._forms.clear(request)
            raise error from None
        if not known:
            if not words.tells_of_form(error.said) and await self._takes(control_question(request), form):
                self._forms.taken(request, form)
            if self._forms.has_taken(request):  # here, or by another request meanwhile
                raise error
            _logger.warning("%s refuses a reply form (%s): from now on none is sent", self.base_url, form)
            if self._forms.refused(request):
                self.replies.remarks.append(
                    f"model server {self.base_url} refuses the reply form {form} ({fault_of(error).what}): all arms "
                    f"are asked without one; {setting(self.key, 'structured: none')} saves the attempt"
                )
        return reply

    async def _takes(self, request: ChatRequest, form: Form) -> bool:
        """Whether a request is taken in a form, whatever comes of it."""
        try:
            await self._send(request, form)
        except BadStatus as error:
            return words.tells_of_generation(error.said)
        except GarbledReply:
            return True
        return True

    async def _send(self, request: ChatRequest, form: Form) -> ChatReply:
        body = self._style.body(request, self.model, form, self._dialect)
        sent = time.perf_counter()
        model = self.model or ""
        try:
            content = await self._wire.post("chat/completions", body)
            seconds = time.perf_counter() - sent
            reply = read_reply(content, request, seconds, form=form, strip_thinking=self._strip_thinking)
        except ErrorReply as error:
            error.said = self._wire.echoes.without(error.said)
            raise
        except OversizedReply as error:
            return replace(self.replies.oversized(error, request, model, time.perf_counter() - sent), form=form)
        except GarbledReply as error:
            raise GarbledReply(self._wire.echoes.without(str(error))) from None
        return self.replies.whole(reply, request, model)

    def explain(self, fault: Fault, attempts: int, request: ChatRequest | None = None) -> str:
        """What to tell the person who started the run, without secrets.

        Args:
            fault: What happened last.
            attempts: Requests it took.
            request: What was asked; None at first contact.
        """
        where = f"model server {self.base_url}"
        if request is None:
            where = f"{where} (asked for /models)"
        elif not fault.transient and self._forms.has_taken(request) and words.tells_of_form(fault.what):
            return advice.form_lost(fault, where, self._forms.of(request), self.key)
        return advice.explanation(
            fault,
            attempts,
            where=where,
            model=self.model,
            served=self.capabilities.models if self.capabilities else None,
            form=self._forms.suspect(request) if request else "none",
            key=self.key,
            one_token=request is not None and bool(request.answers),
        )
