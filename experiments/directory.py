"""A run's directory: who may write it, and what lies in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from environments.errors import RunDirectoryError
from simulator.log.store import LOG_NAME

CONFIG_NAME = "config.yaml"
MANIFEST_NAME = "manifest.json"
SUMMARY_NAME = "summary.json"
REPORT_NAME = "report.html"


def choose_directory(name: str, out: Path | None) -> Path:
    """Where a run goes: `out`, or the first free one of runs/NAME, runs/NAME-2, ...; nothing is overwritten.

    Raises:
        RunDirectoryError: `out` holds something already, or cannot be written.
    """
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunDirectoryError(
                f"{out}: not empty, and a run never overwrites anything; choose another --out or remove it first"
            )
        directory = out
    else:
        candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
        directory = next(candidate for candidate in candidates if not candidate.exists())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".writable").touch()
        (directory / ".writable").unlink()
    except OSError as fault:
        raise RunDirectoryError(
            f"{directory}: cannot be written ({fault.strerror}); choose another directory with --out"
        ) from None
    return directory


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, content.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a full disk is one clear error."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free >> 20
        raise RunDirectoryError(f"{path}: cannot be written ({fault.strerror}; {free} MiB free)") from None


def write_json(path: Path, content: Any) -> None:
    """Write values as readable JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def log_path(directory: Path) -> Path:
    """Where the log of a run lies."""
    return directory / LOG_NAME
