"""Which keys of a configuration say where something lies, and what their relative paths mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PLACES = ("path", "adapter", "directory", "calibration", "exposures", "ties", "student", "base_model", "fitted")
"""Keys that say where something lies."""

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


def _is_place(value: Any) -> bool:
    """Whether a value names a path, or several."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def anchor(content: Any, base: Path) -> None:
    """Make the places in a configuration mean the same wherever it is read: absolute, with the home that ~ stands for.

    Args:
        content: Plain values, which are changed.
        base: Where relative paths start.
    """
    for holder, key in places_in(content):
        at_home = os.path.expanduser(holder[key])  # noqa: PTH111 - it leaves the home of nobody to the recommender
        holder[key] = os.path.realpath(base / at_home)
