"""The way on which the openai client sends its requests: straight through aiohttp.

The client's own transports merge headers, addresses, cookies and redirects anew for every request, which takes twice
the time of the sending itself. Here all requests of a client differ by nothing but their bodies, so the rest is made
once.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import httpx2
import openai
from multidict import CIMultiDict
from yarl import URL

_KEEP_ALIVE_SECONDS = 5.0


class Letter(httpx2.Request):
    """A request that shares all but its body with those before it.

    Args:
        like: A request to the same address, with the same headers.
        body: What is sent, None for nothing.
        address, named: The address and the headers of `like`, as aiohttp takes them.
    """

    def __init__(self, like: httpx2.Request, body: bytes | None, address: URL, named: CIMultiDict[str]) -> None:
        self.__dict__.update(like.__dict__)
        self.body = body
        self.address = address
        self.named = named


class Courier(openai.DefaultAioHttpClient):
    """What `openai.AsyncOpenAI` takes as its `http_client`: no redirects, no cookies, no deadlines.

    Args:
        trust_env: Whether proxies and certificates are looked for in the environment.

    What breaks on the way is raised as aiohttp tells it.
    """

    def __init__(self, *, trust_env: bool) -> None:
        super().__init__(trust_env=trust_env, follow_redirects=False, timeout=None)
        self._trusts_environment = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._known: dict[tuple[object, ...], tuple[httpx2.Request, URL, CIMultiDict[str]]] = {}

    def build_request(
        self, method: str, url: httpx2.URL | str, *, headers: Any = None, content: Any = None, **rest: Any
    ) -> httpx2.Request:
        """See `httpx2.AsyncClient.build_request`; the client calls it with its headers as a list of pairs."""
        address = str(url)
        key = (method, address, tuple(headers or ()))
        if key not in self._known:
            like = super().build_request(method, url, headers=headers, **rest)
            named = CIMultiDict(like.headers.multi_items())
            named.popall("content-length", None)
            self._known[key] = like, URL(address, encoded=True), named
        like, parsed, named = self._known[key]
        return Letter(like, content, parsed, named)

    async def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
        """See `httpx2.AsyncClient.send`; the answer is there as a whole."""
        assert isinstance(request, Letter)
        if self._session is None:
            self._session = self._open()
        async with self._session.request(
            request.method, request.address, headers=request.named, data=request.body, allow_redirects=False
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
