"""What can go wrong between here and a model server, and what to do about it.

A *transient* fault (the server is busy, broke off, took too long or garbled its answer) is worth another try; a
*permanent* one (wrong key, unknown model, nobody there) is not, and becomes a `ProviderError` that says what to mend.
What a fault concerns decides who pays for it: one prompt, or the run.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from groundlings.environments.cleaning import printable
from groundlings.environments.random_streams import name_key
from groundlings.simulator.language import provider_words as words

Concern = Literal["server", "account", "key", "prompt", "generation", "request"]

_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_NO_LOAD = frozenset({"prompt", "generation", "request"})
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
_REDIRECTION = 3
_LONGEST_ADDRESS = 200
_REFUSED_AS_WRITTEN = frozenset({400, 406, 413, 414, 415, 422, 431, 451, 501})


class BadStatus(Exception):
    """An answer whose HTTP status tells of no success.

    Attributes:
        status: The status.
        said: The body, without secrets.
        headers: As they came.
    """

    def __init__(self, status: int, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.said = said
        self.headers = {name.lower(): value for name, value in headers.items()}


class ErrorReply(BadStatus):
    """A reply with a status of success and an error in it; the status is the one that the error means.

    Args:
        error: What stands in the place of the reply.
    """

    def __init__(self, error: Any) -> None:
        super().__init__(words.status_of(error), words.as_text(error), {})


class GarbledReply(Exception):
    """A reply that is no chat completion: cut short, of another content type, or empty."""


class OversizedReply(GarbledReply):
    """A reply longer than is read.

    Attributes:
        most_bytes: The limit.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"more than {most_bytes:,} bytes")
        self.most_bytes = most_bytes


class UnreachedByProxy(ConnectionError):
    """The proxy of the environment cannot be reached, or lets nobody through.

    Attributes:
        proxy: Its address, without user and password.
        cause: What went wrong there.
    """

    def __init__(self, proxy: str, cause: Exception) -> None:
        super().__init__(proxy)
        self.proxy = proxy
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed attempt.

    Attributes:
        what: In words, without secrets.
        transient: Whether another try may help.
        status: HTTP status, None where no answer came.
        refused: Nobody listens at the address, or the address has no name.
        wait_seconds: What the server asked for (`Retry-After`), None where it asked for nothing.
        concerns: Whose matter it is: the server's; an empty account; the key or what it may do; this prompt, which
            somebody objects to; this generation, which failed and may succeed the next time; or the request, where the
            words do not tell whether its prompt is refused or the way of asking.
        garbled: Something came, and it was no chat completion.
        untrusted: Nobody vouches for the server's certificate.
        of_proxy: It is the fault of a proxy that the environment names.
    """

    what: str
    transient: bool
    status: int | None = None
    refused: bool = False
    wait_seconds: float | None = None
    concerns: Concern = "server"
    garbled: bool = False
    untrusted: bool = False
    of_proxy: bool = False

    @property
    def brief(self) -> str:
        """What a server's log may say: of an answer the status alone, because its body can repeat the question."""
        return self.what if self.status is None else f"HTTP {self.status}"


def fault_of(error: Exception) -> Fault:
    """Read what went wrong on the wire, or our own deadline."""
    if isinstance(error, UnreachedByProxy):
        at = fault_of(error.cause)
        what = f"the proxy {printable(error.proxy)} of the environment: {at.what}"
        return Fault(what, at.transient, refused=at.refused, wait_seconds=at.wait_seconds, of_proxy=True)
    if isinstance(error, BadStatus):
        concerns = _concern(error)
        # OpenAI says "too many requests" of an empty account too, and no waiting fills it.
        transient = concerns == "generation" or (concerns == "server" and error.status in _TRANSIENT_STATUS)
        told = f"error {error.status} in place of a reply" if isinstance(error, ErrorReply) else f"HTTP {error.status}"
        leads = _leads_to(error)
        what = printable(f"{told}: {leads or words.in_words(error.said) or 'no explanation'}")
        wait = _retry_after(error.headers) if transient else None
        return Fault(what, transient, error.status, wait_seconds=wait, concerns=concerns)
    if isinstance(error, GarbledReply):
        return Fault(printable(f"a reply that is no chat completion ({error})"), transient=True, garbled=True)
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return Fault("the host name is not known", transient=True, refused=True)
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return Fault("connection refused: nothing listens there", transient=True, refused=True)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Fault(
                f"its certificate is not trusted: {printable(cause.verify_message)}", transient=False, untrusted=True
            )
        if isinstance(cause, ssl.SSLError):
            why = printable(cause.reason or type(cause).__name__)
            return Fault(f"no encrypted connection ({why}): what listens there may want http:// for https://", True)
    last = _causes(error)[-1]
    if any(isinstance(cause, TimeoutError) for cause in _causes(error)):
        return Fault("no answer in time", transient=True)
    # The client's own errors are told by their names alone, see `http_client`.
    name = str(last) if type(last) is ConnectionError and str(last) else type(last).__name__
    return Fault(f"the connection broke ({name})", transient=True)


def _leads_to(error: BadStatus) -> str:
    """Where a redirect leads, "" where the answer is none; without what a query may hold."""
    place = error.headers.get("location", "")
    if error.status // 100 != _REDIRECTION or not place:
        return ""
    address = re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", place)[0])
    return f"it leads to {words.excerpt(address, _LONGEST_ADDRESS)}"


def _concern(error: BadStatus) -> Concern:
    said = error.said
    if error.status == 402 or words.tells_of_empty_account(said):
        return "account"
    if error.status == 401 or (error.status == 400 and words.tells_of_invalid_key(said)):
        return "key"
    if error.status == 403 and words.tells_of_key(said) and not words.tells_of_moderation(said):
        return "key"
    if error.status == 403 or error.status in _REFUSED_AS_WRITTEN:
        if words.tells_of_generation(said):
            return "generation"
        return "prompt" if words.tells_of_moderation(said) and not words.tells_of_key(said) else "request"
    return "server"


def back_off_seconds(fault: Fault, attempt: int, request_key: int) -> float:
    """How long to wait before the next attempt (1 = after the first).

    Exponential with full jitter (Brooker 2015, "Exponential backoff and jitter"), never less than the server asked
    for. The jitter is a hash of request and attempt: crowds spread out, and a run can be repeated. A server whose
    generation failed is not busy, so waiting longer for it helps nobody.
    """
    doublings = 0 if fault.concerns in _NO_LOAD else attempt - 1
    ceiling = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**doublings)
    jitter = name_key("back-off", request_key, attempt) / 2**63
    asked = min(fault.wait_seconds or 0.0, _LONGEST_DELAY_SECONDS)
    return asked + ceiling * jitter


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds asked for by `retry-after-ms`, or by `Retry-After` in seconds or as a date."""
    milliseconds, said = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if said is not None:
            return max(0.0, float(said))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(said or "").astimezone(UTC)
    except (ValueError, OverflowError):  # a time zone can carry the last day of the year 9999 out of the calendar
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what caused it, and so on."""
    chain = [error]
    while (cause := _before(chain[-1])) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _before(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
