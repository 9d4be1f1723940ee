"""Who may ask what: every answer passes here, and so does every request before anything looks at it.

- A page of another site that names our port must not be answered, whatever name it gives us: the `Host` has to be one
  that we were told (DNS rebinding).
- What changes something comes by POST, from a page of ours (`Origin`), with the token that only our pages hold.
- No page of ours loads anything from elsewhere, is framed, or is kept; there are no cookies.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Of every page but a report, which carries its own styles."""

_LONGEST_BODY = 100_000

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Access:
    """What the server was started with.

    Attributes:
        hosts: Names by which it may be called, without port.
        control: Whether runs may be stopped and resumed, and logs asked in SQL; only on the loopback interface.
        token: What a form has to carry; made anew at each start.
        any_address: Whether it may be called by any number as well: it listens on all interfaces of this machine, and
            no name is behind a number, so that no site can lead it here.
    """

    hosts: tuple[str, ...] = LOOPBACK
    control: bool = True
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    any_address: bool = False

    def refusal(self, headers: Headers, method: str) -> str:
        """Why a request is not looked at; "" where it is."""
        host = _host_of(f"//{headers.get('host', '')}")
        if host not in self.hosts and not (self.any_address and _is_address(host)):
            return "this name is not one of this server's; open the address that `groundlings ui` printed"
        if method in ("GET", "HEAD"):
            return ""
        if method != "POST":
            return "only GET and POST are answered"
        if not self.control:
            return "control is off, because this server can be reached from other machines"
        if headers.get("origin") not in [f"{scheme}://{headers.get('host')}" for scheme in ("http", "https")]:
            return "this request does not come from a page of this server"
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:  # nor are files taken
            return "this is no form as the pages of this server send it"
        # A body in chunks has no length that was told before.
        length = headers.get("content-length", "")
        counted = length.isascii() and length.isdigit() and len(length) < 10 and "transfer-encoding" not in headers
        return "" if counted and int(length) <= _LONGEST_BODY else "the request is too long"

    async def allowed(self, request: Request) -> bool:
        """Whether a form carries the token."""
        form = await request.form()
        return secrets.compare_digest(str(form.get("token", "")).encode(), self.token.encode())


class Guard:
    """The middleware that asks `Access`, and closes every answer to other sites."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        closed = _closing(send)
        why_not = self._access.refusal(Headers(scope=scope), scope["method"])
        if why_not:
            await PlainTextResponse(why_not, status_code=403)(scope, receive, closed)
            return
        await self._app(scope, receive, closed)


def _closing(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def closed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", POLICY)
            headers["x-content-type-options"] = "nosniff"
            # With "no-referrer" browsers would send our own forms with the origin "null", and none would be allowed.
            headers["referrer-policy"] = "same-origin"
            headers["cross-origin-opener-policy"] = "same-origin"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers["cache-control"] = "no-store"
        await send(message)

    return closed


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
