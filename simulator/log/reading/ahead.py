"""What is read of a log, read by a thread while whoever asked works on what came before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")

_AHEAD = 2
"""Pieces that are read before they are asked for."""


def read_ahead(pieces: Iterator[Piece]) -> Generator[Piece, None, None]:
    """The same pieces, the next ones read by a thread meanwhile: what reads files holds no lock of Python's.

    What reading raises is raised for the piece that could not be read. The thread has ended when this has.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="groundlings-log") as thread:
        coming = deque(thread.submit(next, pieces, None) for _ in range(_AHEAD))
        while (piece := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, pieces, None))
            yield piece
