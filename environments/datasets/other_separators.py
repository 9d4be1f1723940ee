"""Signs that other programs write between two cells and that are not read here, told where a table makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from groundlings.environments.datasets.csv_files import opened

_OTHERS: tuple[tuple[str, str, Callable[[str], int]], ...] = (
    ("'::'", "::", lambda line: line.count("::")),
    ("a byte 0x01", "\x01", lambda line: line.count("\x01")),
    ("'^'", "^", lambda line: line.count("^")),
    ("'~'", "~", lambda line: line.count("~")),
    ("blanks", " ", lambda line: len(line.split()) - 1),
)
"""What a sign is called, the sign, and how often it stands in a line; blanks also line up columns."""

_LINES, _LONGEST = 20, 10_000
"""Of the beginning of a file, and characters of one line, that are looked at."""


def other_separator(path: Path, columns: int) -> str:
    """What to say of a text file whose first lines all have another sign equally often; "" where none is.

    Args:
        path: Of a file that was read as a table.
        columns: Of the table. Words of names have blanks between them, so that these count only where it is one.
    """
    with opened(path) as file:
        lines = [line for _ in range(_LINES) if (line := file.readline(_LONGEST).strip(" \r\n"))]
    for name, sign, count in _OTHERS:
        times = {count(line) for line in lines}
        if len(lines) > 1 and len(times) == 1 and min(times) > 0 and (columns == 1 or sign != " "):
            return (
                f"its cells seem to be separated by {name}, which is not read; save the file as CSV with commas, below "
                "a line with the names of the columns"
            )
    return ""
