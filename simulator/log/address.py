"""Addresses of PostgreSQL databases, as they may stand in a configuration: without a password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

_SCHEMES = ("postgresql", "postgresql+psycopg")
_SECRETS = frozenset({"password", "sslpassword", "passfile"})
_SECRET_SETTING = re.compile(r"passw|secret|token|credential|api_?key", re.IGNORECASE)
"""Names in `options` of settings that hold something secret, as an extension of a server may want it."""
_SHOWN = frozenset({"host", "port", "sslmode", "application_name", "connect_timeout", "target_session_attrs"})
"""Parameters whose values stand in messages."""


def postgres_address(url: str) -> str:
    """The address with the driver we use; ValueError, which never repeats it, where it will not do."""
    try:
        parts = urlsplit(url)
        password, path = parts.password, parts.path
        given = parse_qsl(parts.query)
        secret = _SECRETS & {name.lower() for name, _ in given} or ":" in unquote(parts.username or "")
        secret = secret or any(name.lower() == "options" and _SECRET_SETTING.search(value) for name, value in given)
        _ = parts.port
        url.encode()
        for host in (unquote(parts.hostname or ""), *(value for name, value in given if name.lower() == "host")):
            _check_hosts(host)
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if password is not None or secret:
        raise ValueError(
            "an address carries no password, because it is written into every run; put the password into the "
            "environment variable PGPASSWORD or into ~/.pgpass"
        )
    if parts.scheme not in _SCHEMES or not path.strip("/") or "/" in path.strip("/") or "@" in path:
        raise ValueError(_EXPECTED)
    return f"postgresql+psycopg://{parts.netloc}{path}{'?' + parts.query if parts.query else ''}"


def shown_address(url: str) -> str:
    """An address as messages name it: without the values of parameters that may hold anything, as `options` does."""
    base, mark, query = url.partition("?")
    parts = [each.partition("=") for each in query.split("&") if each]
    told = [f"{name}={value if name.lower() in _SHOWN else '...'}" for name, _, value in parts]
    return f"{base}{mark}{'&'.join(told)}"


def _check_hosts(hosts: str) -> None:
    """Raise ValueError where a name among hosts with commas between them is none that any system could look up."""
    for host in hosts.split(","):
        if not host.startswith(("/", "@")):  # the directory of a socket
            host.strip().encode("idna")


def schema_name(name: str) -> str:
    """The name of a run's schema; ValueError where it is none of ours: it is written to, and dropped with its run."""
    if not re.fullmatch("run_[a-z0-9_]{1,59}", name):
        raise ValueError(f"{name!r} is not the name of a run's schema, which begins with run_")
    return name


_EXPECTED = "expected postgresql://USER@HOST:PORT/DATABASE; a run without `log` keeps a SQLite file"
