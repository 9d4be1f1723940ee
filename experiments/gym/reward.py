"""Rewards: an expression over what a page's log would hold.

    sum(click)                            clicks of the page
    sum(rate >= 4) - 0.5 * left           good ratings, and a cost where the user leaves
    sum(payment) / 100                    what was paid, where the site sells

Inside `sum` the names are the actions per slot; an action that was not taken, such as a rating that was not given, adds
nothing. Outside are the actions per page, `shown` (items on the page) and `left` (1 where the user left, else 0).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.actions import ActionSchema
from groundlings.environments.arrays import NO_ITEM, FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.experiments.gym.open_sessions import Outcome

_TWO: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_PAGE_NAMES = ("shown", "left")
_LONGEST = 500


@dataclass(frozen=True)
class Reward:
    """What a page is worth to whoever chose it.

    Attributes:
        expression: As the module has it.
        schema: The actions of the site.

    Raises:
        ConfigError: The expression cannot be read, or names what the site does not have.
    """

    expression: str
    schema: ActionSchema
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.expression, str):
            raise ConfigError(f"reward: found {self.expression!r}, expected a text like sum(click)")
        if len(self.expression) > _LONGEST:
            raise ConfigError(f"reward: {len(self.expression)} characters; expected at most {_LONGEST}")
        try:
            tree = ast.parse(self.expression.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ConfigError(f"reward: {self.expression!r} is no expression; expected one like sum(click)") from None
        self._check(tree, inside=False)
        object.__setattr__(self, "_tree", tree)

    def of(self, outcome: Outcome) -> FloatArray:
        """The reward of each session for its page, shape (n,); NaN where the page is lost or nothing defines it."""
        names: dict[str, NDArray[Any]] = {
            name: cells.astype(np.float64) for name, cells in outcome.columns.items() if cells.dtype.kind in "bfiu"
        }
        names["shown"] = (outcome.items != NO_ITEM).sum(axis=1)
        names["left"] = outcome.left.astype(np.float64)
        with np.errstate(all="ignore"):
            value = np.broadcast_to(_value(self._tree, names), len(outcome.items)).astype(np.float64)
        return np.where(outcome.lost | ~np.isfinite(value), np.nan, value)

    def _check(self, node: ast.AST, *, inside: bool) -> None:
        """Refuse what is not listed in the module, and names of the other kind."""
        match node:
            case ast.Constant(value=bool() | int() | float()):
                return
            case ast.Name(id=name):
                self._check_name(name, inside=inside)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                self._check(operand, inside=inside)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO:
                self._check(left, inside=inside)
                self._check(right, inside=inside)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _TWO:
                self._check(left, inside=inside)
                self._check(right, inside=inside)
            case ast.Call(func=ast.Name(id="sum"), args=[argument], keywords=[]) if not inside:
                self._check(argument, inside=True)
            case _:
                raise ConfigError(
                    f"reward: {ast.unparse(node)!r} in {self.expression!r}; expected numbers, + - * /, comparisons, "
                    "actions, and sum(...) once around actions per slot"
                )

    def _check_name(self, name: str, *, inside: bool) -> None:
        kinds = {spec.name: spec.per for spec in self.schema.specs if spec.kind != "text"}
        per_slot = [each for each, per in kinds.items() if per == "slot"]
        per_page = [*(each for each, per in kinds.items() if per == "page"), *_PAGE_NAMES]
        if name in (per_slot if inside else per_page):
            return
        if name in per_slot:
            raise ConfigError(f"reward: {name} is an action per slot; write sum({name})")
        if name in per_page:
            raise ConfigError(f"reward: {name} is said of a page, not of its slots; write it outside of sum(...)")
        raise ConfigError(
            f"reward: the site has no {name!r}; inside of sum: {', '.join(per_slot)}; outside: {', '.join(per_page)}"
        )


def _value(node: ast.AST, names: Mapping[str, NDArray[Any]]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, names)
            return -value if isinstance(op, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _TWO[type(op)](_value(left, names), _value(right, names))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return np.asarray(_TWO[type(op)](_value(left, names), _value(right, names)), dtype=np.float64)
        case ast.Call(args=[argument]):
            cells = np.broadcast_to(_value(argument, names), names["click"].shape)
            return np.where(np.isnan(cells), 0.0, cells).sum(axis=1)
    raise AssertionError(f"unchecked: {ast.dump(node)}")
