"""One JSON object sent to a server that is no model, and what it answers: the door of recommenders over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.key_redaction import address
from groundlings.simulator.language.remote_guard import goes_round_proxies, refuse_remote, written_out

if TYPE_CHECKING:
    from yarl import URL

_MOST_CHARACTERS_OF_A_FAULT = 200


class JsonPost:
    """Sends objects to servers; redirects are not followed, because they could lead anywhere."""

    def check(self, url: str) -> None:
        """Raise `ValueError` where an address is none that a server can have, or holds a secret."""
        address(url)

    async def __call__(self, url: str, body: Mapping[str, Any], seconds: float) -> str:
        r"""What a server answers to an object; bytes that are no UTF-8 stand there as in `\xff`.

        Args:
            url: Where it is sent.
            body: What is sent.
            seconds: How long it may take until the whole answer is there.

        Raises:
            ProviderError: The address is not allowed, no whole answer came in time, or its status is not 200.
        """
        import aiohttp

        from groundlings.simulator.language.answer_body import body_of
        from groundlings.simulator.language.faults import GarbledReply

        refuse_remote(url)
        content = json.dumps(body, ensure_ascii=False).encode()
        proxy = None if await goes_round_proxies(url) else _proxy_for(url)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=seconds),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.post(
                    _plain(url),
                    data=content,
                    headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                    allow_redirects=False,
                    proxy=proxy,
                ) as answer,
            ):
                status = answer.status
                said = await body_of(answer, MOST_BYTES) if status == 200 else b""
        except TimeoutError:
            raise ProviderError(f"{url}: no whole answer within {seconds:g} seconds; is the server running?") from None
        except GarbledReply as fault:
            raise ProviderError(f"{url}: answered with {fault}") from None
        except (OSError, ValueError, aiohttp.ClientError) as fault:
            why = printable(str(fault) or type(fault).__name__, limit=_MOST_CHARACTERS_OF_A_FAULT)
            raise ProviderError(f"{url}: no whole answer ({why}); is the server running?") from None
        if status != 200:
            raise ProviderError(f"{url}: answered with status {status}; expected 200")
        return said.decode(errors="backslashreplace")


def _plain(url: str) -> URL:
    """The address with its host in the usual form, which alone aiohttp takes; the operating system takes others too."""
    from yarl import URL

    found = URL(url)
    plain = written_out(found.host or "")
    return found if plain is None else found.with_host(plain)


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
