"""Run directories of other people: their logs are read and never written, and whoever reads one is told.

Pages that are asked for (`groundlings report`) are written where one may write: new files, in the place of links.
"""

from __future__ import annotations

import os
from pathlib import Path

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.parts import FOLDER


def strange(directory: Path) -> str | None:
    """What makes a run directory somebody else's: its owner, or a link in it that leads out; None for one's own.

    An administrator's own directories are all, as in a container.
    """
    try:
        owner, me = directory.stat().st_uid, os.geteuid()
        if me not in (0, owner):
            return f"it belongs to another user ({_name(owner)})"
        home = directory.resolve()
        for path in sorted([*directory.iterdir(), *(directory / FOLDER).rglob("*")]):
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                return f"{path.relative_to(directory)} in it is a link to {path.resolve()}"
    except (OSError, AttributeError, RuntimeError):  # not there, no users on this system, a link to itself
        return None
    return None


def refuse_strange(directory: Path) -> None:
    """Raise `RunDirectoryError` for a run directory of somebody else, before anything is written."""
    why = strange(directory)
    if why is not None:
        raise RunDirectoryError(
            f"{directory}: {why}, so nothing goes on in it; copy it (`cp -rL`) and go on with the copy"
        )


def _name(owner: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(owner).pw_name
    except (ImportError, KeyError):
        return str(owner)
