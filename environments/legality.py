"""The check of what minds say: only actions that a page offers are carried out, the others are listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groundlings.environments import levels
from groundlings.environments.actions import Actions, ActionSpec, Cells, Illegal, LegalActions
from groundlings.environments.arrays import BoolArray, are_flags, holds_any
from groundlings.environments.errors import ConfigError
from groundlings.environments.page import Page
from groundlings.environments.trace import Chance


def legal_only(
    actions: Actions, unreadable: BoolArray, page: Page, legal: LegalActions
) -> tuple[Actions, list[Illegal]]:
    """Take out what the page did not offer, and say what it was.

    Args:
        actions: What the mind said.
        unreadable: Sessions whose reply could not be read, shape (n_sessions,): they do nothing.
        page: What was shown.
        legal: What was offered.

    Returns:
        The legal actions, and the others in the order of the schema.
    """
    readable, silent = ~unreadable, holds_any(unreadable)
    shown = page.shown
    columns: dict[str, Cells] = {}
    refused: list[Illegal] = []
    done: dict[str, BoolArray] = {}
    for spec in actions.schema.specs:
        cells = actions[spec.name]
        asked = spec.taken(cells)
        if silent:
            asked = asked & (readable[:, None] if spec.per == "slot" else readable)
        kept = asked
        if not holds_any(asked):
            done[spec.name] = asked
            columns[spec.name] = spec.idle(page) if silent else cells
            continue
        if spec.needs is not None:
            reason = spec.refusals.get("needs") or f"it needs {spec.needs} on the same slot"
            kept = _refuse(refused, spec, cells, kept, done[spec.needs], reason)
        elif spec.per == "slot":
            kept = _refuse(refused, spec, cells, kept, shown, "the slot is empty")
        if spec.name in legal.available:
            reason = spec.refusals.get("offered") or "it is not offered"
            kept = _refuse(refused, spec, cells, kept, legal.available[spec.name], reason)
        cells, right = spec.settled(cells)
        if right is not None:
            kept = _refuse(refused, spec, cells, kept, right, spec.refusals.get("values") or _limits(spec))
        done[spec.name] = kept
        columns[spec.name] = cells if kept is asked and not silent else _only(spec, cells, kept, page)
    return Actions(actions.schema, columns), refused


def check_columns(actions: Actions, unreadable: object, page: Page) -> None:
    """Refuse columns that another page, or another kind of value, would be read from.

    Args:
        actions: What the mind said.
        unreadable: Its lost pages.
        page: What was shown.

    Raises:
        ConfigError: A column has another shape than the page, or values of another kind than its action.
    """
    sessions = page.items.shape[:1]
    told = ((spec.name, actions[spec.name], spec.per, spec.kind) for spec in actions.schema.specs)
    for name, cells, per, kind in (*told, ("unreadable", unreadable, "page", "lost")):
        wanted = page.items.shape if per == "slot" else sessions
        if not isinstance(cells, np.ndarray):
            raise ConfigError(f"mind: {name} is a {type(cells).__name__}; expected an array of shape {wanted}")
        if cells.shape != wanted:
            raise ConfigError(f"mind: {name} has the shape {cells.shape}, and page {page.number} has {wanted}")
        if cells.dtype.kind not in _KINDS[kind] and not (kind == "flag" and are_flags(cells)):
            raise ConfigError(f"mind: {name} holds {cells.dtype} values; expected {_EXPECTED[kind]}")


_KINDS = {"flag": "b", "lost": "b", "number": "fiu", "text": "OU"}
_EXPECTED = {
    "flag": "True or False",
    "lost": "True or False",
    "number": "numbers, NaN where there is none",
    "text": "text, None where there is none",
}
"""What a kind of column takes, as NumPy calls it and in words."""


def check_chances(chances: Mapping[str, Chance], unreadable: BoolArray, page: Page, legal: LegalActions) -> None:
    """Refuse a decision that was drawn from no probability: it looks as if nothing was done, where nothing is known.

    Args:
        chances: Action -> what it was drawn from, of actions that the environment declares.
        unreadable: Sessions whose page is lost, shape (n_sessions,): they may have none.
        page: What was shown.
        legal: What was offered; where an action was not, there may be none.

    Raises:
        ConfigError: P(action) is NaN or outside of 0 to 1, or the draw is NaN, where the action could be taken.
    """
    for name, chance in chances.items():
        sound = (chance.probability >= 0) & (chance.probability <= 1) & ~np.isnan(chance.draw)
        if sound.all():
            continue
        spec = legal.schema[name]
        at_stake = page.shown & ~unreadable[:, None] if spec.per == "slot" else ~unreadable
        if name in legal.available:
            at_stake = at_stake & legal.available[name]
        if spec.needs is None and (wrong := at_stake & ~sound).any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            slot = f" for slot {place[1] + 1}" if spec.per == "slot" else ""
            raise ConfigError(
                f"mind: P({name}){slot} of page {page.number} is {chance.probability[place]:g}, held against the draw "
                f"{chance.draw[place]:g}; expected a probability from 0 to 1. A mind that does not know what somebody "
                "does says so with Decision.unreadable; what is not known is no refusal"
            )


def _refuse(
    refused: list[Illegal], spec: ActionSpec, cells: Cells, asked: BoolArray, allowed: BoolArray, reason: str
) -> BoolArray:
    """Where an action stays; `asked` itself where all of it is allowed."""
    outside = asked > allowed
    if not holds_any(outside):
        return asked
    for place in np.argwhere(outside).tolist():
        value = cells[tuple(place)]
        said = spec.words if spec.kind == "flag" or spec.per == "page" else f"{spec.words} {_worded(value, spec)}"
        refused.append(Illegal(place[0], place[1] if spec.per == "slot" else None, said, reason))
    return asked & allowed


def _only(spec: ActionSpec, cells: Cells, kept: BoolArray, page: Page) -> Cells:
    if spec.kind == "flag":
        return kept
    return np.where(kept, cells, spec.idle(page))


def _limits(spec: ActionSpec) -> str:
    if spec.values:
        return f"{spec.words} is one of {', '.join(levels.texts(spec.values))}"
    if spec.kind == "text":
        return f"{spec.words} is empty"
    if spec.within is None:
        return f"{spec.words} is a finite number"
    low, high = spec.within
    return f"{spec.words} is {low:g} to {high:g}"


def _worded(value: Any, spec: ActionSpec) -> str:
    """A refused value, with so many digits that it does not look like a legal one."""
    if isinstance(value, str):
        return value
    short = f"{value:g}"
    looks_legal = levels.place(spec.values, float(short)) >= 0
    return repr(float(value)) if looks_legal and levels.place(spec.values, float(value)) < 0 else short
