"""Moments in the usual notations, many at a time: what is written in another way is left to a slower reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray

_AT_ONCE = 2**16
"""Cells; a number per character takes much more than the character."""
_NANO_DIGITS = 9
_DATE, _MINUTE, _SECOND = 10, 16, 19
"""Characters of 2024-05-31, 2024-05-31T18:30 and 2024-05-31T18:30:00."""
_FIRST_SECOND, _END_SECOND = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999, in seconds since 1970."""
_ZONES = {0: "", 1: "Z", 5: "+hhmm", 6: "+hh:mm"}
_DIGITS = {_DATE: (0, 1, 2, 3, 5, 6, 8, 9), _MINUTE: (11, 12, 14, 15), _SECOND: (17, 18)}
_DECIMAL = r"^(?P<whole>\d{1,11})\.(?P<part>\d{0,9})$"


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments of cells, shape (n,) each.

    Attributes:
        seconds: Since 1970.
        nanos: Of a second, 0 to 999,999,999.
        read: Whether a cell was read; the others hold 0.
        zoned: Whether a cell says how far its clock is ahead of UTC.
    """

    seconds: IntArray
    nanos: IntArray
    read: BoolArray
    zoned: BoolArray

    @classmethod
    def unread(cls, count: int) -> Moments:
        """Of cells that nobody has read yet."""
        no = np.zeros(count, np.bool_)
        return cls(np.zeros(count, np.int64), np.zeros(count, np.int64), no, no.copy())


def of_timestamps(stored: pa.ChunkedArray) -> Moments | None:
    """Times that are stored as such, one per row; None where some are missing, or of years that ISO dates lack."""
    if not pa.types.is_timestamp(stored.type) or stored.null_count:
        return None
    ticks = stored.combine_chunks().view(pa.int64()).to_numpy(zero_copy_only=False)
    per_second = 10 ** (3 * ("s", "ms", "us", "ns").index(stored.type.unit))
    seconds = ticks // per_second
    nanos = (ticks - seconds * per_second) * (10**_NANO_DIGITS // per_second)
    read = (seconds >= _FIRST_SECOND) & (seconds < _END_SECOND)
    return Moments(seconds, nanos, read, np.zeros_like(read)) if read.all() else None


def of_iso(cells: pa.Array) -> Moments:
    """ISO dates with or without a time of day, a fraction of a second and an offset; `cells` are text."""
    found = Moments.unread(len(cells))
    for rows, text, zone in _alike(cells):
        length = text.shape[1] - zone
        read = _shape_fits(text, length, zone)
        number = (text - ord("0")).astype(np.int64)
        year, month, day = _joined(number, 0, 4), _joined(number, 5, 7), _joined(number, 8, 10)
        days, real = _days(year, month, day)
        clock = np.zeros((3, len(rows)), dtype=np.int64)
        for part, (start, there) in enumerate(((11, _MINUTE), (14, _MINUTE), (17, _SECOND))):
            if length >= there:
                clock[part] = _joined(number, start, start + 2)
        hour, minute, second = clock
        read &= real & (hour < 24) & (minute < 60) & (second < 60)
        past, inside = _offset(number, text, zone)
        fraction = length - _SECOND - 1
        nanos = _joined(number, _SECOND + 1, length) * 10 ** (_NANO_DIGITS - fraction) if fraction > 0 else 0
        read &= inside
        found.seconds[rows] = np.where(read, ((days * 24 + hour) * 60 + minute) * 60 + second - past, 0)
        found.nanos[rows] = np.where(read, nanos, 0)
        found.read[rows], found.zoned[rows] = read, zone > 0
    return found


def of_decimals(cells: pa.Array) -> Moments:
    """Numbers of seconds with decimals, such as 1700000000.25; `cells` are text."""
    found = Moments.unread(len(cells))
    parts = pc.extract_regex(cells, _DECIMAL)
    read = parts.is_valid().to_numpy(zero_copy_only=False)
    whole, fraction = (parts.filter(parts.is_valid()).field(place) for place in (0, 1))
    found.seconds[read] = whole.cast(pa.int64()).to_numpy()
    found.nanos[read] = pc.utf8_rpad(fraction, _NANO_DIGITS, "0").cast(pa.int64()).to_numpy()
    found.read[read] = True
    return found


def of_calendar(numbers: IntArray, length: int) -> Moments:
    """Whole numbers that are dates without separators, such as 20240531 and, at 14 digits, 20240531183000."""
    rest, clock = numbers, []
    for _ in range((length - 8) // 2):
        clock.append(rest % 100)
        rest = rest // 100
    hour, minute, second = [*reversed(clock), *[np.zeros_like(numbers)] * 3][:3]
    days, real = _days(rest // 10_000, rest // 100 % 100, rest % 100)
    read = real & (numbers >= 10 ** (length - 1)) & (numbers < 10**length) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = np.where(read, ((days * 24 + hour) * 60 + minute) * 60 + second, 0)
    return Moments(seconds, np.zeros_like(seconds), read, np.zeros_like(read))


def _alike(cells: pa.Array) -> Iterator[tuple[IntArray, NDArray[np.uint8], int]]:
    """Cells of one length and one way to write the offset: their numbers, their bytes, and the offset's length."""
    array = cells.cast(pa.large_string())
    _, offsets, content = array.buffers()
    if content is None:
        return
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    signs = np.frombuffer(content, dtype=np.uint8)
    lengths = np.diff(starts)
    longest = _SECOND + 1 + _NANO_DIGITS + max(_ZONES)
    for length in np.unique(lengths[(lengths >= _DATE) & (lengths <= longest)]).tolist():
        of_length = np.flatnonzero(lengths == length)
        for first in range(0, len(of_length), _AT_ONCE):
            rows = of_length[first : first + _AT_ONCE]
            text = signs[starts[rows][:, None] + np.arange(length)]
            zones = _zones(text)
            for zone in np.unique(zones).tolist():
                yield rows[zones == zone], text[zones == zone], zone


def _zones(text: NDArray[np.uint8]) -> IntArray:
    """How many characters at the end of each cell are an offset."""
    zones = np.where(text[:, -1] == ord("Z"), 1, 0)
    if text.shape[1] > _MINUTE:
        for place in (5, 6):
            signed = (text[:, -place] == ord("+")) | (text[:, -place] == ord("-"))
            zones = np.where(signed, place, zones)
    return zones.astype(np.int64)


def _shape_fits(text: NDArray[np.uint8], length: int, zone: int) -> BoolArray:
    """Whether the signs between the numbers, and the digits, are where they have to be."""
    fits = np.ones(len(text), dtype=np.bool_)
    if length not in (_DATE, _MINUTE, _SECOND) and not _SECOND + 2 <= length <= _SECOND + 1 + _NANO_DIGITS:
        return ~fits
    if zone and length == _DATE:
        return ~fits
    wanted = {4: "-", 7: "-", 10: "T ", 13: ":", 16: ":", 19: ".,"}
    for place, signs in wanted.items():
        if place < length:
            fits &= np.isin(text[:, place], [ord(sign) for sign in signs])
    digits = [place for there, places in _DIGITS.items() if there <= length for place in places]
    digits += list(range(_SECOND + 1, length))
    digits += [place for place in range(length + 1, length + zone) if zone < 6 or place != length + 3]
    if zone == 6:
        fits &= text[:, length + 3] == ord(":")
    there = text[:, digits]
    return fits & ((there >= ord("0")) & (there <= ord("9"))).all(axis=1)


def _offset(number: IntArray, text: NDArray[np.uint8], zone: int) -> tuple[IntArray | int, BoolArray | bool]:
    """The seconds that each cell's clock is ahead of UTC, and whether an offset may be so."""
    if zone < 5:
        return 0, True
    start = text.shape[1] - zone
    hours, minutes = _joined(number, start + 1, start + 3), _joined(number, text.shape[1] - 2, text.shape[1])
    ahead = np.where(text[:, start] == ord("-"), -1, 1) * (hours * 60 + minutes) * 60
    return ahead, (hours < 24) & (minutes < 60)


def _joined(number: IntArray, start: int, end: int) -> IntArray:
    """Digits of each cell as one number, shape (n,)."""
    return number[:, start:end] @ 10 ** np.arange(end - start - 1, -1, -1, dtype=np.int64)


def _days(year: IntArray, month: IntArray, day: IntArray) -> tuple[IntArray, BoolArray]:
    """Days since 1970, and whether there is such a day."""
    real = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12)
    months = np.where(real, (year - 1970) * 12 + month - 1, 0)
    first, following = ((months + later).astype("datetime64[M]").astype("datetime64[D]") for later in (0, 1))
    real &= (day >= 1) & (day <= (following - first).astype(np.int64))
    return first.astype(np.int64) + day - 1, real
