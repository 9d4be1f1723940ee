"""Impressions of a log in parts, added up part after part.

Sums have a place for each group, so that an impression takes a few nanoseconds. A database joins each impression with
its session and looks for its group, which takes fifty times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.reading.batches import refused
from groundlings.simulator.log.reading.part_rows import PartRows, parts_of, rows_in_parts, sessions_in_parts

if TYPE_CHECKING:
    import pandas as pd

_OF_SESSIONS = ("session_id", "arm_id", "agent_id", "day", "ended_by", "pages", "satisfaction")
_COUNTED = ("shown", "known", "clicks")


@dataclass(frozen=True, slots=True)
class Alike:
    """Agents of whom equally much is known in one position of a page, and who clicked equally often there.

    Attributes:
        arm_id: Of the arm.
        position: 0 is the first.
        known, clicks: Impressions with known outcome, and those that were clicked.
        agents: How many they are.
    """

    arm_id: int
    position: int
    known: int
    clicks: int
    agents: int


def totals_by_session(log: ColumnarConnection, like_from: float) -> pd.DataFrame:
    """One row per session, with what `SumReader.session_totals` tells of it and of its impressions.

    Args:
        log: To read.
        like_from: From this many stars on, a rating is a like.
    """
    came = sessions_in_parts(log, _OF_SESSIONS)
    frame = came.to_pandas().astype({"day": np.int64, "pages": np.int64})
    frame = frame.assign(sessions=1, asked=came.column("satisfaction").is_valid().to_numpy())
    sums: dict[str, Any] = {name: np.zeros(len(frame), dtype=np.int64) for name in (*_COUNTED, "ratings", "likes")}
    sums["stars"] = np.zeros(len(frame))
    for each in rows_in_parts(log, parts_of(log, "impressions"), ("clicked", "rating"), ()):
        known, clicked = _outcomes(each)
        rated, stars = np.asarray(each.rows.column("rating").is_valid()), each.rows.column("rating").to_numpy()
        here, sessions = slice(each.part.first_session - 1, each.part.last_session), len(each.sessions)
        counted = {"known": known, "clicks": clicked, "ratings": rated, "likes": stars >= like_from}
        sums["shown"][here] = np.bincount(each.of, minlength=sessions)
        for name, rows in counted.items():
            sums[name][here] = np.bincount(each.of[rows], minlength=sessions)
        sums["stars"][here] = np.bincount(each.of[rated], weights=stars[rated], minlength=sessions)
    return frame.assign(**sums)


def agents_by_position(log: ColumnarConnection, agents: range) -> Iterator[Alike]:
    """Who was shown something in each position of a page, arm by arm; memory: 9 bytes per agent and position.

    Args:
        log: To read.
        agents: Their numbers.
    """
    for arm_id, arm_parts in _by_arm(log):
        shown, known, clicks = (np.zeros((0, len(agents)), dtype=kind) for kind in (np.bool_, np.int32, np.int32))
        for each in rows_in_parts(log, arm_parts, ("position", "clicked"), ("agent_id",)):
            position = each.rows.column("position").to_numpy()
            missing = int(position.max(initial=-1)) + 1 - len(shown)
            if missing > 0:
                shown, known, clicks = (np.pad(grid, ((0, missing), (0, 0))) for grid in (shown, known, clicks))
            cells = position.astype(np.int64) * len(agents) + _places(each.of_sessions("agent_id"), agents, "agent_id")
            is_known, is_clicked = _outcomes(each)
            shown.ravel()[cells] = True
            np.add.at(known.ravel(), cells[is_known], 1)
            np.add.at(clicks.ravel(), cells[is_clicked], 1)
        for position, here in enumerate(shown):
            several = int(clicks[position].max(initial=0)) + 1
            counts = np.bincount(known[position][here] * np.int64(several) + clicks[position][here])
            for code in np.flatnonzero(counts).tolist():
                yield Alike(arm_id, position, *divmod(code, several), int(counts[code]))


def counts_by_item(log: ColumnarConnection, parts: int, agents: range, items: range) -> pd.DataFrame:
    """One row per arm, part of the agents and item that was shown: as of `ItemReader.items_shown`.

    Args:
        log: To read.
        parts: Into how many parts the agents are divided.
        agents, items: Their numbers.
    """
    import pandas as pd

    frames = [pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in ("arm_id", "part", "item_id", *_COUNTED)})]
    for arm_id, arm_parts in _by_arm(log):
        shown, known, clicks = (np.zeros(parts * len(items), dtype=np.int64) for _ in _COUNTED)
        for each in rows_in_parts(log, arm_parts, ("item_id", "clicked"), ("agent_id",)):
            part = _places(each.of_sessions("agent_id"), agents, "agent_id") % parts
            cells = part * len(items) + _places(each.rows.column("item_id").to_numpy(), items, "item_id")
            is_known, is_clicked = _outcomes(each)
            for counts, here in ((shown, cells), (known, cells[is_known]), (clicks, cells[is_clicked])):
                np.add.at(counts, here, 1)
        cells = np.flatnonzero(shown)
        part, item = np.divmod(cells, len(items))
        found = dict(zip(_COUNTED, (shown[cells], known[cells], clicks[cells]), strict=True))
        frames.append(pd.DataFrame({"arm_id": arm_id, "part": part, "item_id": item + items.start, **found}))
    return pd.concat(frames, ignore_index=True)


def _by_arm(log: ColumnarConnection) -> Iterator[tuple[int, list[Part]]]:
    """Parts of impressions, arm by arm."""
    for arm_id in sorted({part.arm_id for part in parts_of(log, "impressions")}):
        yield arm_id, parts_of(log, "impressions", arm_id)


def _outcomes(each: PartRows) -> tuple[BoolArray, BoolArray]:
    """Which impressions have a known outcome, and which were clicked."""
    clicked = each.rows.column("clicked")
    return np.asarray(clicked.is_valid()), np.asarray(clicked.fill_null(False))


def _places(numbers: IntArray, known: range, name: str) -> IntArray:
    """The place of each number among those that follow each other.

    Raises:
        sqlite3.OperationalError: A number is none of them.
    """
    if len(numbers) and not known.start <= numbers.min() <= numbers.max() < known.stop:
        raise refused(name, "found a number that nothing has")
    return numbers - known.start
