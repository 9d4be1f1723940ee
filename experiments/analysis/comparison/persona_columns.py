"""What is known of each agent before anything is simulated, column by column.

A logged persona is some two kilobytes of JSON, and several times as much as Python objects. A comparison asks for a few
of its values, of every agent at once; so it is read one persona at a time, and these are kept. The log of a large run
has these values as columns.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.comparison.texts import Texts
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
    levels: Mapping[str, Texts]
    values: Mapping[str, FloatArray]
    demographics: Mapping[str, Texts]
    history_length: FloatArray
    mean: FloatArray
    spread: FloatArray
    favourites: Texts

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
        kept, n = _Kept(), 0
        numbers: dict[str, list[FloatArray]] = {name: [] for name in (*_NUMBERS, *_LEVELS)}
        demographics: dict[str, list[str]] = {}
        favourites: list[str] = []  # one copy of each, though the log gives one per agent
        for piece in self.log.measured_agents(_MEASURED):
            for name, parts in numbers.items():
                parts.append(np.array(piece[name], dtype=np.float64))  # None becomes NaN
            favourites += [kept.once(name or "") for name in piece["favourite"]]
            for told in piece["demographics"]:
                n += 1
                if told:
                    _say(demographics, n, json.loads(told), kept)
        found = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in numbers.items()}
        mean = np.full(n, _NOT_KNOWN)
        return PersonaColumns(
            n=n,
            levels={
                trait: Texts.of_numbers(found[name], lambda level: LEVELS[int(level)])
                for trait, name in zip(TRAITS, _LEVELS, strict=True)
            },
            values={trait: found[trait] for trait in TRAITS},
            demographics=_filled(demographics, n),
            history_length=found["history_length"],
            mean=np.divide(found["rating_sum"], found["ratings"], out=mean, where=found["ratings"] > 0),
            spread=found["rating_spread"],
            favourites=Texts.of(favourites),
        )


_NUMBERS = (*TRAITS, "history_length", "ratings", "rating_sum", "rating_spread")
_LEVELS = tuple(f"{trait}_level" for trait in TRAITS)
_MEASURED = (*_NUMBERS, *_LEVELS, "favourite", "demographics")
"""Columns of the log that are read."""


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
        _say(demographics, n, person.get("demographics", {}), kept)
        style = person.get("style", {})
        numbers["history_length"].append(_number(person.get("history_length")))
        numbers["mean"].append(_number(style.get("mean")))
        numbers["spread"].append(_number(style.get("spread")))
        favourites.append(kept.once(_favourite(person)))
    found = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    return PersonaColumns(
        n=n,
        levels={trait: Texts.of(column) for trait, column in levels.items()},
        values={trait: found[trait] for trait in TRAITS},
        demographics=_filled(demographics, n),
        history_length=found["history_length"],
        mean=found["mean"],
        spread=found["spread"],
        favourites=Texts.of(favourites),
    )


def _say(columns: dict[str, list[str]], n: int, told: Mapping[str, Any], kept: _Kept) -> None:
    """Add what the n-th agent's user said of themselves, from 1 on."""
    for name, value in told.items():
        column = columns.setdefault(name, [])
        column.extend([""] * (n - 1 - len(column)))
        column.append(kept.once(value))


def _filled(columns: dict[str, list[str]], n: int) -> dict[str, Texts]:
    for column in columns.values():
        column.extend([""] * (n - len(column)))
    return {name: Texts.of(column) for name, column in columns.items()}


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
