"""The openai client with less work per request.

The client and its transports put together headers, addresses, cookies and redirects anew for every request, which takes
several times as long as sending it. Here all requests to one address differ in their bodies only: the client makes and
sends the first one, and `AiohttpTransport.exchange` sends the later ones with the same headers, past the client.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import httpx2
import openai
from multidict import CIMultiDict
from yarl import URL

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.answer_body import ACCEPTED_ENCODINGS, beginning_of, body_of
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.faults import BadStatus
from groundlings.simulator.language.proxies import Route, refused_by
from groundlings.simulator.language.remote_guard import written_out

_KEEP_ALIVE_SECONDS = 5.0
_SUCCESS, _NO_SUCCESS = 200, 300
_MOST_BYTES_OF_AN_ERROR = 64_000


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """What all requests to one address share: everything but the body, in the form that aiohttp takes."""

    first: httpx2.Request
    address: URL
    headers: CIMultiDict[str]

    @classmethod
    def of(cls, first: httpx2.Request) -> RequestTemplate:
        """The template that a first request to an address gives."""
        headers = CIMultiDict(first.headers.multi_items())
        headers.popall("content-length", None)  # it belongs to the body; aiohttp counts each body itself
        headers["accept-encoding"] = ACCEPTED_ENCODINGS
        address = URL(str(first.url), encoded=True)
        # aiohttp takes addresses in their usual form alone, the operating system in others, too.
        plain = written_out(address.host or "")
        return cls(first, address if plain is None else address.with_host(plain), headers)


class TemplatedRequest(httpx2.Request):
    """A request that shares all but its body with the first one to its address.

    Args:
        template: What they share.
        body: What is sent, None for nothing.
    """

    def __init__(self, template: RequestTemplate, body: bytes | None) -> None:
        # All attributes of the first request are shared; `content` below reads this request's own body.
        self.__dict__.update(template.first.__dict__)
        self.template = template
        self.body = body

    @property
    def content(self) -> bytes:
        """See `httpx2.Request.content`."""
        return self.body or b""


class Client(openai.AsyncOpenAI):
    """Sends the body given as `content` with the same headers for every request to an address.

    Args:
        no_key: Whether no `Authorization` is sent but one among the headers: what stands for a missing key would be a
            wrong one beside a key in another header.
        options: As for the openai client.
    """

    def __init__(self, *, no_key: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._no_key = no_key and "authorization" not in map(str.lower, options.get("default_headers") or ())
        # The client would tell every endpoint the organisation and project it finds in the environment.
        self.organization = self.project = None
        self._templates: dict[tuple[str, str], RequestTemplate] = {}

    def template(self, method: str, address: str) -> RequestTemplate | None:
        """What all requests to an address share; None before the first of them."""
        return self._templates.get((method, address))

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx2.Request:
        """The step that Azure's client overrides as well."""
        key = (options.method, options.url)
        if key not in self._templates:
            self._templates[key] = RequestTemplate.of(super()._build_request(options, retries_taken=retries_taken))
            if self._no_key:
                self._templates[key].headers.popall("authorization", None)
        return TemplatedRequest(self._templates[key], options.content)


class AiohttpTransport(openai.DefaultAioHttpClient):
    """The `http_client` of a `Client`: no redirects, no cookies, no deadlines.

    Args:
        route: How requests get to the server.
        trust_env: Whether certificates are looked for in the environment.
        most_bytes: Longest body that is read, on the wire and unpacked.

    Transport errors are raised as aiohttp raises them.
    """

    def __init__(self, *, route: Route, trust_env: bool, most_bytes: int = MOST_BYTES) -> None:
        self._certificates = _certificates(trust_env, *map(os.environ.get, _OF_CERTIFICATES))
        super().__init__(trust_env=False, follow_redirects=False, timeout=None, verify=self._certificates)
        self._route = route
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
        """See `httpx2.AsyncClient.send`; the whole body is read.

        Only the body of an answer reaches the client, which trips over some character sets and encodings in headers.
        """
        assert isinstance(request, TemplatedRequest)
        content = await self.exchange(request.template, request.body)
        return httpx2.Response(_SUCCESS, content=content, request=request)

    async def exchange(self, template: RequestTemplate, body: bytes | None) -> bytes:
        """The whole body of the answer to a request.

        Raises:
            BadStatus: The answer's status is not one of success.
            GarbledReply: The body is too long, or cannot be unpacked.
            UnreachedByProxy: A proxy stands in the way.
        """
        if self._session is None:
            self._session = self._open()
        headers = template.headers
        if self._route.headers:
            headers = CIMultiDict([*headers.items(), *self._route.headers.items()])
        request = self._session.request(
            template.first.method,
            template.address,
            headers=headers,
            data=body,
            allow_redirects=False,
            proxy=self._route.proxy,
            proxy_headers=self._route.proxy_headers,
        )
        try:
            async with request as answer:
                if not _SUCCESS <= answer.status < _NO_SUCCESS:
                    said = await beginning_of(answer, min(_MOST_BYTES_OF_AN_ERROR, self._most_bytes))
                    raise BadStatus(answer.status, said.decode(errors="replace"), dict(answer.headers))
                return await body_of(answer, self._most_bytes)
        except aiohttp.ClientError as error:
            raise refused_by(self._route, error) or error from None

    async def aclose(self) -> None:
        """Drop the connections; closing twice is harmless."""
        if self._session is not None:
            await self._session.close()
        await super().aclose()

    def _open(self) -> aiohttp.ClientSession:
        """Connections belong to the event loop of the first request."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # no limit here: the pool limits concurrent requests
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                ssl=self._certificates,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # that would send whatever `~/.netrc` says, or fail of it
        )


@lru_cache
def _certificates(trust_env: bool, *_named: str | None) -> ssl.SSLContext:
    """Who is trusted: read once, because that takes longer than some hundred requests.

    Args:
        trust_env: Whether the environment may name others than are trusted anyway.
        _named: What it names, so that a change is noticed.

    Raises:
        ProviderError: The environment names a file that cannot be used.
    """
    try:
        return httpx2.create_ssl_context(trust_env=trust_env)
    except OSError as error:  # of `ssl` too
        said = ", ".join(f"{name}={os.environ[name]}" for name in _OF_CERTIFICATES if os.environ.get(name))
        raise ProviderError(
            f"certificates cannot be read ({printable(str(error))}); mend the environment: {printable(said)}"
        ) from None


_OF_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
