"""What each key of a section is for: the docstring under its field, read from the source where somebody asks.

Pydantic could read it whenever a section is defined; each command would wait for that, and only the reference needs it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from contextlib import suppress
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def meanings(section: type[BaseModel]) -> dict[str, str]:
    """Name of a field -> the docstring under it, where there is one, in the section or in those that it extends."""
    found: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            with suppress(OSError, TypeError):  # a section made while the program runs has no source
                found |= _under_fields(inspect.getsource(cls))
    return {name: text for name, text in found.items() if name in section.model_fields}


def _under_fields(source: str) -> dict[str, str]:
    (defined,) = ast.parse(textwrap.dedent(source)).body
    return {
        field.target.id: inspect.cleandoc(told.value.value)
        for field, told in pairwise(defined.body if isinstance(defined, ast.ClassDef) else ())
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(told, ast.Expr)
        and isinstance(told.value, ast.Constant)
        and isinstance(told.value.value, str)
    }
