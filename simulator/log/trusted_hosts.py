"""Database servers that somebody's own configuration has named, because only they may be sent a password.

A run directory says which server holds its log (`log.json`), and run directories are handed around. Opening one must
not make this machine dial whatever its maker wrote there, and offer PGPASSWORD or ~/.pgpass to it. A server counts as
named when a run was begun on it from here, which is remembered in the user's cache, or where the environment names it:
PGHOST with PGPORT, or GROUNDLINGS_TRUSTED_HOSTS.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.leftovers import SIGNS, remove_leftovers
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.simulator.log.address import shown_address

ADDRESS_NAME = "log.json"
"""What stands in a run directory in the place of a log that lies on a server."""

TRUSTED = "GROUNDLINGS_TRUSTED_HOSTS"
"""Environment variable: hosts, with a port or for all of their ports, separated by commas or spaces."""

SOCKET = "socket"
"""What the local socket is called where an address names no host, which PostgreSQL's library then chooses."""

_REMEMBERED_NAME = "database-servers.json"
_PORT = "5432"
_HARMLESS = frozenset(
    {"host", "port", "application_name", "connect_timeout", "options", "sslmode", "sslrootcert", "channel_binding"}
    | {"gssencmode", "keepalives", "keepalives_idle", "target_session_attrs", "client_encoding", "sslcert", "sslkey"}
)


def remember(url: str) -> None:
    """Note the server of a run that begins, as its own configuration names it; nothing where it is known already.

    Raises:
        RunDirectoryError: The cache directory cannot be written.
    """
    missing = [server for server in servers_of(url) if not _is_named(server)]
    if not missing:
        return
    path = _remembered_path()
    content = json.dumps(sorted({*_remembered(), *missing}), indent=1).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, f".{path.name}-{SIGNS}")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as part:
            try:
                part.write(content)
                part.flush()
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as fault:
        raise RunDirectoryError(
            f"{path}: the database server cannot be noted as yours ({fault.strerror}); make the directory writable, "
            f"choose another with {CACHE_VARIABLE}, or name the server in the environment: "
            f"{TRUSTED}={','.join(map(shown_address, missing))}"
        ) from None


def refuse_unnamed(url: str, where: Path) -> None:
    """Raise `RunDirectoryError` before the first byte is sent to a server that nobody here has named.

    Args:
        url: The address, from a run directory.
        where: The file that holds it.
    """
    if odd := _odd_parameters(url):
        if url not in _remembered():
            raise RunDirectoryError(
                f"{where}: its address has the parameters {', '.join(odd)}, which can lead to any server; nothing was "
                "sent. Where you trust it, write the server into this file as postgresql://USER@HOST:PORT/DATABASE"
            )
        return
    unknown = [server for server in servers_of(url) if not _is_named(server)]
    if unknown:
        listed = ", ".join(unknown)
        raise RunDirectoryError(
            f"{where}: the log is said to be on the database server {listed}, which no run begun here and no setting "
            f"of yours has named; nothing was sent, no password either. Where you trust it, set "
            f"{TRUSTED}={','.join(unknown)}"
        )


def servers_of(url: str) -> tuple[str, ...]:
    """The servers that an address leads to, each as HOST:PORT, or the address itself where only it says that."""
    if _odd_parameters(url):
        return (url,)
    given = _connect_arguments(url)
    return tuple(_pairs(given.get("host"), given.get("port")))


def _pairs(host: object, port: object) -> Iterator[str]:
    """HOST:PORT as PostgreSQL's library reads lists of both: one port for all hosts, or one for each."""
    hosts = str(host or os.environ.get("PGHOST") or SOCKET).split(",")
    ports = str(port or os.environ.get("PGPORT") or _PORT).split(",")
    for number, each in enumerate(hosts):
        own = ports[number] if number < len(ports) else ports[0]
        yield f"{_plain(each)}:{own or _PORT}"


def _plain(host: str) -> str:
    """A host in one spelling; names of directories, where sockets are, keep theirs."""
    host = host.strip().strip("[]")
    return host if host.startswith(("/", "@")) else host.lower().removesuffix(".") or SOCKET


def _connect_arguments(url: str) -> Mapping[str, object]:
    """What the driver would be told: the last word on where an address leads."""
    address = _read(url)
    try:
        _, arguments = address.get_dialect()().create_connect_args(address)
    except (ArgumentError, NoSuchModuleError) as fault:
        raise ValueError(f"the address cannot be read ({type(fault).__name__})") from None
    return arguments


def _read(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise ValueError("the address cannot be read") from None


def _odd_parameters(url: str) -> list[str]:
    """Names in an address that could lead elsewhere than its host and port: services, connection strings, typos."""
    return sorted(set(_read(url).query) - _HARMLESS)


def _is_named(server: str) -> bool:
    host, _, _port = server.rpartition(":")
    named = {_plain_entry(entry) for entry in re.split(r"[,\s]+", os.environ.get(TRUSTED, "")) if entry}
    if server in named or host in named or server in _remembered():
        return True
    chosen = os.environ.get("PGHOST")
    return bool(chosen) and server in _pairs(chosen, None)


def _plain_entry(entry: str) -> str:
    """An entry of GROUNDLINGS_TRUSTED_HOSTS as HOST or HOST:PORT."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d+)", entry)
    return f"{_plain(found[1])}:{found[2]}" if found else _plain(entry)


def _remembered() -> frozenset[str]:
    """What was noted; a file that cannot be read names nobody, which asks for no more than a word of the user."""
    try:
        content = json.loads(bounded_text(_remembered_path()))
    except (OSError, ValueError, RecursionError):
        return frozenset()
    return frozenset(each for each in content if isinstance(each, str)) if isinstance(content, list) else frozenset()


def _remembered_path() -> Path:
    return user_cache(CACHE_VARIABLE) / _REMEMBERED_NAME
