"""Replies that the log must not hold as they came: a remark takes the place of their text.

A reply is never rewritten, because what is left of it could be read as a decision that nobody made. A remark cannot be
read, so the page of such a reply is lost, and counted among the unreadable ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.simulator.language.faults import OversizedReply
from groundlings.simulator.language.key_echoes import WITHHELD, KeyEchoes
from groundlings.simulator.language.reply_numbers import UNKNOWN_TOKEN, estimated_counts

_CHARACTERS_A_TOKEN = 128
"""The longest tokens of common vocabularies: runs of 128 spaces."""
_ALWAYS_CHARACTERS = 100_000
WITHHELD_TEXT = "(withheld: "
"""Begins the remark in the place of a text that is not logged."""


class LoggableReplies:
    """Makes of each reply of a server what the log may hold; of nearly all, just what they are.

    Args:
        base_url: Whose replies, for messages.
        echoes: Finds the key.
        earlier: Names of models that replies gave before the run was interrupted.

    Attributes:
        remarks: What people should know, each said once; whoever tells them takes it out.
    """

    def __init__(self, base_url: str, echoes: KeyEchoes, earlier: frozenset[str] = frozenset()) -> None:
        self.remarks: list[str] = []
        self._base_url = base_url
        self._echoes = echoes
        self._lists_odds = False
        self._said: set[str] = set()
        self._earlier = earlier
        self._answering = ""
        """The name of the model that answers, in the server's words; "" before any reply that names it."""

    def whole(self, reply: ChatReply, request: ChatRequest, model: str) -> ChatReply:
        """A reply that was read to its end; `model` is the name it was asked for by."""
        found = self._keeping_secrets(reply, request, model)
        if found.model and found.model != self._answering:
            if self._answering or (self._earlier and found.model not in self._earlier):
                self._say(
                    "changes the model while it is asked, by the names that its replies give: arms and days may be of "
                    "different models. Name one that stays; column model of calls in the log has the name of each reply"
                )
            self._answering = found.model
        return found

    def _keeping_secrets(self, reply: ChatReply, request: ChatRequest, model: str) -> ChatReply:
        reply = self._bounded(self._with_odds(reply, request), request)
        if not self._echoes.stand_in(_all_of(reply)) or _asked_with(self._echoes.keys, request, model):
            return reply
        self._say("repeats the key: replies with it are withheld and count as unreadable, elsewhere it is taken out")
        return _without(reply, self._echoes)

    def oversized(self, error: OversizedReply, request: ChatRequest, model: str, latency_seconds: float) -> ChatReply:
        """What is known of a reply that was not read to its end."""
        self._say(f"sends replies of {error}, which are not read and count as unreadable; see max_reply_bytes")
        counts = estimated_counts(request, error.most_bytes)
        return ChatReply(
            text=f"{WITHHELD_TEXT}{error})",
            model=model,
            fingerprint="",
            prompt_tokens=counts.prompt,
            cached_tokens=counts.cached,
            completion_tokens=counts.completion,
            latency_seconds=latency_seconds,
            first_token=UNKNOWN_TOKEN if request.answers else (),
            tokens_estimated=True,
        )

    def _with_odds(self, reply: ChatReply, request: ChatRequest) -> ChatReply:
        """A server that gives log probabilities and once leaves them out has not said that the answer is impossible."""
        if not request.answers:
            return reply
        if reply.first_token:
            self._lists_odds = True
            return reply
        return replace(reply, first_token=UNKNOWN_TOKEN) if self._lists_odds else reply

    def _bounded(self, reply: ChatReply, request: ChatRequest) -> ChatReply:
        """Nothing that is longer than any reply of so many tokens can be."""
        if len(reply.text) <= max(_ALWAYS_CHARACTERS, _CHARACTERS_A_TOKEN * request.max_tokens):
            return reply
        self._say("sends replies far longer than max_tokens allows; they are withheld and count as unreadable")
        said = f"{WITHHELD_TEXT}{len(reply.text):,} characters, where {request.max_tokens:,} tokens were allowed)"
        return replace(reply, text=said)

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self.remarks.append(f"model server {self._base_url} {what}")


def _without(reply: ChatReply, echoes: KeyEchoes) -> ChatReply:
    cleaned = replace(
        reply,
        text=WITHHELD if echoes.stand_in(reply.text) else reply.text,
        model=echoes.without(reply.model),
        fingerprint=echoes.without(reply.fingerprint),
        finish_reason=echoes.without(reply.finish_reason),
        first_token=_tokens_without(reply, echoes),
    )
    if echoes.stand_in(_all_of(cleaned)):  # in pieces, one in each field
        return replace(cleaned, text=WITHHELD, model=WITHHELD, fingerprint=WITHHELD, finish_reason=WITHHELD)
    return cleaned


def _tokens_without(reply: ChatReply, echoes: KeyEchoes) -> tuple[tuple[str, float], ...]:
    cleaned = tuple((echoes.without(token), log) for token, log in reply.first_token)
    if echoes.stand_in("".join(token for token, _ in cleaned)):  # a piece in each
        return tuple((WITHHELD, log) for _, log in cleaned)
    return cleaned


def _all_of(reply: ChatReply) -> str:
    """Everything that comes from the server and goes into the log."""
    tokens = "".join(token for token, _ in reply.first_token)
    return "\n".join((reply.text, reply.model, reply.fingerprint, reply.finish_reason, tokens))


def _asked_with(keys: Sequence[str], request: ChatRequest, model: str) -> bool:
    """Whether a key stands in the question, too: then it is no secret there, and its words may come back."""
    return any(key in model or any(key in message.content for message in request.messages) for key in keys)
