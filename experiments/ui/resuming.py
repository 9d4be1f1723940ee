"""Going on with a run from its live page: the same command as in a terminal, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from groundlings.experiments.archive.directory import existing_config

OUTPUT_NAME = "resumed.txt"
"""What the command prints, in the run's directory."""


def resume_in_background(directory: Path) -> subprocess.Popen[bytes]:
    """Start `groundlings run --resume`; it goes on when this server ends.

    Raises:
        RunDirectoryError: There is no run.
    """
    existing_config(directory)
    with (directory / OUTPUT_NAME).open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own command on a directory that was looked up
            [sys.executable, "-m", "groundlings", "run", "--resume", str(directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
