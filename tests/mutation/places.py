"""Where a file can be changed, and how: each mutant is the file with one piece of its text replaced."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one change.

    Attributes:
        path: The file, from the root of the repository.
        line: Where it is changed.
        key: File, function, the old piece and the new one; stays the same while other lines come and go.
        text: The whole file, changed.
    """

    path: str
    line: int
    key: str
    text: bytes


def mutants_of(path: str, text: bytes) -> Iterator[Mutant]:
    """All mutants of a file, from top to bottom."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    times: Counter[str] = Counter()
    for where, node, new in _changes(ast.parse(text), ""):
        piece = "pass" if isinstance(new, ast.Pass) else f"({ast.unparse(new)})"
        first = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        key = f"{path} {where}: {ast.unparse(node)} -> {ast.unparse(new)}".replace("\n", " ")
        times[key] += 1
        number = f" #{times[key]}" if times[key] > 1 else ""
        yield Mutant(path, node.lineno, key + number, text[:first] + piece.encode() + text[end:])


def _changes(node: ast.AST, where: str) -> Iterator[tuple[str, ast.expr | ast.stmt, ast.expr | ast.stmt]]:
    """The function a place is in, what stands there, and what else could."""
    # Annotations, decorators and messages are not behaviour; positions inside of f-strings are not known before 3.12.
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        inside = f"{where}.{node.name}".lstrip(".")
        arguments = [] if isinstance(node, ast.ClassDef) else [*node.args.defaults, *node.args.kw_defaults]
        for part in (*arguments, *node.body):
            if part is not None:
                yield from _changes(part, inside)
        return
    if isinstance(node, ast.expr):
        yield from ((where, node, new) for new in _other_expressions(node))
    elif isinstance(node, ast.stmt) and _can_be_dropped(node):
        yield where, node, ast.Pass()
    for name, value in ast.iter_fields(node):
        if name != "annotation":
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _changes(child, where)


def _can_be_dropped(node: ast.stmt) -> bool:
    """A call for its effect, an addition, a raise, or a value that is put into something; no docstring, no name."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await)
    if isinstance(node, ast.Assign):
        return not any(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Break | ast.Continue)


def _other_expressions(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            yield _changed(node, ops=[*node.ops[:place], _COMPARISONS[type(operator)](), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield _changed(node, op=_OPERATORS[type(node.op)]())
    elif isinstance(node, ast.IfExp):
        yield _changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        for end in ("lower", "upper", "step"):
            if getattr(node.slice, end) is not None:
                yield _changed(node, slice=_changed(node.slice, **{end: None}))
    elif isinstance(node, ast.Call) and len(node.args) > 1:
        first, second, *others = node.args
        if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
            yield _changed(node, args=[second, first, *others])


def _changed(node: Node, **fields: object) -> Node:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other
