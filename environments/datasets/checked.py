"""Own tables that were read and checked once, kept by the content of their files, so that this happens once.

What is kept lies in `checked/` of the directory of downloads, readable by its owner alone, under a hash of the files,
of the configuration and of the code that reads them. It is held against its own hash each time it is read; what is
damaged, or may have been written by somebody else, is not believed and made anew. Nothing of it enters a fingerprint.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.config import OwnData
from groundlings.environments.datasets.own import sections_of
from groundlings.environments.datasets.plain_values import Arrays, as_plain, from_plain
from groundlings.environments.leftovers import SIGNS, remove_leftovers
from groundlings.environments.memory import available_memory
from groundlings.environments.package_versions import version_of
from groundlings.environments.paths import files_at, is_ours

OFF_VARIABLE = "GROUNDLINGS_DATA_CACHE"
"""Set to 0 it keeps nothing."""

FOLDER = "checked"

_WORTH_KEEPING = 4 * 2**20
"""Bytes of files in all; fewer are read in no time."""
_MOST_KEPT = 8
"""Data sets; those that were used longest ago go first."""
_MAGIC = b"groundlings checked data 1\n"
_DRAFT = ".half-"
_HASH_BYTES = 32


def once_checked(config: OwnData, base: Path, directory: Path, load: Callable[[], Dataset]) -> Dataset:
    """The data set of a configuration: as it was kept, or else loaded, and then kept.

    Args:
        config: Files and column names.
        base: What relative paths start from.
        directory: Where downloads are kept; it may not exist yet, and may not be writable.
        load: Reads and checks the files.
    """
    files = _files(config, base)
    if files is None or os.environ.get(OFF_VARIABLE) == "0":
        return load()
    before = _stamps(files)
    path = directory / FOLDER / f"{_key(config, files)}.data"
    kept = _read(path)
    if kept is not None:
        return kept
    dataset = load()
    if _stamps(files) == before:  # else what was hashed may not be what was read
        content = _packed(dataset)
        if content is not None:
            _write(path, content)
    return dataset


def _files(config: OwnData, base: Path) -> list[Path] | None:
    """All files of a configuration; None where one is missing, or they are not kept.

    Too small ones are not, nor those larger than all memory that is left: the loader refuses them, and nobody should
    wait first while they are hashed.
    """
    left = available_memory().bytes
    try:
        files = [path for _, section in sections_of(config) for path in files_at(base, section.path)]
        size = sum(path.stat().st_size for path in files if path.is_file())
        return files if _WORTH_KEEPING <= size and (left is None or size <= left) else None
    except (OSError, ValueError):  # the loader says what is wrong
        return None


def _stamps(files: list[Path]) -> list[tuple[int, int]]:
    return [(about.st_size, about.st_mtime_ns) for about in (path.stat() for path in files)]


def _key(config: OwnData, files: list[Path]) -> str:
    """SHA-256 over all that the data set depends on, and over the paths that its notes name."""
    digest = hashlib.sha256(f"{_code()} {config.model_dump()!r}".encode())
    for path in files:
        digest.update(os.fsencode(path.resolve()) + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@cache
def _code() -> str:
    """SHA-256 over the code that reads tables, and the versions of what it reads them with."""
    digest = hashlib.sha256(repr([version_of(name) for name in ("numpy", "pyarrow")]).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _packed(dataset: Dataset) -> bytes | None:
    """A data set as bytes; None where it holds something that is not kept."""
    arrays: Arrays = {}
    try:
        facts = json.dumps(as_plain(dataset, arrays))
    except TypeError:
        return None
    content = io.BytesIO()
    np.savez(content, facts=np.frombuffer(facts.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _unpacked(content: bytes) -> Dataset:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        found = from_plain(json.loads(arrays["facts"].tobytes()), arrays)
    if not isinstance(found, Dataset):
        raise TypeError("this is no data set")
    return found


def _read(path: Path) -> Dataset | None:
    """What is kept at a path; None where there is nothing, or nothing that can be believed."""
    try:
        if not (is_ours(path) and is_ours(path.parent)):
            return None
        content = path.read_bytes()
        body = content[len(_MAGIC) + _HASH_BYTES :]
        if content[: len(_MAGIC) + _HASH_BYTES] != _MAGIC + hashlib.sha256(body).digest():
            return None
        found = _unpacked(body)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    with suppress(OSError):
        os.utime(path)
    return found


def _write(path: Path, body: bytes) -> None:
    """Keep bytes, for their owner alone; a directory that cannot be written keeps nothing.

    The file is renamed into its place, so that no reader and no second writer meets half of one.
    """
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not is_ours(path.parent):
            return
        remove_leftovers(path.parent, f"{_DRAFT}{SIGNS}")
        with NamedTemporaryFile(dir=path.parent, prefix=_DRAFT, delete=False) as file:  # readable by its owner alone
            try:
                file.write(_MAGIC + hashlib.sha256(body).digest())
                file.write(body)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        Path(file.name).replace(path)
        kept = sorted(path.parent.glob("*.data"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in kept[_MOST_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return
