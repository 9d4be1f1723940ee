"""Keeping keys out of files: what may stand in a configuration, checked when it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY_FIELDS = frozenset({"api_key", "apikey", "key", "token", "secret", "password", "authorization"})


def refuse_secrets(given: Any) -> Any:
    """What was given, unless one of its fields is a place for a key."""
    if isinstance(given, Mapping):
        for field in given:
            if str(field).lower().replace("-", "_") in _KEY_FIELDS:
                raise ValueError(
                    f"{field}: a key does not belong in a file; put it into an environment variable and write "
                    f"that variable's name as api_key_env"
                )
    return given


def environment_name(name: str | None) -> str | None:
    """The name, unless it cannot be one, as when somebody has written the key itself."""
    if name is not None and not _ENVIRONMENT_NAME.match(name):
        raise ValueError("expected the name of an environment variable, such as MY_API_KEY, not the key itself")
    return name


def address(url: str) -> str:
    """The address of an endpoint without a slash at its end, unless something secret stands in it."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError("an address carries no user, password or query; name the key's variable as api_key_env")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://HOST:PORT/v1 or https://HOST/v1")
    return url.rstrip("/")
