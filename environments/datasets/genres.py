"""The genres in one cell: words between separators, or a list as JSON, Python and NumPy write it."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

NONE_LISTED = "(no genres listed)"
"""How MovieLens says that a film has none."""

_BRACKETS = {"[": "]", "{": "}"}
_ARRAY = re.compile(r"""\[\s*(?:(?:'[^'\\]*'|"[^"\\]*")\s*)*\]""")
_QUOTED = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
_LONGEST_LIST = 100_000


def genres_of(cell: str, separator: str) -> tuple[str, ...]:
    """Genres in the order given, each once.

    Raises:
        ValueError: The cell looks like a list, and is none that can be read.
    """
    parts = _listed(cell, separator)
    names = [part.strip() for part in (cell.split(separator) if parts is None else parts)]
    return tuple(dict.fromkeys(name for name in names if name and name.casefold() != NONE_LISTED))


def _listed(cell: str, separator: str) -> list[str] | None:
    """The words of a list, None where the cell is none."""
    closing = _BRACKETS.get(cell[:1])
    if closing is None or not cell.endswith(closing) or len(cell) < 2:
        return _tuple(cell)
    if _ARRAY.fullmatch(cell):  # NumPy puts no commas, and Python would join what stands side by side
        return [single or double for single, double in _QUOTED.findall(cell)]
    words = _words(_value(cell))
    if words is None and separator not in cell[1:-1]:
        raise ValueError('genres between separators (own.items.genre_separator), or a list such as ["Drama", "Comedy"]')
    return words


def _tuple(cell: str) -> list[str] | None:
    return _words(_value(cell)) if cell.startswith("('") or cell.startswith('("') else None


def _value(cell: str) -> Any:
    """What a cell says in JSON or as Python writes it, None where it is neither."""
    if len(cell) > _LONGEST_LIST:
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _words(value: Any) -> list[str] | None:
    """The words of a list of texts, or of records that have a `name`."""
    if not isinstance(value, (list, tuple, set)):
        return None
    named = [each.get("name") if isinstance(each, dict) else each for each in value]
    words = [word for word in named if isinstance(word, str)]
    if len(words) < len(named):
        return None
    return sorted(words) if isinstance(value, set) else words
