"""Paths as experiment files name them: refused where they are written when no file can be called so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from groundlings.environments.errors import DataError

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

NamedPaths = NamedPath | Annotated[tuple[NamedPath, ...], Field(min_length=1)]
"""One path, or several; each may be a pattern such as `2024-*.csv`."""

_PATTERN = "*?["
"""Signs of a pattern."""


def files_at(base: Path, named: Path | Sequence[Path]) -> list[Path]:
    """The files that paths name, in the order given, those of a pattern in the order of their names.

    Args:
        base: Where relative paths start.
        named: Paths or patterns.

    Raises:
        DataError: A pattern fits no file, or a file is named twice.
    """
    found: list[Path] = []
    for each in (named,) if isinstance(named, Path) else named:
        path = base / each.expanduser()
        if not is_pattern(path):
            found.append(path)
            continue
        fitting = sorted(file for file in path.parent.glob(path.name) if file.is_file())
        if not fitting:
            raise DataError(f"{path}: no file has a name of this pattern; correct the pattern")
        found += fitting
    twice = sorted({path for path in found if found.count(path) > 1})
    if twice:
        raise DataError(f"{twice[0]}: the file is named twice; its rows would count twice")
    return found


def is_pattern(path: Path) -> bool:
    """Whether a path stands for all files whose names fit its last part: that has a wildcard, and no file its name."""
    return any(sign in path.name for sign in _PATTERN) and not path.exists()


def together(named: Path | Sequence[Path]) -> str:
    """Paths in words."""
    return str(named) if isinstance(named, Path) else ", ".join(map(str, named))
