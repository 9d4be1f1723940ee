"""Going on with a run from its live page: the same command as in a terminal, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import existing_config

OUTPUT_NAME = "resumed.txt"
"""What the command prints, in the run's directory."""


def resume_in_background(directory: Path) -> subprocess.Popen[bytes]:
    """Start `groundlings run --resume`; it goes on when this server ends.

    Raises:
        RunDirectoryError: There is no run, or its directory cannot be written.
    """
    existing_config(directory)
    with _new_file(directory / OUTPUT_NAME) as output:
        process = subprocess.Popen(  # noqa: S603 - our own command on a directory that was looked up
            [sys.executable, "-m", "groundlings", "run", "--resume", str(directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # A process that nobody waits for stays in the system's list after its end, as if it still ran.
    threading.Thread(target=process.wait, name="resumed", daemon=True).start()
    return process


def _new_file(path: Path) -> BinaryIO:
    """A file of our own in the place of what lies there; a link of a stranger's is replaced and never followed."""
    try:
        path.unlink(missing_ok=True)
        return path.open("xb")
    except OSError as fault:
        raise RunDirectoryError(f"{path}: cannot be written ({fault.strerror})") from None
