"""Paths as experiment files name them: refused where they are written when no file can be called so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_LONGEST_NAME, _LONGEST_PATH = 255, 4000
"""Bytes; what common file systems allow."""


def usable(path: Path) -> Path:
    """The path as it was given.

    Raises:
        ValueError: Nothing can lie there: a sign that no name may hold, a name too long, or the home of nobody.
    """
    name = str(path)
    try:
        encoded = os.fsencode(name)  # bytes that are no text come as half characters, and go back
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ValueError("a path cannot hold a zero byte or half a character")
    if len(encoded) > _LONGEST_PATH or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise ValueError(f"a path has at most {_LONGEST_PATH} bytes, and each name in it at most {_LONGEST_NAME}")
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is nobody's home here; write the directory out") from None
    return path


NamedPath = Annotated[Path, AfterValidator(usable)]
"""A path in a configuration; where relative ones start is said by its key."""
