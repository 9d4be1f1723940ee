"""What somebody meant who named a run that is not there."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME

_MOST_LOOKED_AT = 10_000
"""Entries of a directory; a folder of more is not looked through for a hint."""
_SQLITE = b"SQLite format 3\0"


def not_there(path: Path) -> str:
    """What to say of a run whose log is not there."""
    inside = path.name == LOG_NAME and path.parent.is_dir()
    missing, near = (f"found no {LOG_NAME} there", "") if inside else ("there is no such run", did_you_mean(path))
    return f"{missing}; expected a directory that `groundlings run` wrote{near}"


def did_you_mean(path: Path) -> str:
    """The run of the nearest name beside a path, or where runs lie by default, as the end of a sentence; or ""."""
    folders = dict.fromkeys((path.parent, Path("runs")))
    there = {each.name: each for folder in folders for each in _runs_in(folder)}
    near = get_close_matches(path.name, there, n=1)
    return f"; did you mean {there[near[0]]}?" if near else ""


def no_log(path: Path) -> str | None:
    """What a file is that is no SQLite database and is not called like a log; None of one that may be a log."""
    if path.name == LOG_NAME:
        return None
    try:
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) in (_SQLITE, b""):
                return None
    except OSError:  # whoever opens it as a database says why
        return None
    if _holds_a_log(path.parent):
        return f"this is a file of a run; did you mean the run, {path.parent}?"
    if path.suffix in (".yaml", ".yml"):
        return "this is an experiment file, not a run; expected the directory that `groundlings run` wrote of it"
    return None


def _runs_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MOST_LOOKED_AT)]
        return [folder / name for name in sorted(names) if _holds_a_log(folder / name)]
    except OSError:  # not there, or closed to us
        return []


def _holds_a_log(directory: Path) -> bool:
    return any((directory / name).is_file() for name in (LOG_NAME, ADDRESS_NAME))
