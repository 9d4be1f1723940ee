"""Small text files read up to a bound: whoever names a device, a pipe or a huge file gets a message, not all memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 2**26
"""Of a file that holds settings or results: many times what any holds."""


def bounded_text(path: Path, most_bytes: int = MOST_BYTES, *, regular: bool = False) -> str:
    """The text of a file in UTF-8, without the byte order mark that some editors write before it.

    Args:
        path: Of the file.
        most_bytes: So long may it be.
        regular: Whether only a plain file will do. Of a path that somebody names, a pipe is waited for (`<(...)` of a
            shell); of a file that lies in a run directory, nobody wants to wait for a stranger's pipe.

    Raises:
        OSError: It cannot be read.
        ValueError: It is longer than `most_bytes`, or is no UTF-8, or no plain file where it should be one.
    """
    opener = _without_waiting if regular else None  # which `Path.open` does not take
    with open(path, "rb", opener=opener) as file:
        if regular and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("found no plain file")
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"found more than {most_bytes:,} bytes, expected {most_bytes:,} at most")
    return content.decode("utf-8-sig")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
