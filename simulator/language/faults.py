"""What can go wrong between here and a model server, and what to do about it.

A *transient* fault (the server is busy, broke off, took too long or garbled its answer) is worth another try; a
*permanent* one (wrong key, unknown model, nobody there) is not, and becomes a `ProviderError` that says what to mend.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from groundlings.environments.random_streams import name_key

_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
_LONGEST_EXCERPT = 300


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


class GarbledReply(Exception):
    """A reply that is no chat completion: cut short, of another content type, or empty."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed attempt.

    Attributes:
        what: In words, without secrets.
        transient: Whether another try may help.
        status: HTTP status, None where no answer came.
        refused: Nobody listens at the address, or the address has no name.
        wait_seconds: What the server asked for (`Retry-After`), None where it asked for nothing.
        spent: The account is empty.
    """

    what: str
    transient: bool
    status: int | None = None
    refused: bool = False
    wait_seconds: float | None = None
    spent: bool = False

    @property
    def brief(self) -> str:
        """What a server's log may say: of an answer the status alone, because its body can repeat the question."""
        return self.what if self.status is None else f"HTTP {self.status}"


def fault_of(error: Exception) -> Fault:
    """Read what went wrong on the wire, or our own deadline."""
    if isinstance(error, BadStatus):
        # OpenAI says "too many requests" of an empty account too, and no waiting fills it.
        spent = '"insufficient_quota"' in error.said
        transient = error.status in _TRANSIENT_STATUS and not spent
        said = " ".join(error.said.split())[:_LONGEST_EXCERPT]
        wait = _retry_after(error.headers) if transient else None
        what = f"HTTP {error.status}: {said or 'no explanation'}"
        return Fault(what, transient, error.status, wait_seconds=wait, spent=spent)
    if isinstance(error, GarbledReply):
        return Fault(f"a reply that is no chat completion ({error})", transient=True)
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return Fault("the host name is not known", transient=True, refused=True)
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return Fault("connection refused: nothing listens there", transient=True, refused=True)
    last = _causes(error)[-1]
    if any(isinstance(cause, TimeoutError) for cause in _causes(error)):
        return Fault("no answer in time", transient=True)
    return Fault(f"the connection broke ({type(last).__name__})", transient=True)


def back_off_seconds(fault: Fault, attempt: int, request_key: int) -> float:
    """How long to wait before the next attempt (1 = after the first).

    Exponential with full jitter (Brooker 2015, "Exponential backoff and jitter"), never less than the server asked
    for. The jitter is a hash of request and attempt: crowds spread out, and a run can be repeated.
    """
    ceiling = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
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
        moment = parsedate_to_datetime(said or "")
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what caused it, and so on."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
