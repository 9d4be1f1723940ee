"""One JSON object sent to a server that is no model, and what it answers: the door of recommenders over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.remote_guard import goes_round_proxies, refuse_remote


class _StayHere(HTTPRedirectHandler):
    """Redirects are not followed: they could lead anywhere."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirect is the answer."""


async def post_json(url: str, body: Mapping[str, Any], seconds: float) -> str:
    """What a server answers to an object.

    Args:
        url: Where it is sent.
        body: What is sent.
        seconds: How long an answer may take.

    Raises:
        ProviderError: The address is not allowed, no whole answer came, or its status is not one of success.
    """
    refuse_remote(url)
    direct = [ProxyHandler({})] if await goes_round_proxies(url) else []
    return await asyncio.to_thread(_posted, url, json.dumps(body, ensure_ascii=False).encode(), seconds, direct)


def _posted(url: str, content: bytes, seconds: float, handlers: list[ProxyHandler]) -> str:
    try:
        request = Request(url, content, {"Content-Type": "application/json"})  # noqa: S310 - checked where it is named
        with build_opener(_StayHere, *handlers).open(request, timeout=seconds) as answer:
            said: bytes = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        raise ProviderError(f"{url}: answered with status {error.code}; expected 200") from None
    except (OSError, ValueError, HTTPException) as error:
        raise ProviderError(f"{url}: no answer ({error}); is the server running?") from None
    if len(said) > MOST_BYTES:
        raise ProviderError(f"{url}: the answer is longer than {MOST_BYTES:,} bytes")
    return said.decode(errors="replace")
