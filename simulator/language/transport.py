"""The openai client with a shorter way to the wire.

The client and its transports put together headers, addresses, cookies and redirects anew for every request, which takes
several times as long as the sending itself. Here all requests to an address differ by nothing but their bodies: the
first is made by the client as ever, those after it are like it, and aiohttp takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import openai
from multidict import CIMultiDict
from yarl import URL

_KEEP_ALIVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """What requests to one address have in common, as the client and as aiohttp take it."""

    first: httpx2.Request
    address: URL
    headers: CIMultiDict[str]

    @classmethod
    def of(cls, first: httpx2.Request) -> Envelope:
        """Everything but the body of a request."""
        headers = CIMultiDict(first.headers.multi_items())
        headers.popall("content-length", None)
        return cls(first, URL(str(first.url), encoded=True), headers)


class Letter(httpx2.Request):
    """A request that shares all but its body with the first one to its address.

    Args:
        envelope: What they share.
        body: What is sent, None for nothing.
    """

    def __init__(self, envelope: Envelope, body: bytes | None) -> None:
        self.__dict__.update(envelope.first.__dict__)
        self.envelope = envelope
        self.body = body

    @property
    def content(self) -> bytes:
        """See `httpx2.Request.content`."""
        return self.body or b""


class Client(openai.AsyncOpenAI):
    """Asks with the body given as `content`, and with the same headers every time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The client would tell every endpoint the organisation and project it finds in the environment.
        self.organization = self.project = None
        self._envelopes: dict[tuple[str, str], Envelope] = {}

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx2.Request:
        """The step that Azure's client overrides as well."""
        key = (options.method, options.url)
        if key not in self._envelopes:
            self._envelopes[key] = Envelope.of(super()._build_request(options, retries_taken=retries_taken))
        return Letter(self._envelopes[key], options.content)


class Courier(openai.DefaultAioHttpClient):
    """The `http_client` of a `Client`: no redirects, no cookies, no deadlines.

    Args:
        trust_env: Whether proxies and certificates are looked for in the environment.

    What breaks on the way is raised as aiohttp tells it.
    """

    def __init__(self, *, trust_env: bool) -> None:
        super().__init__(trust_env=trust_env, follow_redirects=False, timeout=None)
        self._trusts_environment = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
        """See `httpx2.AsyncClient.send`; the answer is there as a whole."""
        assert isinstance(request, Letter)
        if self._session is None:
            self._session = self._open()
        address, headers = request.envelope.address, request.envelope.headers
        async with self._session.request(
            request.method, address, headers=headers, data=request.body, allow_redirects=False
        ) as answer:
            # httpx unpacks it: it has told the server what it can.
            content = await answer.read()
            return httpx2.Response(answer.status, headers=answer.raw_headers, content=content, request=request)

    async def aclose(self) -> None:
        """Drop the connections; closing twice is harmless."""
        if self._session is not None:
            await self._session.close()
        await super().aclose()

    def _open(self) -> aiohttp.ClientSession:
        """Connections belong to the event loop of the first request."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # how many travel at a time is the pool's to say
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                ssl=httpx2.create_ssl_context(trust_env=self._trusts_environment),
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=self._trusts_environment,
        )
