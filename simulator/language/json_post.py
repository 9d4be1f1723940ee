"""One JSON object sent to a server that is no model, and what it answers: the door of recommenders over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.key_redaction import address
from groundlings.simulator.language.proxies import refused_by, route_to
from groundlings.simulator.language.remote_guard import refuse_remote, written_out

if TYPE_CHECKING:
    from yarl import URL

_MOST_CHARACTERS_OF_A_FAULT = 200
_MOST_BYTES_OF_A_FAULT = 64_000


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

        from groundlings.simulator.language.answer_body import beginning_of, body_of
        from groundlings.simulator.language.faults import BadStatus, GarbledReply, fault_of

        refuse_remote(url)
        content = json.dumps(body, ensure_ascii=False).encode()
        route = await route_to(url)
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
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
                    headers={**headers, **route.headers},
                    allow_redirects=False,
                    proxy=route.proxy,
                    proxy_headers=route.proxy_headers,
                ) as answer,
            ):
                if answer.status == 200:
                    return (await body_of(answer, MOST_BYTES)).decode(errors="backslashreplace")
                said = ""
                with suppress(OSError, ValueError, aiohttp.ClientError):  # its status counts, however it ends
                    said = (await beginning_of(answer, _MOST_BYTES_OF_A_FAULT)).decode(errors="replace")
                refusal = BadStatus(answer.status, said, answer.headers)
        except TimeoutError:
            raise ProviderError(
                f"{url}: no whole answer within {seconds:g} seconds; see whether the server is up, or give it longer"
            ) from None
        except GarbledReply as fault:
            raise ProviderError(f"{url}: answered with {fault}") from None
        except (OSError, ValueError, aiohttp.ClientError) as fault:
            raise ProviderError(f"{url}: {_in_words(refused_by(route, fault) or fault)}") from None
        says = fault_of(refusal).what.removeprefix(f"HTTP {refusal.status}: ")
        raise ProviderError(f"{url}: answered with status {refusal.status}; expected 200 (found: {says})")


def _in_words(error: Exception) -> str:
    """Why there is no whole answer, and what to do."""
    import ssl

    import aiohttp

    from groundlings.simulator.language.advice import PROXIES
    from groundlings.simulator.language.faults import UnreachedByProxy, fault_of

    if isinstance(error, UnreachedByProxy):
        return f"{fault_of(error).what}; {PROXIES}"
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error  # aiohttp's own has lost its details
    fault = fault_of(cause)
    if fault.refused:
        return f"{fault.what}; start the server or mend url"
    if fault.untrusted:
        return (
            f"{fault.what}; mend the certificate, or name the file of the authority that signed it in the environment "
            "variable SSL_CERT_FILE"
        )
    told = error.message if type(error) is aiohttp.ClientResponseError else str(cause)
    said = printable(" ".join(told.split()) or type(error).__name__, limit=_MOST_CHARACTERS_OF_A_FAULT)
    if isinstance(cause, ssl.SSLError):
        return f"no encrypted connection ({said}); see whether the server speaks https, and mend url"
    if type(error) is aiohttp.ClientResponseError:
        return f"found what is no answer of HTTP ({said}); see what listens there, and mend url"
    return f"no whole answer ({said}); see why the server closes the connection"


def _plain(url: str) -> URL:
    """The address with its host in the usual form, which alone aiohttp takes; the operating system takes others too."""
    from yarl import URL

    found = URL(url)
    plain = written_out(found.host or "")
    return found if plain is None else found.with_host(plain)
