"""Which addresses are this machine, and the one switch that keeps whoever wants to be sure from talking to another."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import unicodedata
from urllib.parse import urlsplit
from urllib.request import getproxies

from groundlings.environments.errors import ProviderError

SWITCH = "GROUNDLINGS_REMOTE"
"""Environment variable; the value "forbid" refuses every endpoint that is not a loopback address."""

_LOOK_UP_SECONDS = 3.0


def is_loopback(base_url: str) -> bool:
    """Whether a URL names this machine itself; no name is looked up to find out.

    Addresses count in every form in which the operating system takes them (`127.1`, `2130706433`,
    `[::ffff:127.0.0.1]`), and so do `0.0.0.0` and `[::]`, which it connects to itself, and the name `localhost`.
    """
    try:
        host = urlsplit(base_url).hostname or ""
    except ValueError:
        return False
    address = written_out(host)
    return _bare(host) == "localhost" if address is None else _is_here(address)


def written_out(host: str) -> str | None:
    """The address that a host is in an unusual form, such as 127.0.0.1 for `127.1`; None where it is a name."""
    try:
        found = socket.getaddrinfo(_bare(host), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0]) if host else None


async def goes_round_proxies(base_url: str) -> bool:
    """Whether requests to a URL must reach this machine without a proxy of the environment in between.

    Where there is a proxy that could take them, a name is looked up: it may be this machine's own.
    """
    if is_loopback(base_url):
        return True
    host = urlsplit(base_url).hostname
    if host is None or not getproxies():
        return False
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return bool(found) and all(_is_here(str(each[4][0])) for each in found)


def refuse_remote(base_url: str) -> None:
    """Raise `ProviderError` when the switch forbids this endpoint; called before the first byte is sent."""
    found = os.environ.get(SWITCH, "allow")
    if found not in ("allow", "forbid"):
        raise ProviderError(f"{SWITCH}={found!r}: expected allow or forbid")
    if found == "forbid" and not is_loopback(base_url):
        raise ProviderError(
            f"{base_url} is not on this machine, and {SWITCH}=forbid allows only loopback endpoints; "
            f"nothing was sent. Unset {SWITCH} to allow it"
        )


def _bare(host: str) -> str:
    return unicodedata.normalize("NFKC", host).lower().removesuffix(".")


def _is_here(address: str) -> bool:
    """Whether an address is loopback, or the one that stands for all of this machine's own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_unspecified
