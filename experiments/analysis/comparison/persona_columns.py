"""What is known of each agent before anything is simulated, column by column.

A logged persona is some two kilobytes of JSON, and several times as much as Python objects. A comparison asks for a few
of its values, of every agent at once; so it is read one persona at a time, and these are kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray

TRAITS = ("activity", "conformity", "diversity")
_NOT_KNOWN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class PersonaColumns:
    """One entry per agent in each column, in the order of the log.

    Attributes:
        n: Agents.
        levels: Trait -> its third, "" where it is not known.
        values: Trait -> its measured value, shape (n,), NaN where it is not known.
        demographics: Name -> what the agent's user said of themselves, "" where nothing.
        history_length: Interactions of the training history, shape (n,).
        mean, spread: Of the ratings given, shape (n,), NaN where there is none.
        favourites: The category that the user has most above everybody, "" where none is known.
    """

    n: int
    levels: Mapping[str, Sequence[str]]
    values: Mapping[str, FloatArray]
    demographics: Mapping[str, Sequence[str]]
    history_length: FloatArray
    mean: FloatArray
    spread: FloatArray
    favourites: Sequence[str]

    def __len__(self) -> int:
        return self.n


Personas = Sequence[Mapping[str, Any]] | PersonaColumns
"""Of each agent in the order of the log: the persona as logged, or the columns of all."""


def persona_columns(personas: Iterable[Mapping[str, Any]] | PersonaColumns) -> PersonaColumns:
    """The columns of personas as they are logged; columns as they are."""
    if isinstance(personas, PersonaColumns):
        return personas
    n, kept = 0, _Kept()
    levels: dict[str, list[str]] = {trait: [] for trait in TRAITS}
    demographics: dict[str, list[str]] = {}
    favourites: list[str] = []
    numbers = {name: array("d") for name in (*TRAITS, "history_length", "mean", "spread")}
    for n, person in enumerate(personas, start=1):
        for trait in TRAITS:
            told = person.get("traits", {}).get(trait, {})
            levels[trait].append(kept.once(told.get("level", "")))
            numbers[trait].append(_number(told.get("value")))
        for name, value in person.get("demographics", {}).items():
            column = demographics.setdefault(name, [])
            column.extend([""] * (n - 1 - len(column)))
            column.append(kept.once(value))
        style = person.get("style", {})
        numbers["history_length"].append(float(person.get("history_length") or 0))
        numbers["mean"].append(_number(style.get("mean")))
        numbers["spread"].append(_number(style.get("spread")))
        favourites.append(kept.once(_favourite(person.get("genre_lifts", {}))))
    for column in demographics.values():
        column.extend([""] * (n - len(column)))
    found = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    return PersonaColumns(
        n=n,
        levels=levels,
        values={trait: found[trait] for trait in TRAITS},
        demographics=demographics,
        history_length=found["history_length"],
        mean=found["mean"],
        spread=found["spread"],
        favourites=favourites,
    )


class _Kept:
    """Texts of which one copy is kept, however many agents share it."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def once(self, value: object) -> str:
        """The value as text."""
        text = str(value)
        return self._texts.setdefault(text, text)


def _favourite(lifts: Mapping[str, float]) -> str:
    return min(lifts, key=lambda name: (-lifts[name], name)) if lifts else ""


def _number(value: Any) -> float:
    return _NOT_KNOWN if value is None else float(value)
