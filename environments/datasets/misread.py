"""What hides from a look at one's own tables what they are: other signs between cells, one header or one id twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from groundlings.environments.datasets.linked_tables import COVERED, Link, SeenTable
from groundlings.environments.datasets.other_separators import other_separator
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import shown
from groundlings.environments.words import plural

_NEARLY_UNIQUE = 0.7
"""Share of the rows whose ids are different, from which on a column has a row per id but for mistakes: histories of
prices have less."""


def misread(tables: Sequence[Table]) -> list[str]:
    """What to say of tables that are not what they were read as, a sentence for each fault."""
    found = []
    for table in tables:
        single = [part.path for part in table.parts if part.separator is not None and len(part.headers) == 1]
        found += [f"{path}: {told}" for path in single if (told := other_separator(path, 1))]
        counts = Counter(table.data.column_names)
        twice = [shown(name) for name, times in counts.items() if times > 1]
        found += [f"{table.path}: column {name} stands in the header twice; rename one of them" for name in twice]
    return found


def almost_linked(met: SeenTable, others: Sequence[SeenTable]) -> list[str]:
    """What to say of tables that would describe items or users if each of their ids stood once.

    Args:
        met: The interactions.
        others: Tables that were taken for nothing.
    """
    found = []
    for other in others:
        able = [
            Link(column, key, other, share)
            for key in other.looks
            if not key.is_unique and len(key.distinct) >= _NEARLY_UNIQUE * key.rows
            for column in met.looks
            if column.times is None and (share := column.covered_by(key)) >= COVERED
        ]
        if able:
            found.append(_said(max(able, key=lambda link: (max(link.points("item"), link.points("user")), link.share))))
    return found


def _said(link: Link) -> str:
    key = link.key
    if key.empty:
        fault = f"{plural(key.empty, 'row')} {'have' if key.empty > 1 else 'has'} none"
    else:
        cell, times = Counter(key.column.cells).most_common(1)[0]
        fault = f"{shown(cell)} stands in {times:,} rows"
    return (
        f"{link.table.name}: {key.name!r} holds ids of {link.column.name!r}, but {fault}; a table of items or users "
        "has one row for each of them"
    )
