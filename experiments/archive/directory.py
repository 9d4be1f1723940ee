"""A run's directory: who may write it, and what lies in it."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from groundlings.environments.addresses import not_written
from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.cleaning import printable_json
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.archive.strangers import refuse_strange
from groundlings.simulator.log.address import shown_address
from groundlings.simulator.log.nearby import did_you_mean
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.sqlite import SqliteStore, tables_in
from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME, Store, on_disk, store_at
from groundlings.simulator.log.trusted_hosts import remember

CONFIG_NAME = "config.yaml"
MANIFEST_NAME = "manifest.json"
SUMMARY_NAME = "summary.json"
STOPPED_NAME = "interrupted.json"
LOCK_NAME = ".lock"
_LOCK_ATTEMPTS = 8
_WRITE_ATTEMPTS = 100
REPORT_NAME = "report.html"
ANSWER_NAME = "answer.json"
"""What the run answers, in words and figures; see `analysis.answer`."""
HELD_OUT_NAME = "held_out.json"
"""What real behaviour and other audiences say of the arms, measured when the run was made."""
FITTED_NAME = "fitted.json"
"""What recommenders counted of their first fit; only of those that count something."""
BACKGROUND_NAME = "background.json"
"""What the training part of the data tells of the items that were shown, for metrics that the log alone cannot give."""
_MOST_WORDS = 200
"""Characters of what a manifest says of one recommender."""
CELLS = "cells"
"""Replicates of one experiment lie under this, a run directory each."""


@dataclass(frozen=True, slots=True)
class LogKind:
    """What holds the large tables of a log in the run's directory.

    Attributes:
        name: sqlite or parquet.
        asked: Whether the configuration names it, and not the size of the run.
    """

    name: Literal["sqlite", "parquet"]
    asked: bool


def choose_directory(name: str, out: Path | None, home: Path = Path()) -> Path:
    """Where a run goes: `out`, or the first free one of runs/NAME, runs/NAME-2, ...; nothing is overwritten.

    Args:
        name: Of the run.
        out: The directory, if one was asked for.
        home: What relative paths begin at.

    Raises:
        RunDirectoryError: `out` holds something already, is an address, or cannot be written.
    """
    if out is not None:
        if address := not_written(out):
            raise RunDirectoryError(f"{out}: {address}")
        directory = home / out
        if directory.exists() and (
            not directory.is_dir() or any(not _is_leftover(path) for path in directory.iterdir())
        ):
            raise RunDirectoryError(
                f"{out}: not empty, and a run never overwrites anything; choose another --out or remove it first"
            )
    else:
        candidates = (home / "runs" / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
        directory = next(candidate for candidate in candidates if not candidate.exists())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / LOCK_NAME).touch()
    except OSError as fault:
        raise RunDirectoryError(
            f"{directory}: cannot be written ({fault.strerror}); choose another directory with --out"
        ) from None
    return directory


def _is_leftover(path: Path) -> bool:
    """Whether a file is what a run leaves that was killed before it had begun; a link of that name leads elsewhere."""
    return not path.is_symlink() and (path.name == LOCK_NAME or path.suffix == ".part")


def existing_config(directory: Path) -> Path:
    """The configuration of a run that was begun; raises `RunDirectoryError` where there is none."""
    path = directory / CONFIG_NAME
    if not path.is_file():
        near = "" if directory.exists() else did_you_mean(directory)
        raise RunDirectoryError(
            f"{directory}: found no {CONFIG_NAME} there; expected a directory that `groundlings run` has begun{near}"
        )
    return path


def begun_directory(name: str, out: Path | None, holds: str) -> Path:
    """Where a lab goes on: `out`, or runs/NAME.

    Args:
        name: Of the lab's file.
        out: As in `choose_directory`.
        holds: The file that it goes on from.

    Raises:
        RunDirectoryError: There is no such file.
    """
    directory = out or Path("runs") / name
    if not (directory / holds).is_file():
        raise RunDirectoryError(
            f"{directory}: found no {holds} to go on from; expected the directory of what was interrupted (--out), or "
            "begin anew without --resume"
        )
    return directory


@contextmanager
def new_directory(name: str, out: Path | None) -> Iterator[Path]:
    """Where a lab writes (`choose_directory`), kept for this process; one made here goes again if nothing came into it.

    Raises:
        RunDirectoryError: As `choose_directory` and `locked`.
    """
    made = out is None or not out.exists()
    directory = choose_directory(name, out)
    try:
        with locked(directory):
            yield directory
    except BaseException:
        if made:
            with suppress(OSError):  # it holds something
                directory.rmdir()
        raise


@contextmanager
def locked(directory: Path) -> Iterator[Path]:
    """Keep the directory, which it gives, for this process; a second one gets a `RunDirectoryError` at once."""
    if (directory / CONFIG_NAME).exists():
        refuse_strange(directory)
    try:
        lock = _held(directory / LOCK_NAME)
    except Timeout:
        raise RunDirectoryError(
            f"{directory}: another process is working on this run; wait for it or stop it"
        ) from None
    except OSError as fault:
        raise RunDirectoryError(f"{directory}: cannot be written ({fault.strerror})") from None
    try:
        yield directory
    finally:
        with suppress(OSError):  # while it is held: later, somebody else may hold this file, and a third make another
            (directory / LOCK_NAME).unlink(missing_ok=True)
        lock.release()


def _held(path: Path) -> FileLock:
    """A lock on the file that lies there. One that was removed since it was opened keeps nobody away.

    Raises:
        Timeout: Another process holds it, or holds one and lets go of it again and again.
        OSError: There is no such file, and none can be made.
    """
    for _ in range(_LOCK_ATTEMPTS):
        with suppress(FileExistsError):
            path.open("x").close()
        opened = path.stat().st_ino
        lock = FileLock(path)
        lock.acquire(blocking=False)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == opened:
                return lock
        lock.release()
    raise Timeout(str(path))


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, in UTF-8; bytes of a file's name that are no text are escaped as JSON has them."""
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; of two commands that write it at once, the last one's stays.

    Raises:
        RunDirectoryError: The disk is full, may not be written, or the directory is gone.
    """
    part = path.with_name(path.name + ".part")
    try:
        for left in reversed(range(_WRITE_ATTEMPTS)):
            try:
                if _in_place(part, path, content):
                    return
            except (FileExistsError, FileNotFoundError):
                if left == 0 or not path.parent.is_dir():
                    raise
        raise TimeoutError(errno.ETIMEDOUT, "other commands write it all the time")
    except BaseException as fault:
        with suppress(OSError):  # what could not be written may not be removable either
            part.unlink(missing_ok=True)
        if not isinstance(fault, OSError):  # Ctrl-C leaves no half file either
            raise
        raise RunDirectoryError(f"{path}: cannot be written ({why_not(fault, path.parent)})") from None


def _in_place(part: Path, path: Path, content: bytes) -> bool:
    """Write a draft and rename it; False where another command has taken it for a leftover and put its own there.

    Raises:
        FileExistsError, FileNotFoundError: Another command has put its draft there, or has renamed this one.
        OSError: It cannot be written.
    """
    part.unlink(missing_ok=True)
    with part.open("xb") as file:  # made anew: a link of that name would lead elsewhere
        file.write(content)
        file.flush()
        ours = _which(os.fstat(file.fileno()))
    if _which(part.stat()) != ours:
        return False
    part.replace(path)
    return True


def _which(found: os.stat_result) -> tuple[int, int, int]:
    """What tells a file from another one of its name: the number alone is given again as soon as its file is gone."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def why_not(fault: OSError, directory: Path) -> str:
    """Why a file could not be written into a directory, and what helps.

    Args:
        fault: What the system said.
        directory: The file's; it may be gone by now.
    """
    said = fault.strerror or str(fault)
    if not directory.is_dir():
        return f"{said}: there is no directory {directory}, or no longer; make it, or begin anew"
    if fault.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{said}; copy {directory} to a place where you may write, and repeat it there"
    try:
        return f"{said}; {shutil.disk_usage(directory).free >> 20} MiB free"
    except OSError:
        return said


def write_json(path: Path, content: Any) -> None:
    """Write values as readable JSON."""
    write_text(path, printable_json(content) + "\n")


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a finished run; a run that was cut short has none, and its log tells all that is needed.

    Raises:
        RunDirectoryError: It is damaged.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        return {}
    mended = f"restore it from a copy, or write it anew with `groundlings run --resume {shlex.quote(str(directory))}`"
    try:
        content = json.loads(bounded_text(path, regular=True))
    except (OSError, ValueError, RecursionError) as fault:
        raise RunDirectoryError(f"{path}: cannot be read as JSON ({fault}); {mended}") from None
    if not isinstance(content, dict):
        raise RunDirectoryError(f"{path}: expected a JSON object; {mended}")
    return content


def data_notes(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reader has to know of a run's data, such as rows that were left out; () of an older manifest."""
    about = manifest.get("dataset")
    notes = about.get("notes") if isinstance(about, dict) else None
    return tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, list) else ()


def own_recommenders(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Arm -> how its recommender works, of those that are not shipped; it may be a stranger's manifest."""
    told = manifest.get("recommenders")
    if not isinstance(told, dict):
        return {}
    return {str(name): words[:_MOST_WORDS] for name, words in told.items() if isinstance(words, str)}


def check_server(url: str | None) -> None:
    """Before there is a directory: whether the server that is to hold the log answers, and lets us write."""
    if url is not None:
        from groundlings.simulator.log.postgres import PostgresStore

        PostgresStore(url, "groundlings").check_server()


def log_store(directory: Path, url: str | None, kind: LogKind = LogKind("sqlite", asked=False)) -> Store:
    """Where the log of a run lies, or is to lie.

    Args:
        directory: The run's.
        url: The database that the configuration names; None for files in the directory.
        kind: What those are, for a run that has none yet.

    Raises:
        ConfigError: The run began in another place.
    """
    address = directory / ADDRESS_NAME
    began_on = store_at(directory) if address.is_file() or (directory / LOG_NAME).is_file() else None
    if url is None:
        if address.is_file():
            raise ConfigError(
                f"{directory}: the run began on {began_on}, and its configuration names no log.url; put it back"
            )
        return _in_files(directory / LOG_NAME, kind)
    if began_on is None:
        remember(url)
        schema = f"run_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"
        write_json(address, {"url": url, "schema": schema})
    elif not _is_database(began_on, url):
        raise ConfigError(
            f"{directory}: the run began on {began_on}, and its configuration names {shown_address(url)}; put "
            f"log.url back, or where the database has moved, mend both {CONFIG_NAME} and {ADDRESS_NAME}"
        )
    return store_at(directory)


def _is_database(store: Store, url: str) -> bool:
    from groundlings.simulator.log.postgres import PostgresStore

    return isinstance(store, PostgresStore) and store.url == url


def _in_files(path: Path, kind: LogKind) -> Store:
    if not tables_in(path):  # no file, or a disk that was full before anything was begun
        return ParquetStore(path) if kind.name == "parquet" else SqliteStore(path)
    store = on_disk(path)
    began_as = "parquet" if isinstance(store, ParquetStore) else "sqlite"
    if kind.asked and kind.name != began_as:
        raise ConfigError(
            f"{path.parent}: the log of this run began as {began_as}, and its configuration says log.store: "
            f"{kind.name}; put it back, or take the key out"
        )
    return store
