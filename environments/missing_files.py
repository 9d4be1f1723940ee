"""A path where nothing lies: what may have been meant, as far as the directories that there are tell it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from groundlings.environments.addresses import not_read
from groundlings.environments.lookalikes import near


def meant_instead(path: Path) -> str:
    """The end of a message on a path where nothing lies; "" where nothing near lies there."""
    if address := not_read(path):
        return f"; {address}"
    if "\\" in str(path) and os.sep == "/":
        return "; / stands between directories here, where this path has a backslash"
    missing = path
    while not missing.parent.is_dir() and missing != missing.parent:
        missing = missing.parent
    names = sorted(each.name for each in missing.parent.iterdir()) if missing.parent.is_dir() else []
    where = "" if missing == path else f"; {missing.parent} has no {missing.name!r}"
    return where + near(missing.name, names)


def meant_among(path: Path, others: Mapping[str, Path]) -> str:
    """As `meant_instead`, of a file that is looked for among some alone: name -> where it lies."""
    if address := not_read(path):
        return f"; {address}"
    return near(path.name, others, lambda name: str(others[name]), least=_MOSTLY)


_MOSTLY = 0.6
"""Share of two names that is the same: all of these names have the same ending."""
