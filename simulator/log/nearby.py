"""What somebody meant who named a run that is not there."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME

_MOST_LOOKED_AT = 10_000
"""Entries of a directory; a folder of more is not looked through for a hint."""
_MOST_LOOKED_INTO = 20
"""Folders of a directory that are looked into."""
_SQLITE = b"SQLite format 3\0"


def not_there(path: Path) -> str:
    """What to say of a run whose log is not there."""
    inside = path.name == LOG_NAME and path.parent.is_dir()
    missing, near = ("there is no such run", did_you_mean(path))
    if inside:
        missing, near = f"found no {LOG_NAME} there", _run_inside(path.parent)
    return f"{missing}; expected a directory that `groundlings run` wrote{near}"


def did_you_mean(path: Path) -> str:
    """The run of the nearest name beside a path, or where runs lie by default, as the end of a sentence; or ""."""
    folders = dict.fromkeys((path.parent, Path("runs")))
    there = {each.name: each for folder in folders for each in _runs_in(folder)}
    near = get_close_matches(path.name, there, n=1)
    return f"; did you mean {there[near[0]]}?" if near else ""


def _run_inside(directory: Path) -> str:
    """One of the runs that a directory holds, as an experiment with variants and a folder of runs do; or ""."""
    for folder in (directory, *_folders_in(directory)[:_MOST_LOOKED_INTO]):
        for run in _runs_in(folder):
            return f"; it holds runs, of which one can be named, such as {run}"
    return ""


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
    return [path for path in _folders_in(folder) if _holds_a_log(path)]


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in islice(entries, _MOST_LOOKED_AT) if entry.is_dir())
    except OSError:  # not there, or closed to us
        return []


def _holds_a_log(directory: Path) -> bool:
    return any((directory / name).is_file() for name in (LOG_NAME, ADDRESS_NAME))
