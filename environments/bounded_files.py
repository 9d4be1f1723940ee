"""Small text files read up to a bound: whoever names a device, a pipe or a huge file gets a message, not all memory."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 2**26
"""Of a file that holds settings or results: many times what any holds."""


def bounded_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8.

    Raises:
        OSError: It cannot be read.
        ValueError: It is longer than `most_bytes`, or is no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"found more than {most_bytes:,} bytes, expected {most_bytes:,} at most")
    return content.decode("utf-8")
