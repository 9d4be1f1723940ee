"""JSON over HTTP, and nothing more: what a model server is sent and what it answers, once.

The openai client would spend more time on a request than the rest of the platform does on a decision (checking types
that are known, copying URLs and headers), and its exceptions carry the request, and with it the key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from simulator.language.faults import BadStatus
from simulator.language.guard import is_loopback

_PLACEHOLDER = "none"
_SUCCESS = 200


class Wire:
    """Connections to one address, kept open between requests.

    Args:
        base_url: What every path is put behind.
        api_key: None sends a placeholder, which servers without keys ignore.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._headers = {"Authorization": f"Bearer {api_key or _PLACEHOLDER}", "Accept": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> bytes:
        """What a GET is answered; see `post`."""
        return await self._send("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """What a POST of a JSON object is answered, whatever it is.

        Raises:
            BadStatus: The answer's status is not 200. Redirects are not followed: they could lead anywhere.
            OSError, aiohttp.ClientError: No whole answer came.
        """
        return await self._send("POST", path, json.dumps(body, ensure_ascii=False).encode())

    def without_key(self, text: str) -> str:
        """The text without the key, should a server have repeated it."""
        return text.replace(self._api_key, "(key)") if self._api_key else text

    async def close(self) -> None:
        """Drop the connections; closing twice is harmless."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"} if body else self._headers
        address = f"{self._base_url}/{path}"
        async with self._open().request(method, address, data=body, headers=headers, allow_redirects=False) as response:
            content = await response.read()
            if response.status != _SUCCESS:
                said = self.without_key(content.decode("utf-8", "replace"))
                raise BadStatus(response.status, said, dict(response.headers.items()))
            return content

    def _open(self) -> aiohttp.ClientSession:
        """The session, made by the first request because it belongs to its event loop."""
        if self._session is None:
            # Who may travel at a time, and for how long, is decided by the pool. Proxies of the environment are for
            # the outside world; cookies would tie requests to each other.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                trust_env=not is_loopback(self._base_url),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
