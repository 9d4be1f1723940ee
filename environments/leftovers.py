"""What commands that were killed have left of files they were writing: named and removed by the next one."""

from __future__ import annotations

import shutil
import time
import warnings
from contextlib import suppress
from pathlib import Path

from groundlings.environments.errors import RunWarning

_ABANDONED_SECONDS = 86_400.0
"""Nobody writes a file of ours for a day without a change in it."""

SIGNS = "?" * 8
"""What `tempfile` puts behind a prefix, in a pattern: no more than that is ours in a folder where others keep files."""


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove files and directories of which nothing was written for a day, and warn of each.

    Args:
        folder: Where they lie; it may not exist.
        pattern: Which names only our own drafts have there.
    """
    try:
        found = [path for path in sorted(folder.glob(pattern)) if not path.is_symlink() and is_abandoned(path)]
    except OSError:  # what may not be read is not ours to remove
        return
    for path in found:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            warnings.warn(f"removed {path}, which a command that was killed had left", RunWarning, stacklevel=3)


def is_abandoned(path: Path) -> bool:
    """Whether nothing was written of a file, or in a directory, for a day.

    Raises:
        OSError: It cannot be seen, or is gone.
    """
    inside = path.rglob("*") if path.is_dir() else ()
    return time.time() - max(each.lstat().st_mtime for each in (path, *inside)) > _ABANDONED_SECONDS
