"""Which keys of a configuration say where something lies, and what their relative paths mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

PLACES = ("path", "adapter", "directory", "calibration", "exposures", "ties", "student", "base_model", "fitted")
"""Keys that say where something lies."""

_HOLD_OPTIONS = ("options", "mind", "environment")
_NAME_FILES = ("path", "file", "directory", "folder", "dir", "fitted", "ties", "agent_notes")
"""Ends of keys whose values are looked for on the disk, even where they hold no dot or slash."""

_OF_RECOMMENDERS: Mapping[str, tuple[str, ...]] = {"policy": ("policy",)}
"""Recommender -> its further options that do; elsewhere a word may stand under such a key."""


def places_in(value: Any, recommender: str = "") -> Iterator[tuple[Any, str | int]]:
    """Each key that says where something lies, with the mapping or the list that holds it.

    Args:
        value: A configuration as plain values, or a part of one.
        recommender: Whose options they are, if any.
    """
    if isinstance(value, list):
        for each in value:
            yield from places_in(each)
    if isinstance(value, dict):
        places = (*PLACES, *_OF_RECOMMENDERS.get(recommender, ()))
        for key, inner in value.items():
            if key in places and _is_place(inner):
                yield from [(value, key)] if isinstance(inner, str) else ((inner, each) for each in range(len(inner)))
            else:
                yield from places_in(inner, str(value.get("recommender", "")))


def named_files(
    value: Any, is_there: Callable[[str | int, str], bool], *, within: bool = False
) -> Iterator[tuple[Any, str | int]]:
    """Each option of one's own code that names a file under a key of its own, with the mapping or list that holds it.

    Args:
        value: A configuration as plain values, or a part of one.
        is_there: Whether an option, of this key and text, names what lies on the disk.
        within: Whether the part holds options of some code.
    """
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from named_files(inner, is_there, within=within or key in _HOLD_OPTIONS)
        elif within and isinstance(inner, str) and may_name_file(key, inner) and is_there(key, inner):
            yield value, key


def may_name_file(key: str | int, value: str) -> bool:
    """Whether an option of a recommender, a mind or an environment is looked for on the disk."""
    return "." in value or "/" in value or (value != "" and _is_of_files(key))


def _is_of_files(key: str | int) -> bool:
    return str(key).lower().endswith(_NAME_FILES)


def _is_place(value: Any) -> bool:
    """Whether a value names a path, or several."""
    return (isinstance(value, str) and value != "") or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def anchor(content: Any, base: Path) -> None:
    """Make the places in a configuration mean the same wherever it is read: absolute, with the home that ~ stands for.

    Args:
        content: Plain values, which are changed.
        base: Where relative paths start.
    """

    def is_there(key: str | int, named: str) -> bool:
        path = base / os.path.expanduser(named)  # noqa: PTH111 - as below
        try:
            return path.is_file() or (_is_of_files(key) and path.is_dir())
        except (OSError, ValueError):  # no name that a file can have
            return False

    for holder, key in chain(places_in(content), list(named_files(content, is_there))):
        at_home = os.path.expanduser(holder[key])  # noqa: PTH111 - it leaves the home of nobody to the recommender
        holder[key] = os.path.realpath(base / at_home)
