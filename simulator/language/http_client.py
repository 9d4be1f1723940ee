"""The openai client, and nothing round it: what a model server is sent and what it answers, once.

The first request to an address goes through the client's own `get` or `post`, one floor below
`chat.completions.create`, and on a transport of ours (`groundlings.simulator.language.transport`); the later ones have
its headers and go to the transport directly. What is sent and what comes back are checked here by the reply's schema,
and the layers above and below would take most of the time of a request. Exceptions of the client and of aiohttp carry
the request, and with it the key, so none leaves this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

import aiohttp
import httpx2
import openai
from pydantic_core import to_json

from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.faults import BadStatus
from groundlings.simulator.language.key_echoes import KeyEchoes
from groundlings.simulator.language.proxies import route_to
from groundlings.simulator.language.remote_guard import is_loopback
from groundlings.simulator.language.transport import AiohttpTransport, Client

_PLACEHOLDER = "none"


class Wire:
    """Connections to one address, kept open between requests.

    Args:
        base_url: What every path is put behind.
        api_key: None sends a placeholder, which servers without keys ignore, unless headers may hold a key.
        headers: Sent with every request besides; their values are secrets, as the key is.
        most_bytes: Longest answer that is read.

    Attributes:
        echoes: Finds the key where a server repeats it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._headers = headers or {}
        self._most_bytes = most_bytes
        self._open: tuple[Client, AiohttpTransport] | None = None
        self._opening = asyncio.Lock()
        self.echoes = KeyEchoes(api_key, *_secrets_in(self._headers))

    async def get(self, path: str) -> str:
        """What a GET is answered; see `post`."""
        client, _ = await self._opened()
        return await self._answer(_content(client.get(under(self._base_url, path), cast_to=httpx2.Response)))

    async def post(self, path: str, body: Mapping[str, Any]) -> str:
        """What a POST of a JSON object is answered, whatever it is.

        Raises:
            BadStatus: The answer's status is not one of success. Redirects are not followed: they could lead anywhere.
            GarbledReply: The answer is too long, or cannot be unpacked.
            ConnectionError, TimeoutError: No whole answer came.
        """
        content = to_json(body)  # takes a fifth of the time of the `json` module, for the same bytes
        client, transport = self._open or await self._opened()
        address = under(self._base_url, path)
        template = client.template("post", address)
        if template is not None:
            return await self._answer(transport.exchange(template, content))
        return await self._answer(_content(client.post(address, cast_to=httpx2.Response, content=content)))

    async def close(self) -> None:
        """Drop the connections; closing twice is harmless."""
        if self._open is not None:
            await self._open[0].close()

    async def _answer(self, request: Awaitable[bytes]) -> str:
        try:
            return (await request).decode(errors="replace")  # JSON is UTF-8 (RFC 8259)
        except BadStatus as error:
            error.said = self.echoes.without(error.said)
            if "location" in error.headers:
                error.headers["location"] = self.echoes.without(error.headers["location"])
            raise
        except (openai.APIConnectionError, aiohttp.ClientError) as error:
            raise _cause(error) from None

    async def _opened(self) -> tuple[Client, AiohttpTransport]:
        """The client and its transport, made by the first request because its connections belong to that event loop."""
        async with self._opening:
            if self._open is None:
                # Retries, deadlines and who may travel at a time are the pool's: the client's own would hide from the
                # log how often a server failed. Proxies of the environment are for the outside world.
                encrypted = self._base_url.lower().startswith("https:")
                transport = AiohttpTransport(
                    route=await route_to(self._base_url),
                    trust_env=encrypted or not is_loopback(self._base_url),
                    most_bytes=self._most_bytes,
                )
                client = Client(
                    base_url=self._base_url,
                    api_key=self._api_key or _PLACEHOLDER,
                    default_headers=self._headers,
                    no_key=self._api_key is None and bool(self._headers),
                    max_retries=0,
                    timeout=None,
                    http_client=transport,
                )
                self._open = client, transport
            return self._open


async def _content(answer: Awaitable[httpx2.Response]) -> bytes:
    return (await answer).content


def _secrets_in(headers: Mapping[str, str]) -> Iterator[str]:
    """What headers hold, with and without the scheme that some begin with ("Bearer")."""
    for value in headers.values():
        yield value
        yield value.rpartition(" ")[2]


def under(base_url: str, path: str) -> str:
    """The address of a path below a base address, whose query is kept (Azure: `?api-version=...`)."""
    address, mark, query = base_url.partition("?")
    return f"{address.rstrip('/')}/{path}{mark}{query}"


def _cause(error: BaseException) -> BaseException:
    """What broke the connection, at the bottom of what the client and its transport made of it."""
    while isinstance(cause := error.__cause__ or error.__context__, _OF_THE_WIRE):
        error = cause
    if isinstance(error, OSError):
        return error
    name = type(error).__name__
    no_http = isinstance(error, aiohttp.http_exceptions.BadStatusLine)
    return ConnectionError(f"{name}: what came is no answer of HTTP" if no_http else name)


_OF_THE_WIRE = (OSError, aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError)
"""Whatever else stands in a chain of exceptions was being handled before the request was sent."""
