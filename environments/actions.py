"""Actions: what agents may do, declared once, and what a cohort did, as columns.

An environment declares its actions in an `ActionSchema`. Minds answer with `Actions`, a table with a column for each
declared action. A new action is one `ActionSpec` in an environment's schema: the loop, the check, the log and the
exports carry it without knowing its name.

    BUY = ActionSpec("buy", per="slot", kind="flag", needs="add_to_cart")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from groundlings.environments import levels
from groundlings.environments.arrays import BoolArray, FloatArray, holds_any, read_only
from groundlings.environments.page import Page

Cells: TypeAlias = NDArray[Any]
"""A column: bool for a flag, float64 with NaN = not given for a number, object with None = not said for a text."""

OPINIONS = ("rate", "like")
"""Actions that say what somebody thinks of an item; the log keeps their value beside the impression."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PER, _KINDS = ("slot", "page"), ("flag", "number", "text")


@lru_cache(maxsize=64)
def _listed(values: tuple[float, ...]) -> FloatArray:
    """Legal numbers as an array."""
    return read_only(np.array(values, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action, declared.

    Attributes:
        name: In code and in the log: lower-case letters, digits and underscores.
        per: `slot`, one cell per slot of the page, or `page`, one cell per session and page.
        kind: `flag` (done or not), `number` or `text`.
        values: The legal numbers, ascending; empty where `within` or nothing limits them.
        within: Smallest and largest legal number, both included; None = no limit.
        needs: An action of the same slot without which this one is illegal.
        optional: Whether a mind that cannot take it may still be used.
        goes_on: Of a page: whether whoever takes it sees a further page, as after `next_page`.
        said: The action in words, for messages; the name if empty.
        refusals: Why it is illegal, in words, where what it `needs` was not done (key `needs`), where it is not
            offered (`offered`) and with another value (`values`); made from the declaration where absent.
    """

    name: str
    per: Literal["slot", "page"]
    kind: Literal["flag", "number", "text"] = "flag"
    values: tuple[float, ...] = ()
    within: tuple[float, float] | None = None
    needs: str | None = None
    optional: bool = False
    goes_on: bool = False
    said: str = ""
    refusals: Mapping[Literal["needs", "offered", "values"], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"action {self.name!r}: a name has lower-case letters, digits and underscores")
        for what, found, known in (("per", self.per, _PER), ("kind", self.kind, _KINDS)):
            if found not in known:
                raise ValueError(f"action {self.name}: {what} is {found!r}, expected one of {', '.join(known)}")
        if (self.values or self.within) and self.kind != "number":
            raise ValueError(f"action {self.name}: only a number has `values` or `within`")
        if self.goes_on and self.per != "page":
            raise ValueError(f"action {self.name}: only an action per page leads to a further page")

    @property
    def words(self) -> str:
        """The action as a message names it."""
        return self.said or self.name.replace("_", " ")

    def idle(self, page: Page) -> Cells:
        """The column of sessions that do not take the action."""
        shape = page.items.shape if self.per == "slot" else page.items.shape[:1]
        if self.kind == "flag":
            return np.zeros(shape, dtype=np.bool_)
        cells: Cells = np.empty(shape, dtype=np.float64 if self.kind == "number" else np.object_)
        cells.fill(np.nan if self.kind == "number" else None)
        return cells

    def taken(self, cells: Cells) -> BoolArray:
        """Where the action was taken, in the shape of its column."""
        if self.kind == "flag":
            return cells
        if self.kind == "number":
            return ~np.isnan(cells)
        said = [cell is not None for cell in cells.flat]
        return np.array(said, dtype=np.bool_).reshape(cells.shape)

    def legal_values(self, cells: Cells) -> BoolArray | None:
        """Where a cell holds a legal value; None where every value is legal. Cells that are not taken may be either."""
        return self.settled(cells)[1]

    def settled(self, cells: Cells) -> tuple[Cells, BoolArray | None]:
        """The cells with every number of `values` to the last bit as it stands there, and `legal_values`.

        A number is told by its place on the list (`groundlings.environments.levels`). `cells` itself comes back where
        no number has to change.
        """
        if self.values:
            exact: BoolArray = np.logical_or.reduce(cells[..., None] == _listed(self.values), axis=-1)
            near = ~(exact | np.isnan(cells))
            if holds_any(near):
                places = levels.places(self.values, cells[near])
                exact[near], changed = places >= 0, cells.copy()
                changed[near] = np.where(places >= 0, _listed(self.values)[places], cells[near])
                cells = changed
            return (cells + 0.0 if 0.0 in self.values else cells), exact  # minus zero becomes zero
        if self.within is not None:
            return cells, (cells >= self.within[0]) & (cells <= self.within[1])
        if self.kind == "text":
            worded = [cell is None or bool(str(cell).strip()) for cell in cells.flat]
            return cells, np.array(worded, dtype=np.bool_).reshape(cells.shape)
        return cells, np.isfinite(cells) if self.kind == "number" else None


@dataclass(frozen=True, slots=True)
class ActionSchema:
    """All actions of an environment.

    Example:
        >>> click = ActionSpec("click", per="slot")
        >>> rate = ActionSpec("rate", per="slot", kind="number", values=(1.0, 2.0, 3.0), needs="click")
        >>> ActionSchema((click, rate), interaction="click", strength="rate").names
        ('click', 'rate')

    Attributes:
        specs: The actions, in the order in which they happen in a slot and stand in the log; what an action `needs`
            stands before it.
        interaction: The flag per slot that makes an interaction of user and item: recommenders learn from it.
        strength: The number per slot that comes with an interaction (stars), None where there is none.
        tells: What pages say of themselves, such as whether they are a feed or results: names in `Page.further` of a
            text per session, None where a page says nothing. The log has an event of that name before the page's slots.
    """

    specs: tuple[ActionSpec, ...]
    interaction: str
    strength: str | None = None
    tells: tuple[str, ...] = ()
    _by_name: Mapping[str, ActionSpec] = field(init=False, repr=False, compare=False)
    _opinion: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, ActionSpec] = {}
        for spec in self.specs:
            needed = by_name.get(spec.needs) if spec.needs else None
            if spec.name in by_name:
                raise ValueError(f"action {spec.name} is declared twice")
            if spec.needs and (needed is None or needed.per != "slot" or spec.per != "slot"):
                raise ValueError(
                    f"action {spec.name} needs {spec.needs}, which is no action per slot declared before it"
                )
            by_name[spec.name] = spec
        if taken := [name for name in self.tells if name in by_name]:
            raise ValueError(f"tells: {taken[0]} is an action; what a page says of itself needs a name of its own")
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))
        object.__setattr__(self, "_opinion", next((name for name in OPINIONS if name in by_name), None))
        for role, name, kind in (("interaction", self.interaction, "flag"), ("strength", self.strength, "number")):
            if name is not None and (name not in self or self[name].per != "slot" or self[name].kind != kind):
                raise ValueError(f"{role}: {name} is no declared {kind} per slot")

    def __reduce__(self) -> tuple[type[ActionSchema], tuple[tuple[ActionSpec, ...], str, str | None, tuple[str, ...]]]:
        return ActionSchema, (
            self.specs,
            self.interaction,
            self.strength,
            self.tells,
        )  # a view of a mapping cannot be sent

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> ActionSpec:
        return self._by_name[name]

    @property
    def opinion(self) -> str | None:
        """The number per slot by which people say what they think of an item: `rate`, `like`, or None of these."""
        return self._opinion

    @property
    def names(self) -> tuple[str, ...]:
        """All actions, in their order."""
        return tuple(self._by_name)

    def beyond(self, known: Iterable[str]) -> tuple[str, ...]:
        """The actions that a mind which takes only the `known` ones lacks; optional ones are not missed."""
        able = frozenset(known)
        return tuple(spec.name for spec in self.specs if not spec.optional and spec.name not in able)


@dataclass(frozen=True, slots=True)
class LegalActions:
    """The actions that one page offers; the mind and the check both read it.

    Attributes:
        schema: What may be done in this environment at all.
        available: Action -> where it is offered, in the shape of its column; an action that is absent here is offered
            on every slot that holds an item, or to every session.
    """

    schema: ActionSchema
    available: Mapping[str, BoolArray] = field(default_factory=dict)

    def take(self, rows: NDArray[np.integer]) -> LegalActions:
        """What is offered to some sessions."""
        return LegalActions(self.schema, {name: where[rows] for name, where in self.available.items()})

    def values(self, name: str) -> tuple[float, ...]:
        """The legal numbers of an action, ascending; empty where the environment does not know the action."""
        return self.schema[name].values if name in self.schema else ()

    def offers(self, name: str, page: Page) -> BoolArray:
        """Where an action is offered, in the shape of its column."""
        spec = self.schema[name]
        if name in self.available:
            return self.available[name]
        return page.shown if spec.per == "slot" else np.ones(len(page.items), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Action:
    """One action in words of a reply: which, on which slot (0 is the first; None = the page), with which value."""

    name: str
    position: int | None = None
    value: float | str | None = None

    def __str__(self) -> str:
        """As the log has always named what could not be placed: "Click(position=9)", "Rate(position=9, stars=4.0)"."""
        parts = [] if self.position is None else [f"position={self.position}"]
        if self.value is not None:
            parts.append(f"{'stars' if self.name == 'rate' else 'value'}={self.value!r}")
        return f"{self.name.title().replace('_', '')}({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Illegal:
    """An action that the page did not offer: logged, counted, not carried out.

    Attributes:
        row: Session of the cohort.
        position: Slot of the page, None where the action named none of the page.
        said: The action in words.
        reason: Why it is not legal.
    """

    row: int
    position: int | None
    said: str
    reason: str


@dataclass(frozen=True, slots=True)
class Actions:
    """What a cohort does with its page: a column per declared action.

    Attributes:
        schema: What was declared.
        columns: Action -> cells, shape (n_sessions, n_slots) per slot, (n_sessions,) per page; see `Cells`.
    """

    schema: ActionSchema
    columns: Mapping[str, Cells]

    def __getitem__(self, name: str) -> Cells:
        return self.columns[name]

    def get(self, name: str) -> Cells | None:
        """A column, None where the environment does not declare the action."""
        return self.columns.get(name)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @classmethod
    def of(cls, schema: ActionSchema, page: Page, taken: Mapping[str, Cells]) -> Actions:
        """The given columns, and idle ones for all other declared actions; columns of undeclared actions are an error.

        Raises:
            ValueError: A column has another shape than the page, or is of an action that is not declared.
        """
        columns = {}
        for spec in schema.specs:
            cells = taken.get(spec.name)
            wanted = page.items.shape if spec.per == "slot" else page.items.shape[:1]
            if cells is not None and np.shape(cells) != wanted:
                raise ValueError(f"{spec.name}: a mind answered in shape {np.shape(cells)}, the page has {wanted}")
            columns[spec.name] = spec.idle(page) if cells is None else cells
        unknown = [name for name in taken if name not in columns]
        if unknown:
            raise ValueError(f"not declared by this environment: {', '.join(unknown)}")
        return cls(schema, columns)

    def take(self, rows: NDArray[np.integer]) -> Actions:
        """The actions of some sessions."""
        return Actions(self.schema, {name: cells[rows] for name, cells in self.columns.items()})

    def replaced(self, columns: Mapping[str, Cells]) -> Actions:
        """A copy with other columns for some actions."""
        return Actions(self.schema, {**self.columns, **columns})


def lay_out(schema: ActionSchema, page: Page, said: Sequence[Sequence[Action]]) -> tuple[Actions, tuple[Illegal, ...]]:
    """The actions of each session as columns, and those that name no slot of the page."""
    actions = Actions.of(schema, page, {})
    width = page.items.shape[1]
    stray: list[Illegal] = []
    for row, each_said in enumerate(said):
        for action in each_said:
            spec, cells = schema[action.name], actions[action.name]
            value = True if spec.kind == "flag" else action.value
            if spec.per == "page":
                cells[row] = value
            elif action.position is not None and 0 <= action.position < width:
                cells[row, action.position] = value
            else:
                stray.append(Illegal(row, None, str(action), f"the page has slots 0 to {width - 1}"))
    return actions, tuple(stray)
