"""A real PostgreSQL server for the tests of this folder, started once and empty for every test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

REQUIRED = "TEST_POSTGRES"
"""Set to `require` where a missing server is a failure and no reason to skip, as in CI."""

PASSWORD = "correct horse"
_names = count(1)


@dataclass(frozen=True)
class Server:
    """A server that listens in a directory and, for those who know the password, on the loopback."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str, user: str = "groundlings") -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self.directory}&port={self.port}"

    def over_tcp(self, database: str, user: str = "groundlings") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """Rows of a statement, committed at once; as the superuser."""
        import psycopg

        with psycopg.connect(
            host=str(self.directory), port=self.port, user="groundlings", dbname=database, autocommit=True
        ) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []


def _binaries() -> Path | None:
    """Where `initdb` and `postgres` are; Debian keeps them off the path."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    return max(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda path: float(path.parent.name),
        default=None,
    )


def _somebody() -> dict[str, Any]:
    """Arguments of `Popen`: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _in_memory() -> str | None:
    """A place that is no disk, where there is room for many databases: deleting their files takes half a minute."""
    place = Path("/dev/shm")
    if not place.is_dir() or not os.access(place, os.W_OK) or shutil.disk_usage(place).free < 4 * 2**30:
        return None
    return str(place)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    binaries = _binaries()
    missing = "psycopg" if not _has_driver() else "PostgreSQL (initdb)" if binaries is None else ""
    if missing:
        if os.environ.get(REQUIRED) == "require":
            pytest.fail(f"{missing} is not installed, and {REQUIRED}=require")
        pytest.skip(f"{missing} is not installed")
    assert binaries is not None
    somebody = _somebody()
    # Short: the path of a socket has 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="groundlings-pg-", dir=_in_memory()))
    try:
        (directory / "password").write_text(PASSWORD)
        for path in (directory, directory / "password"):
            os.chown(path, somebody.get("user", -1), somebody.get("group", -1))
        subprocess.run(
            [binaries / "initdb", "--pgdata", directory / "data", "--username=groundlings", "--encoding=UTF8",
             "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
             f"--pwfile={directory / 'password'}", "--no-sync"],
            check=True, capture_output=True, cwd="/", **somebody,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", directory / "data", "-k", directory, "-p", str(port),
                 "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=32MB"],
                stdout=log, stderr=log, cwd="/", **somebody,
            )  # fmt: skip
        try:
            with pytest.MonkeyPatch.context() as environment:
                # Both doors of the server are somebody's own; tests of who is trusted take this away again.
                environment.setenv("GROUNDLINGS_TRUSTED_HOSTS", f"{directory}, 127.0.0.1:{port}")
                yield _ready(Server(directory, port, process))
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown: open connections are ended
            process.wait(30)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def database(server: Server) -> str:
    """The name of an empty database whose own rules of sorting are not those of bytes."""
    name = f"runs_{next(_names)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en'")
    return name


def _has_driver() -> bool:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


def _ready(server: Server) -> Server:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        try:
            server.run("SELECT 1")
            return server
        except psycopg.OperationalError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise RuntimeError((server.directory / "log").read_text()) from None
            time.sleep(0.05)
