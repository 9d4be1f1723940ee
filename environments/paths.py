"""Paths as experiment files and the environment name them: refused when nothing can be called so."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import platformdirs
from pydantic import AfterValidator, Field

from groundlings.environments.addresses import not_read
from groundlings.environments.errors import ConfigError, DataError, RunWarning, shown
from groundlings.environments.missing_files import meant_instead

_LONGEST_NAME, _LONGEST_PATH = 255, 4000
"""Bytes; what common file systems allow."""
_TOO_LONG = f"a path has at most {_LONGEST_PATH} bytes, and each name in it at most {_LONGEST_NAME}"


def usable(path: Path) -> Path:
    """The path as it was given.

    Raises:
        ValueError: Nothing can lie there: a sign that no name may hold, a name too long, an address, or the home of
            nobody.
    """
    name = str(path)
    try:
        encoded = os.fsencode(name)  # bytes that are no text come as half characters, and go back
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ValueError("a path cannot hold a zero byte or half a character")
    if address := not_read(path):
        raise ValueError(address)
    if len(encoded) > _LONGEST_PATH or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise ValueError(_TOO_LONG)
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is nobody's home here; write the directory out") from None
    return path


def at_home(path: Path) -> Path:
    """A usable path, with the home that ~ stands for; raises as `usable` does."""
    return usable(path).expanduser()


NamedPath = Annotated[Path, AfterValidator(at_home)]
"""A path in a configuration, with the home that ~ stands for; where relative ones start is said by its key."""

NamedPaths = NamedPath | Annotated[tuple[NamedPath, ...], Field(min_length=1)]
"""One path, or several; each may be a pattern such as `2024-*.csv`."""

CACHE_VARIABLE = "GROUNDLINGS_CACHE"
"""Names the directory for weights and figures that are kept between runs."""

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
        path = base / each
        if not is_pattern(path):
            found.append(path)
            continue
        fitting = files_of(path)
        if not fitting:
            raise DataError(f"{path}: no file has a name of this pattern; correct the pattern{_as_written(path)}")
        found += fitting
    twice = sorted({path for path in found if found.count(path) > 1})
    if twice:
        raise DataError(f"{twice[0]}: the file is named twice; its rows would count twice")
    return found


def files_of(pattern: Path) -> list[Path]:
    """The files of a pattern by their names; hidden ones, such as macOS lays beside copies, must be asked for."""
    hidden = pattern.name.startswith(".")
    return sorted(
        file for file in pattern.parent.glob(pattern.name) if file.is_file() and (hidden or file.name[0] != ".")
    )


def _as_written(pattern: Path) -> str:
    """Why a pattern fits nothing, as far as the directories that there are tell it."""
    if not pattern.parent.is_dir():
        return meant_instead(pattern.parent)
    names = sorted(file.name for file in pattern.parent.iterdir() if not file.name.startswith("."))
    differences: tuple[tuple[Callable[[str], str], str], ...] = (
        (_composed, "how its letters are composed"),
        (str.casefold, "capital letters"),
    )
    for form, what in differences:
        other = next((each for each in names if fnmatchcase(form(each), form(pattern.name))), None)
        if other is not None:
            return f"; {other!a} fits it but for {what}"
    return ""


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def is_pattern(path: Path) -> bool:
    """Whether a path stands for all files whose names fit its last part: that has a wildcard, and no file its name."""
    return any(sign in path.name for sign in _PATTERN) and not path.exists()


def together(named: Path | Sequence[Path]) -> str:
    """Paths in words."""
    return str(named) if isinstance(named, Path) else ", ".join(map(str, named))


def directory_named_by(variable: str) -> Path | None:
    """The directory that an environment variable names; None where it is empty or not set.

    Raises:
        ConfigError: Nothing can lie there.
    """
    named = os.environ.get(variable)
    return written_out(Path(named), variable) if named else None


def written_out(path: Path, said: str) -> Path:
    """A path that a person gave, with the home that ~ stands for.

    Args:
        path: As it was given.
        said: Where, for messages.

    Raises:
        ConfigError: Nothing can lie there.
    """
    try:
        return at_home(path)
    except ValueError as error:
        raise ConfigError(f"{said}: found {shown(str(path))}; {error}") from None


def handed_over(given: Any, said: str) -> Path:
    """A path that Python code gave as text or as a `Path`, as it stands: ~ is the name of a directory there.

    Args:
        given: What was given.
        said: As which argument, for messages.

    Raises:
        ConfigError: It is no path, or too long for one.
    """
    try:
        path = Path(given)
    except TypeError:
        raise ConfigError(f"{said}: found {shown(given)}, expected a path, as text or as a pathlib.Path") from None
    names = [part.encode("utf-8", "surrogatepass") for part in path.parts]
    if sum(map(len, names)) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in names):
        raise ConfigError(f"{said}: found {shown(str(path))}; {_TOO_LONG}")
    return path


def is_ours(path: Path) -> bool:
    """Whether nobody else can have written something; where owners are not known, everything is ours."""
    about = path.stat()
    return not hasattr(os, "getuid") or (about.st_uid == os.getuid() and not about.st_mode & 0o022)


def user_cache(variable: str) -> Path:
    """The directory of this account for what is kept between runs; one of this process alone where it has no home.

    Args:
        variable: Names another one.

    Raises:
        ConfigError: The variable names a directory that cannot be.
    """
    named = directory_named_by(variable)
    if named is not None:
        return named
    try:
        usual = platformdirs.user_cache_path("groundlings")
    except RuntimeError:  # newer versions say so where there is no home, as in some containers
        usual = None
    if usual is None or not usual.is_absolute():  # else a directory called ~ would be made where the command started
        return Path(_of_this_process(variable).name)
    return usual


@cache
def _of_this_process(variable: str) -> TemporaryDirectory[str]:
    """A directory that goes away with the process; whoever reads along is told."""
    warnings.warn(
        f"this account has no home directory, so nothing is kept between runs; name a directory with {variable}, or "
        "set HOME",
        RunWarning,
        stacklevel=3,
    )
    return TemporaryDirectory(prefix="groundlings-")
