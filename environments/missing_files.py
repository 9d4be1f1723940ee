"""A path where nothing lies: what may have been meant, as far as the directories that there are tell it."""

from __future__ import annotations

import os
from pathlib import Path

from groundlings.environments.lookalikes import near


def meant_instead(path: Path) -> str:
    """The end of a message on a path where nothing lies; "" where nothing near lies there."""
    if "\\" in str(path) and os.sep == "/":
        return "; / stands between directories here, where this path has a backslash"
    missing = path
    while not missing.parent.is_dir() and missing != missing.parent:
        missing = missing.parent
    names = sorted(each.name for each in missing.parent.iterdir()) if missing.parent.is_dir() else []
    where = "" if missing == path else f"; {missing.parent} has no {missing.name!r}"
    return where + near(missing.name, names)
