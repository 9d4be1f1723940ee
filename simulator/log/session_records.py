"""Rows as records of fixed width, whose bytes say what a row is about and hold no id of the log.

Numbers are little-endian, NULL is the smallest whole number, NaN or -1 for a truth value, -0.0 is 0.0. A text is its
SHA-256, NULL zeros. Users, items and arms are their places among all of the log, ordered by name.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import shown
from groundlings.simulator.log.faults import OddValue
from groundlings.simulator.log.finite import NotFinite

Kind: TypeAlias = Literal["narrow", "wide", "float", "flag", "text", "user", "item", "arm"]

_WIDTHS: Mapping[Kind, Any] = {
    "narrow": "<i4",
    "wide": "<i8",
    "float": "<f8",
    "flag": "i1",
    "text": ("u1", (32,)),
    "user": "<i4",
    "item": "<i4",
    "arm": "<i4",
}
_NARROWEST, _WIDEST = int(np.iinfo(np.int32).min), int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The columns of a table that tell of behaviour, and how their rows come.

    Attributes:
        table: Where they stand.
        columns: Column -> what it holds.
        key: The column that gives the rows of a session their order.
        where: Which rows; all where it is empty.
    """

    table: str
    columns: Mapping[str, Kind]
    key: str
    where: str = ""

    @property
    def numbered(self) -> bool:
        """Whether the key counts all rows of the table, so that they usually lie in the order of sessions."""
        return self.key not in self.columns

    @property
    def record(self) -> np.dtype[np.void]:
        """One row."""
        return np.dtype([(name, *_as_field(_WIDTHS[kind])) for name, kind in self.columns.items()])


def _as_field(width: Any) -> tuple[Any, ...]:
    return width if isinstance(width, tuple) else (width,)


SESSIONS = Layout(
    "sessions",
    {
        "agent_id": "user", "sim_time": "wide", "policy_version": "text", "pscore_kind": "text", "pages": "narrow",
        "ended_by": "text", "satisfaction": "float",
    },
    "session_id",
)  # fmt: skip
"""The head of each session. Left out, here as below, is what tells of the machine and not of behaviour: ids, wall-clock
columns, latency, attempts, cache hits."""

IMPRESSIONS = Layout(
    "impressions",
    {
        "page": "narrow", "position": "narrow", "rank": "narrow", "item_id": "item", "score": "float",
        "pscore": "float", "is_random": "flag", "examined": "flag", "clicked": "flag", "rating": "float",
        "p_click": "float", "u_click": "float", "display_position": "narrow",
    },
    "impression_id",
)  # fmt: skip

TEAMS = Layout("impressions", {"rank": "narrow", "team_arm_id": "arm"}, "impression_id", "team_arm_id IS NOT NULL")
PLACES = Layout(
    "impressions",
    {"rank": "narrow", "row_name": "text", "place_row": "narrow", "place_slot": "narrow"},
    "impression_id",
    "place_row IS NOT NULL",
)
"""Columns that came with a later schema, of the rows that have something there."""

EVENTS = Layout(
    "events",
    {"page": "narrow", "position": "narrow", "kind": "text", "value": "float", "detail": "text"},
    "event_id",
)
"""`position` is that of the impression, NULL where an event concerns the page."""

CALLS = Layout(
    "calls",
    {
        "page": "narrow", "template": "text", "prompt_hash": "text", "model": "text", "temperature": "float",
        "seed": "wide", "status": "text", "prompt_tokens": "wide", "completion_tokens": "wide", "messages": "text",
        "reply": "text", "first_token": "text",
    },
    "call_id",
)  # fmt: skip
MOODS = Layout(
    "moods",
    {
        "page": "narrow", "satisfaction": "float", "tiredness": "float", "boredom": "text", "p_next": "float",
        "u_next": "float",
    },
    "page",
)  # fmt: skip
MEMORIES = Layout("memories", {"place": "narrow", "kind": "text", "text": "text", "importance": "float"}, "place")
INTERVIEWS = Layout("interviews", {"place": "narrow", "question": "text", "answer": "text"}, "place")

HANGING = (IMPRESSIONS, TEAMS, PLACES, EVENTS, CALLS, MOODS, MEMORIES, INTERVIEWS)
"""What a session has beside its head, in the order in which its hash takes it in."""

PRESENTATIONS = Layout(
    "presentations", {"rank": "narrow", "original": "text", "shown": "text", "fitting": "narrow"}, "rank"
)
"""Taken in behind all of these by the sessions that have such rows: the others keep the hash that they had before."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of text: `codes` count in `words`, -1 is NULL."""

    codes: IntArray
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Places:
    """Things of a log by their names' order, which does not depend on the log's numbers.

    Attributes:
        ids: The log's numbers, ascending.
        places: Where the name of each stands among the sorted names.
    """

    ids: IntArray
    places: IntArray

    @classmethod
    def of(cls, rows: Sequence[tuple[int, str]]) -> Places:
        """Those of numbers and names."""
        ids = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        by_name = sorted(range(len(rows)), key=lambda row: rows[row][1])
        places = np.empty(len(rows), dtype=np.int64)
        places[by_name] = np.arange(len(rows))
        order = np.argsort(ids)
        return cls(ids[order], places[order])

    def of_ids(self, numbers: IntArray) -> IntArray:
        """The place of each; -1 for a number that nothing has."""
        if not len(self.ids):
            return np.full(len(numbers), -1)
        first, last = int(self.ids[0]), len(self.ids) - 1
        if int(self.ids[-1]) - first == last:  # as runs number things: without a gap, so that nothing is searched for
            rows = np.clip(numbers - first, 0, last)
        else:
            rows = np.minimum(np.searchsorted(self.ids, numbers), last)
        return np.where(self.ids[rows] == numbers, self.places[rows], -1)


@dataclass(frozen=True, slots=True)
class Names:
    """The places of users, items and arms."""

    user: Places
    item: Places
    arm: Places


def packed(layout: Layout, rows: int, columns: Mapping[str, Any], names: Names) -> NDArray[np.void]:
    """The records of rows.

    Args:
        layout: Which columns, in their order.
        rows: How many there are.
        columns: Column -> its values: an array, in which NULL is what it is in a record, `Coded`, or the values of a
            database's driver.
        names: The places of what ids mean.

    Raises:
        RunDirectoryError: A value is not of the kind that its column holds.
    """
    records = np.empty(rows, dtype=layout.record)
    for name, kind in layout.columns.items():
        column = columns[name]
        if kind == "text":
            coded = column if isinstance(column, Coded) else _coded(column, layout.table, name)
            records[name] = _hashed(coded.words)[coded.codes]
            continue
        values = column if isinstance(column, np.ndarray) else as_numbers(column, kind, layout.table, name)
        if kind in ("user", "item", "arm"):
            values = getattr(names, kind).of_ids(values)
        elif kind == "float":
            values = values + 0.0
        elif values.dtype.itemsize > records.dtype[name].itemsize:
            values = _narrowed(values, kind, layout.table, name)
        records[name] = values
    return records


def _narrowed(values: IntArray, kind: Kind, table: str, name: str) -> IntArray:
    """Whole numbers of 64 bits that fit into the width of a record."""
    if kind == "narrow":
        values = np.where(values == _WIDEST, _NARROWEST, values)
    bounds = np.iinfo(_WIDTHS[kind])
    odd = values[(values < bounds.min) | (values > bounds.max)]
    if len(odd):
        raise odd_value(int(odd[0]), f"a number up to {bounds.max:,}", table, name)
    return values


def odd_value(value: object, expected: str, table: str, name: str) -> OddValue:
    """What to raise where a column holds what no run writes into it."""
    return OddValue(
        f"{table}.{name} holds {shown(value)}, expected {expected}; no run writes that: the log was left as it is, "
        "restore it from a copy"
    )


def null_of(kind: Kind) -> int:
    """What a record, or an array that is to become one, has for NULL among whole numbers and truth values."""
    return -1 if kind in ("flag", "user", "item", "arm") else _WIDEST


def as_numbers(column: Sequence[Any], kind: Kind, table: str, name: str) -> NDArray[Any]:
    """The values of a driver as an array; a text or a fraction among whole numbers is refused and not converted.

    Raises:
        RunDirectoryError: It is of another kind.
        NotFinite: It is NaN, which is no NULL.
    """
    code, kept = ("d", np.float64) if kind == "float" else ("q", np.int64)
    null = np.nan if kind == "float" else null_of(kind)
    try:
        numbers = np.frombuffer(array(code, column), kept)
    except (TypeError, OverflowError):
        try:
            numbers = np.frombuffer(array(code, [null if value is None else value for value in column]), kept)
        except (TypeError, OverflowError):
            odd = next(value for value in column if not _fits(value, kind))
            raise odd_value(odd, "a number" if kind == "float" else "a whole number", table, name) from None
    if kind == "float" and (unknown := int(np.isnan(numbers).sum())) and unknown != column.count(None):
        raise NotFinite
    return numbers


def _fits(value: object, kind: Kind) -> bool:
    if value is None or isinstance(value, int):
        return value is None or -(2**63) <= value < 2**63
    return kind == "float" and isinstance(value, float)


def _coded(column: Sequence[Any], table: str, name: str) -> Coded:
    """Texts of a driver, each word once."""
    places: dict[Any, int] = {None: -1}
    codes = np.fromiter((places.setdefault(text, len(places) - 1) for text in column), np.int64, len(column))
    words = list(places)[1:]
    odd = next((word for word in words if not isinstance(word, str)), None)
    if odd is not None:
        raise odd_value(odd, "text", table, name)
    return Coded(codes, words)


def _hashed(words: Sequence[str]) -> NDArray[np.uint8]:
    """The hash of each word, and zeros in the last row, which NULL counts."""
    content = b"".join(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest() for word in words)
    return np.frombuffer(content + bytes(32), np.uint8).reshape(len(words) + 1, 32)
