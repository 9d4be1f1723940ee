"""The one switch that keeps tests, and whoever wants to be sure, from talking to a machine that is not this one."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from groundlings.environments.errors import ProviderError

SWITCH = "GROUNDLINGS_REMOTE"
"""Environment variable; the value "forbid" refuses every endpoint that is not a loopback address."""


def is_loopback(base_url: str) -> bool:
    """Whether a URL names this machine itself; no name is looked up to find out."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
