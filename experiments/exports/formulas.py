"""Cells that a spreadsheet would take for formulas: counted and said, never changed.

Exports are read by programs, which join titles and ids with those of the data set; a quote put before a title would
break that join and would not even stop every spreadsheet. So the cells stay as they are, and the datasheet warns.
"""

from __future__ import annotations

import csv
import mmap
import re
from pathlib import Path

_SEPARATORS = {".csv": ",", **dict.fromkeys((".tsv", ".inter", ".item", ".user"), "\t")}
_BEGINS = "=+-@\t\r"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MAYBE = re.compile(rb"(?m)(?:^|[,\t])[\"\t\r]*(?:[=@\t\r]|[+-](?![\d.]+(?:[eE][+-]?\d+)?(?:[,\t\r\n]|\Z)))")
"""Finds the files that must be read cell by cell; numbers alone, which most files hold, are passed by quickly."""


def formula_notes(directory: Path) -> tuple[str, ...]:
    """A sentence for each text table in an export (CSV, TSV, RecBole's) with cells that a spreadsheet would compute.

    Args:
        directory: The export, or its draft.
    """
    files = sorted(path for path in directory.rglob("*") if path.suffix in _SEPARATORS and path.is_file())
    notes = (formula_note(path, path.relative_to(directory).as_posix()) for path in files)
    return tuple(filter(None, notes))


def formula_note(path: Path, name: str) -> str:
    """A sentence on the cells of one text table that a spreadsheet would compute; "" where it holds none.

    Args:
        path: The file.
        name: What the sentence calls it.
    """
    found, whole = _formulas(path)
    if whole and not found:
        return ""
    cells = "1 cell begins" if whole and len(found) == 1 else f"{len(found):,} cells begin"
    return (
        f"{name}: {'' if whole else 'at least '}{cells} like a formula"
        f"{f' (the first: {found[0][:_SHOWN]!r})' if found else ''} and stand as the data has them; have a spreadsheet "
        "import these columns as text."
    )


_SHOWN = 40


def _formulas(path: Path) -> tuple[list[str], bool]:
    """Cells that begin like a formula, and whether all of the file could be looked at."""
    if not path.stat().st_size:
        return [], True
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if _MAYBE.search(content) is None:
            return [], True
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        separator = _SEPARATORS[path.suffix.lower()]
        rows = csv.reader(
            lines, delimiter=separator, quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
        )
        found: list[str] = []
        try:
            for row in rows:
                found += [cell for cell in row if cell and cell[0] in _BEGINS and not _NUMBER.fullmatch(cell)]
        except csv.Error:  # a cell of more than 131,072 characters
            return found, False
    return found, True
