"""A proposal as the section of an experiment file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.datasets import roles
from groundlings.environments.datasets.config import InteractionColumns, ScaleConfig
from groundlings.environments.datasets.header_words import pieces, says_plays
from groundlings.environments.datasets.linked_tables import Link, SeenTable
from groundlings.environments.datasets.looks import Look
from groundlings.environments.datasets.roles import Choice

_FEW = 2
"""Numbers, of which none lies far from the others."""
_PARTS_OF_ONE = 10_000
"""As fine as ratings are told apart here."""
_TOO_LARGE = 2**53 / _PARTS_OF_ONE
"""From here on numbers are not as fine as that."""


def section_of(
    met: SeenTable,
    items: Link | None,
    users: Link | None,
    choices: Sequence[Choice],
    attributes: list[str],
    doubts: list[str],
    offers: SeenTable | None = None,
) -> dict[str, Any]:
    """`dataset.own` as the YAML has it."""
    section: dict[str, Any] = {"interactions": {"path": met.path}}
    if items is not None:
        section["items"] = {"path": items.table.path}
    if users is not None:
        section["users"] = {"path": users.table.path}
    if offers is not None:
        section["offers"] = {"path": offers.path}
    for choice in choices:
        part, key = choice.key.split(".")
        if choice.column is not None and (part != "interactions" or key in InteractionColumns.model_fields):
            section[part][key] = choice.column
    if users is not None:
        section["users"]["attributes"] = attributes
    if items is not None and "genres" in section["items"]:
        listed = items.table.look(section["items"]["genres"]).listed
        if listed is not None and listed[0] not in ("", "|"):
            section["items"]["genre_separator"] = listed[0]
    columns = section["interactions"]
    if "kind" in columns:
        columns["kinds"] = _kinds(met.look(columns["kind"]), doubts)
    elif says_plays(columns.get("weight", "")):
        columns["kinds"] = "play"
    if items is not None and (things := _things(section["items"])):
        section["items"]["things"] = things
    if "rating" in columns and (scale := _scale(met.look(columns["rating"]), doubts)):
        section["scale"] = scale
    return section


def _things(items: dict[str, Any]) -> str | None:
    """The name of the file of items, where it is the plural of the header of their ids; None elsewhere."""
    if not isinstance(items["path"], str):
        return None
    stem = Path(items["path"]).stem.lower()
    named = stem.isascii() and stem.isalpha() and stem not in ("items", "ids")
    return stem if named and stem.removesuffix("s") in pieces(items["id"]) and stem.endswith("s") else None


def _kinds(look: Look, doubts: list[str]) -> dict[str, str]:
    """Cell -> our word for it; cells that are not known are interactions of no named kind, which is said."""
    cells = {cell: roles.kind_of(cell) for cell in sorted(look.distinct)}
    unknown = [cell for cell, kind in cells.items() if kind is None]
    if unknown:
        doubts.append(f"interactions.kinds: what {', '.join(map(repr, unknown))} mean is not known: say it")
    return {cell: kind or "interaction" for cell, kind in cells.items()}


def _scale(look: Look, doubts: list[str]) -> dict[str, float] | None:
    """The scale that ratings seem to have; None where they show none, which is said."""
    numbers = look.numbers
    assert numbers is not None
    largest = float(np.abs(numbers).max())
    if largest >= _TOO_LARGE:
        doubts.append(f"scale: among ratings as large as {largest:g} no steps can be seen; say low, high and step")
        return None
    parts = np.rint(numbers * _PARTS_OF_ONE).astype(np.int64)
    step = float(np.gcd.reduce(np.diff(parts))) / _PARTS_OF_ONE
    low, high = float(numbers[0]), float(numbers[-1])
    usual = np.gcd(round(step * _PARTS_OF_ONE), round((low - 1) * _PARTS_OF_ONE)) / _PARTS_OF_ONE
    if low >= 1 and high <= 5 and usual in (1, 0.5):
        low, high, step = 1.0, 5.0, float(usual)
    scale = {"low": low, "high": high, "step": step}
    if len(numbers) > _FEW and high - numbers[-2] > numbers[-2] - low:
        doubts.append(
            f"scale: the ratings are {low:g} to {numbers[-2]:g}, and {high:g}: where {high:g} says that there is none, "
            "make these cells empty"
        )
    if len(numbers) > _FEW and low <= 0 < numbers[1]:
        doubts.append(
            f"scale: where {low:g} says that somebody did not rate, make these cells empty, and let `low` be "
            f"{numbers[1]:g}"
        )
    try:
        ScaleConfig.model_validate(scale)
    except ValueError:
        doubts.append(
            f"scale: the ratings {low:g} to {high:g} are not in up to 1,000 equal steps; say low, high and step"
        )
        return None
    told = f"scale: {low:g} to {high:g} in steps of {step:g} is what the ratings show"
    doubts.append(f"{told}; correct it if more may be given")
    return {key: int(each) if each == int(each) else each for key, each in scale.items()}
