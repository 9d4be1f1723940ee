"""Common random numbers: every draw is a pure function of who, when, why and what.

Two arms that show the same item to the same agent on the same day use the same random numbers, whatever else the
arm did before, in whatever order sessions finish. That is what makes the difference between two arms precise
(common random numbers: Law and Kelton, Simulation Modeling and Analysis, chapter on variance reduction).
The arm and the call order are therefore never part of a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.earlier_names import tell_earlier_name

_Words = NDArray[np.uint64]

# The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
_WEYL_NUMBER, _FIRST_NUMBER, _SECOND_NUMBER = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WEYL, _FIRST, _SECOND = np.uint64(_WEYL_NUMBER), np.uint64(_FIRST_NUMBER), np.uint64(_SECOND_NUMBER)
_ALL_BITS = 2**64 - 1
_OCCASION_BITS = 40
"""Days stay below 2**40, so that no later session of a day shares the draws of another day."""


def _mix(words: _Words) -> _Words:
    """Scramble 64-bit words so that neighbouring keys share nothing visible; works in place on its copy."""
    mixed = words + _WEYL
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _mix_one(word: int) -> int:
    """`_mix` of a single word: whole numbers of Python take a fraction of the time of arrays that hold one."""
    mixed = (word + _WEYL_NUMBER) & _ALL_BITS
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST_NUMBER) & _ALL_BITS
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND_NUMBER) & _ALL_BITS
    return mixed ^ (mixed >> 31)


def name_key(*names: object) -> int:
    """A stable integer in [0, 2**63) for names: the same on every machine, process and Python version."""
    text = "\x1f".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def name_keys(names: Sequence[object], last: Iterable[str]) -> IntArray:
    """`name_key(*names, each)` for each of the last names, shape (n,); what stands before them is hashed once."""
    begun = hashlib.blake2b("".join(f"{name}\x1f" for name in names).encode(), digest_size=8)
    digests = []
    for each in last:
        hashed = begun.copy()
        hashed.update(each.encode())
        digests.append(hashed.digest())
    return (np.frombuffer(b"".join(digests), dtype=">u8") >> 1).astype(np.int64)


def row_keys(root: int, *columns: NDArray[np.integer]) -> _Words:
    """One scrambled word per row, shape (n,): a function of `root` and of what the columns hold in that row alone."""
    with np.errstate(over="ignore"):
        words = _mix(np.full(1, root % 2**64, dtype=np.uint64))
        for column in columns:
            words = _mix(words ^ column.astype(np.uint64))
    return words


@lru_cache(maxsize=1 << 12)
def _purpose_key(purpose: str) -> int:
    return name_key(purpose)


@dataclass(frozen=True, slots=True)
class Draws:
    """A source of uniform numbers addressed by key instead of by call order.

    Attributes:
        root: The run's seed.
        who: One word a row, shape (n,): who draws and on which occasion (agent, day).
    """

    root: int
    who: _Words

    @classmethod
    def for_sessions(cls, root: int, agents: NDArray[np.integer], day: int, occasion: int = 0) -> Draws:
        """The draws of agents (shape (n,)) on their session of one day; a day's first session is occasion 0."""
        start, when = _mix_one(root % 2**64), day + (occasion << _OCCASION_BITS)
        if len(agents) == 1:  # a language agent comes alone
            word = _mix_one(_mix_one(int(agents[0]) & _ALL_BITS ^ start) ^ when)
            return cls(root, np.array([word], dtype=np.uint64))
        who = _mix(_mix(agents.astype(np.uint64) ^ np.uint64(start)) ^ np.uint64(when))
        return cls(root, who)

    @classmethod
    def for_visits(cls, root: int, agents: NDArray[np.integer], day: int) -> Draws:  # the earlier name, for one version
        """See `for_sessions`."""
        tell_earlier_name("Draws.for_visits", "Draws.for_sessions")  # earlier name
        return cls.for_sessions(root, agents, day)

    def uniform(self, purpose: str, what: NDArray[np.integer] | None = None) -> FloatArray:
        """Uniform numbers in [0, 1).

        Args:
            purpose: Why the number is drawn ("examine", "click", "stars", ...); purposes never share a draw.
            what: What it is about, usually item indices, shape (n,) or (n, m).

        Returns:
            Shape (n,) without `what`, else the shape of `what`.
        """
        if len(self.who) == 1 and (what is None or what.size == 1):
            one = self.one(purpose, None if what is None else int(what.item()))
            return np.full(1 if what is None else what.shape, one)
        words = _mix(self.who ^ np.uint64(_purpose_key(purpose)))
        if what is not None:
            rows = words.reshape((-1,) + (1,) * (what.ndim - 1))
            words = _mix(rows ^ what.astype(np.uint64))
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def one(self, purpose: str, what: int | None = None, row: int = 0) -> float:
        """`uniform` of a single row about a single thing, without arrays."""
        word = _mix_one(int(self.who[row]) ^ _purpose_key(purpose))
        if what is not None:
            word = _mix_one(word ^ (what & _ALL_BITS))
        return (word >> 11) * 2.0**-53

    def apart(self, purpose: str, number: int) -> Draws:
        """Draws of the same sessions that share none with these: for one list among several on the same occasion."""
        with np.errstate(over="ignore"):
            return Draws(self.root, _mix(_mix(self.who ^ np.uint64(_purpose_key(purpose))) ^ np.uint64(number)))

    def take(self, rows: NDArray[np.integer]) -> Draws:
        """The draws of some rows, in the order given."""
        return Draws(self.root, self.who[rows])
