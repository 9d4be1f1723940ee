"""Values of pairs of user and item, kept once computed in a table of a fixed size: much is shown to a user again.

The table lies in memory that forked processes share, so that those of tomorrow know what a worker computes today; other
processes of the same machine find it by its place (on Linux a file of memory alone, which ends with its last user). No
process waits for another: beside each value stands its pair, scrambled with the value itself, so that what two of
them wrote half each is no pair's (Hyatt and Mann 2002, "A lock-less transposition table implementation for parallel
search", ICGA Journal). Each pair has two places where it may lie (Pagh and Rodler 2004, "Cuckoo hashing", without its
moves): with one, some pairs that are shown again and again would take each other's place for ever.
"""

from __future__ import annotations

import mmap
import os
import secrets
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray

FEWEST, MOST, OF_A_USER = 2**14, 2**24, 16
"""Pairs that are kept, 16 bytes each: as many as a session or two show of all users, so that an arm finds what an arm
before it has shown. A pair takes the place of another one where both of its own are taken. Memory that no pair has come
to is none yet."""

PLENTY, PLENTY_OF_A_USER = 2**21, 256
"""Up to so many pairs, a user has more: all that weeks of sessions show. Those of a handful of users lie close
together, since memory is first touched by the page and each page costs time."""

Place = tuple[str, str]
"""Where a table lies: the path by which this machine's processes reach it, and the name that tells it from others."""

_Words = NDArray[np.uint64]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SECOND_SPREAD = np.uint64(0xD6E8FEB86659FD93)


class PairMemory:
    """Asks a function about pairs, each time only about those that are not kept.

    Args:
        compute: The value of some pairs, users and items of shape (n,), to shape (n,); that of a pair must not depend
            on the others.
        n_items: Size of the catalog.
        place: Of the table of another process, which has it of the same function; where that is not to be reached, as
            on another machine, and if absent, the table is a new one.
        n_users: Users of the data set: of more of them more pairs are kept, the same number in each process.

    Attributes:
        place: Where the table lies; None where nobody else can reach it.
    """

    def __init__(
        self,
        compute: Callable[[IntArray, IntArray], FloatArray],
        n_items: int,
        place: Place | None = None,
        *,
        n_users: int = 0,
    ) -> None:
        self._compute = compute
        self._n_items = n_items
        places = _number_of_places(n_users)
        self._shift = np.uint64(65 - places.bit_length())
        file = None if place is None else _reached(*place)
        if file is None:
            file, place = _new_file(16 * places)
        if file is not None:
            weakref.finalize(self, os.close, file)
        self.place = place
        shared = mmap.mmap(-1 if file is None else file, 16 * places)
        self._values = np.frombuffer(shared, np.float64, places)
        self._checks = np.frombuffer(shared, np.uint64, places, 8 * places)

    def of(self, users: IntArray, items: IntArray) -> FloatArray:
        """The values of some pairs, shape (n,)."""
        # From 1 on: an empty place, which holds zeros, is that of pair 0.
        pairs = (users * self._n_items + items + 1).astype(np.uint64)
        values, elsewhere = self._kept(pairs, self._places(pairs, _SPREAD))
        if len(elsewhere):
            values[elsewhere], unknown = self._kept(pairs[elsewhere], self._places(pairs[elsewhere], _SECOND_SPREAD))
            missing = elsewhere[unknown]
            if len(missing):
                values[missing] = self._compute(users[missing], items[missing])
                self._keep(pairs[missing], values[missing])
        return values

    def _kept(self, pairs: _Words, places: IntArray) -> tuple[FloatArray, IntArray]:
        """What lies at a place of each pair, and the numbers of those that do not lie there."""
        values = self._values[places]
        return values, np.flatnonzero((self._checks[places] ^ _scrambled(values)) != pairs)

    def _keep(self, pairs: _Words, values: FloatArray) -> None:
        """Put pairs where nothing lies, else in their second place."""
        first = self._places(pairs, _SPREAD)
        places = np.where(self._checks[first] == 0, first, self._places(pairs, _SECOND_SPREAD))
        # Of two new pairs of one place the last one stays, in both columns.
        self._values[places] = values
        self._checks[places] = pairs ^ _scrambled(values)

    def _places(self, pairs: _Words, spread: np.uint64) -> IntArray:
        """Where pairs may lie: the upper bits of a product (Knuth, The Art of Computer Programming 3, section 6.4)."""
        return ((pairs * spread) >> self._shift).astype(np.int64)


def _number_of_places(n_users: int) -> int:
    """A power of two, see `FEWEST` and `PLENTY`."""
    wanted = max(min(OF_A_USER * n_users, MOST), min(PLENTY_OF_A_USER * n_users, PLENTY), FEWEST)
    return 1 << (wanted - 1).bit_length()


def _new_file(size: int) -> tuple[int | None, Place | None]:
    """A table of zeros that other processes can reach; none where the system has or allows no such files.

    Args:
        size: In bytes.
    """
    if not hasattr(os, "memfd_create"):
        return None, None
    name = f"groundlings-{secrets.token_hex(16)}"
    file = os.memfd_create(name)
    try:
        os.truncate(file, size)
    except OSError:  # limits on the size of files hold for it, too
        os.close(file)
        return None, None
    return file, (f"/proc/{os.getpid()}/fd/{file}", name)


def _reached(path: str, name: str) -> int | None:
    """The file of a table at its place; None where there is another one or none."""
    with suppress(OSError):
        file = os.open(path, os.O_RDWR)
        if f"memfd:{name}" in str(Path(f"/proc/self/fd/{file}").readlink()):
            return file
        os.close(file)
    return None


def _scrambled(values: FloatArray) -> _Words:
    """A word per value; 0 for 0."""
    words = values.view(np.uint64) * _SPREAD
    return np.asarray(words ^ (words >> np.uint64(29)))
