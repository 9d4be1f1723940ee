"""Posts to one address over aiohttp's connections, without what its session makes anew for every request.

A session puts address, headers, cookies, redirects and a task that writes the body together for each request, and gives
the answer a life of its own; all of that takes three times as long as the exchange itself. Here the head of a request
is what a first one sent, and the connector, its connections and the parser of answers stay aiohttp's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDictProxy

_OF_THE_BODY = frozenset({"content-length", "transfer-encoding"})
_NO_DEADLINE = aiohttp.ClientTimeout(total=None, sock_connect=None)
_FIRST_FINAL = 200
"""Answers below it announce others, and are passed over."""


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """An answer whose body is still to be read, as far as `answer_body` needs it."""

    status: int
    headers: CIMultiDictProxy[str]
    content: aiohttp.StreamReader
    connection: aiohttp.connector.Connection

    def close(self) -> None:
        """Drop the connection, with whatever of the body has not come."""
        self.connection.close()


class Lane:
    """The way to one address that a first answer came by; not for proxies, which want other heads.

    The first request went through the session, which refuses headers that would hold a second one.

    Args:
        session: Whose connections are used.
        first: The first answer from there.
    """

    def __init__(self, session: aiohttp.ClientSession, first: aiohttp.ClientResponse) -> None:
        connector = session.connector
        assert connector is not None
        self._connector = connector
        self._info = first.request_info
        method, url, sent = self._info.method, self._info.url, self._info.headers
        kept = [(name, value) for name, value in sent.items() if name.lower() not in _OF_THE_BODY]
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in kept)]
        self._head = "\r\n".join(lines).encode()
        self._request = aiohttp.ClientRequest(method, url, headers=kept, session=session)

    async def exchange(self, body: bytes, read: Callable[[LaneAnswer], Awaitable[bytes]]) -> bytes:
        """What `read` makes of the answer to a body; the connection is kept where all of it was read.

        Raises:
            aiohttp.ClientError: No answer came, or one that is no HTTP.
        """
        connection = await self._connector.connect(self._request, traces=[], timeout=_NO_DEADLINE)
        try:
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None
            assert transport is not None
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport.write(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
            status = 0
            while status < _FIRST_FINAL:
                try:
                    message, content = await protocol.read()
                except HttpProcessingError as error:
                    raise aiohttp.ClientResponseError(
                        self._info, (), status=error.code, message=error.message, headers=error.headers
                    ) from error
                status = message.code
            found = await read(LaneAnswer(status, message.headers, content, connection))
        except BaseException:
            connection.close()
            raise
        connection.release()
        return found
