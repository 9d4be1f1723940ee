"""The option `--out` of commands that write a fitted file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from groundlings.environments.errors import ConfigError, UserError
from groundlings.experiments.archive.tables import check_place


def refuse_taken(out: Path, what: str, *readers: Callable[[Path], object]) -> None:
    """Raise `ConfigError`, before anything is fitted, where no file can be written at `out`, or another lies there.

    Args:
        out: Where the file is to be written.
        what: Names its kind, such as "calibration".
        readers: Read files that may be replaced; each raises `UserError` at another file.
    """
    check_place(out, "--out")
    if not out.exists():
        return
    for read in readers:
        with suppress(UserError):
            read(out)
            return
    raise ConfigError(f"--out {out}: is there already, and is no {what} that could be replaced; name another file")
