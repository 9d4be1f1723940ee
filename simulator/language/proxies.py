"""Which proxy of the environment stands between here and a server, and who signs in there.

aiohttp would find it by itself, and look for keys in `~/.netrc` as well, which are none of ours to send. It also takes
an address without a scheme for none, passes over others in silence, and repeats passwords in its words.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.faults import BadStatus, UnreachedByProxy
from groundlings.simulator.language.key_redaction import can_be_called
from groundlings.simulator.language.remote_guard import goes_round_proxies

_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Route:
    """How requests get to a server.

    Attributes:
        proxy: The address of the proxy in between, without user and password; None = they go straight there.
        proxy_headers: What the proxy alone is told, to let an encrypted connection through; a secret.
        headers: What stands in each request besides: the proxy reads whatever is not encrypted; a secret as well.
    """

    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


async def route_to(url: str) -> Route:
    """How requests get to a URL, by what the environment says.

    Raises:
        ProviderError: The proxy that it names is none that can be used; it is not repeated, for it may hold a password.
    """
    if await goes_round_proxies(url):
        return Route()
    parts = urlsplit(url)
    named = getproxies()
    given = (named.get(parts.scheme) or _for_all(named)).strip()
    if not given or proxy_bypass(parts.hostname or ""):
        return Route()
    try:
        proxy, signed_in = _read(given if "://" in given else f"http://{given}")
    except ValueError as fault:
        raise ProviderError(
            f"{url}: the proxy that the environment names for it is no address ({fault}); mend "
            f"{parts.scheme.upper()}_PROXY (or ALL_PROXY), or name this host in NO_PROXY"
        ) from None
    return Route(proxy, proxy_headers=signed_in) if parts.scheme == "https" else Route(proxy, headers=signed_in)


def refused_by(route: Route, error: Exception) -> UnreachedByProxy | None:
    """The fault of the proxy on a route that aiohttp's error tells of; None where it tells of the server's."""
    import aiohttp

    if route.proxy is None or (isinstance(error, aiohttp.ClientSSLError) and route.proxy.startswith("http:")):
        return None
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return UnreachedByProxy(route.proxy, BadStatus(error.status, error.message, {}))
    if isinstance(error, aiohttp.ClientConnectorError):
        return UnreachedByProxy(route.proxy, getattr(error, "os_error", error))
    return None


def _for_all(named: Mapping[str, str]) -> str:
    """The proxy for whatever has none of its own, unless it is of a kind that only other programs can use."""
    given = named.get("all", "")
    return "" if given.lower().startswith("socks") else given


def _read(given: str) -> tuple[str, Mapping[str, str]]:
    """The address of a proxy, and the header that signs in there."""
    parts = urlsplit(given)
    if parts.scheme not in _SCHEMES:
        raise ValueError("expected http://HOST:PORT; SOCKS and other kinds of proxies are not used here")
    host = parts.hostname or ""
    more = parts.path.strip("/") or parts.query or parts.fragment
    if not host or more or not _has_a_port(parts) or not can_be_called(host):
        raise ValueError("expected http://HOST:PORT, and #, / and @ in a password written as %23, %2F and %40")
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.username is None:
        return address, {}
    return address, {"Proxy-Authorization": _basic(unquote(parts.username), unquote(parts.password or ""))}


def _has_a_port(parts: SplitResult) -> bool:
    """Whether the port is one that can be, or left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _basic(user: str, password: str) -> str:
    """RFC 7617 leaves the encoding open; UTF-8 where the older one has no such signs."""
    said = f"{user}:{password}"
    try:
        encoded = said.encode("latin-1")
    except UnicodeEncodeError:
        encoded = said.encode()
    return f"Basic {base64.b64encode(encoded).decode()}"
