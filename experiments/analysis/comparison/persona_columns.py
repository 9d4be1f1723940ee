"""What is known of each agent before anything is simulated, column by column.

A logged persona is some two kilobytes of JSON, and several times as much as Python objects. A comparison asks for a few
of its values, of every agent at once; so it is read one persona at a time, and these are kept. The log of a large run
has these values as columns.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.personas.profile import LEVELS

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader

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


@dataclass(frozen=True, slots=True)
class LoggedPersonas:
    """The personas of a log, which are not read before somebody asks.

    Attributes:
        log: The run's.
    """

    log: LogReader

    def columns(self) -> PersonaColumns:
        """One entry per agent in each column, in the order of the log."""
        if not self.log.agents_are_measured():
            return persona_columns(agent.persona for agent in self.log.logged_agents())
        pieces = list(self.log.measured_agents())

        def cells(name: str) -> Iterator[Any]:
            return chain.from_iterable(piece[name] for piece in pieces)

        def numbers(name: str) -> FloatArray:
            return np.array(list(cells(name)), dtype=np.float64)  # None becomes NaN

        kept, ratings = _Kept(), numbers("ratings")
        told = list(cells("demographics"))
        return PersonaColumns(
            n=len(told),
            levels={
                trait: ["" if level is None else LEVELS[level] for level in cells(f"{trait}_level")] for trait in TRAITS
            },
            values={trait: numbers(trait) for trait in TRAITS},
            demographics=_demographics(told, kept),
            history_length=numbers("history_length"),
            mean=np.divide(numbers("rating_sum"), ratings, out=np.full(len(told), _NOT_KNOWN), where=ratings > 0),
            spread=numbers("rating_spread"),
            favourites=[kept.once(name or "") for name in cells("favourite")],
        )


def _demographics(told: Sequence[str | None], kept: _Kept) -> dict[str, list[str]]:
    """Name -> what each agent's user said, from the JSON of each agent."""
    columns: dict[str, list[str]] = {}
    for place, said in enumerate(told):
        for name, value in json.loads(said).items() if said else ():
            columns.setdefault(name, [""] * len(told))[place] = kept.once(value)
    return columns


def persona_columns(personas: Iterable[Mapping[str, Any]] | PersonaColumns | LoggedPersonas) -> PersonaColumns:
    """The columns of personas as they are logged; columns as they are."""
    if isinstance(personas, PersonaColumns):
        return personas
    if isinstance(personas, LoggedPersonas):
        return personas.columns()
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
        favourites.append(kept.once(_favourite(person)))
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


def _favourite(person: Mapping[str, Any]) -> str:
    lifts = person.get("genre_lifts")
    if lifts is None:  # the persona says what was measured and no more
        return person.get("favourite") or ""
    return min(lifts, key=lambda name: (-lifts[name], name)) if lifts else ""


def _number(value: Any) -> float:
    return _NOT_KNOWN if value is None else float(value)
