"""Impressions of a log in parts, added up part after part.

Sums have a place for each group, so that an impression takes a few nanoseconds. A database joins each impression with
its session and looks for its group, which takes fifty times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.simulator.log.columnar import ColumnarConnection
from groundlings.simulator.log.parts import Part
from groundlings.simulator.log.reading.batches import refused
from groundlings.simulator.log.reading.cells import refuse_places
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
        rated, stars = np.asarray(each.rows.column("rating").is_valid()), each.rows.column("rating").to_numpy()
        here, sessions = slice(each.part.first_session - 1, each.part.last_session), len(each.sessions)
        for name, counts in zip(_COUNTED, _by_outcome(np.bincount(*_coded(each, each.of, sessions))), strict=True):
            sums[name][here] = counts
        sums["ratings"][here] = np.bincount(each.of[rated], minlength=sessions)
        sums["likes"][here] = np.bincount(each.of[stars >= like_from], minlength=sessions)
        sums["stars"][here] = np.bincount(each.of[rated], weights=stars[rated], minlength=sessions)
    return frame.assign(**sums)


def agents_by_position(log: ColumnarConnection, agents: range) -> Iterator[Alike]:
    """Who was shown something in each position of a page, arm by arm; memory: 12 bytes per agent and position.

    Args:
        log: To read.
        agents: Their numbers.
    """
    for arm_id, arm_parts in _by_arm(log):
        found = np.zeros((len(_COUNTED), 0, len(agents)), dtype=np.int32)
        for each in rows_in_parts(log, arm_parts, ("position", "clicked"), ("agent_id",)):
            came, place = np.unique(each.sessions.column("agent_id").to_numpy(), return_inverse=True)
            position = each.rows.column("position").to_numpy()
            ends = position.min(initial=0), position.max(initial=0)
            refuse_places(log.directory, "impressions.position", map(int, ends))
            width = int(position.max(initial=-1)) + 1
            if width > found.shape[1]:
                found = np.pad(found, ((0, 0), (0, width - found.shape[1]), (0, 0)))
            codes = _coded(each, position * np.int64(len(came)) + place[each.of], width * len(came))
            counts = _by_outcome(np.bincount(*codes)).reshape(-1, width, len(came))
            found[:, :width, _places(came, agents, "agent_id")] += counts.astype(np.int32)
        for position, (shown, known, clicks) in enumerate(found.transpose(1, 0, 2)):
            several = int(clicks.max()) + 1
            alike = np.bincount((known * np.int64(several) + clicks)[shown > 0])
            for code in np.flatnonzero(alike).tolist():
                yield Alike(arm_id, position, *divmod(code, several), int(alike[code]))


def counts_by_item(log: ColumnarConnection, parts: int, agents: range, items: range) -> pd.DataFrame:
    """One row per arm, part of the agents and item that was shown: as of `ItemReader.items_shown`.

    Args:
        log: To read.
        parts: Into how many parts the agents are divided.
        agents, items: Their numbers.
    """
    import pandas as pd

    def codes(arm_parts: Sequence[Part]) -> Iterator[IntArray]:
        for each in rows_in_parts(log, arm_parts, ("item_id", "clicked"), ("agent_id",)):
            part = _places(each.sessions.column("agent_id").to_numpy(), agents, "agent_id") % parts
            item = _places(each.rows.column("item_id").to_numpy(), items, "item_id")
            yield _coded(each, part[each.of] * len(items) + item, parts * len(items))[0]

    frames = [pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in ("arm_id", "part", "item_id", *_COUNTED)})]
    for arm_id, arm_parts in _by_arm(log):
        counts = _by_outcome(_counted(codes(arm_parts), len(_COUNTED) * parts * len(items)))
        cells = np.flatnonzero(counts[0])
        part, item = np.divmod(cells, len(items))
        found = dict(zip(_COUNTED, counts[:, cells], strict=True))
        frames.append(pd.DataFrame({"arm_id": arm_id, "part": part, "item_id": item + items.start, **found}))
    return pd.concat(frames, ignore_index=True)


def _coded(each: PartRows, groups: IntArray, n_groups: int) -> tuple[IntArray, None, int]:
    """A number that says group and outcome of each impression, as `np.bincount` takes them with how many there are.

    Args:
        each: The impressions.
        groups: Which group each is of.
        n_groups: How many there are.
    """
    clicked = each.rows.column("clicked")
    outcome = np.asarray(clicked.is_valid()).astype(np.int64) + np.asarray(clicked.fill_null(False))
    return outcome * n_groups + groups, None, len(_COUNTED) * n_groups


def _by_outcome(counts: IntArray) -> IntArray:
    """Of each group how many impressions were shown, are known and were clicked, shape (3, n_groups).

    Args:
        counts: How often each number of `_coded` occurs.
    """
    unknown, passed, clicked = counts.reshape(len(_COUNTED), -1)
    return np.stack([unknown + passed + clicked, passed + clicked, clicked])


def _counted(codes: Iterable[IntArray], n: int) -> IntArray:
    """How often each number below `n` occurs: so many arrays are counted at a time that they are as long as the
    answer."""
    found, waiting, held = np.zeros(n, dtype=np.int64), [], 0
    for each in codes:
        waiting.append(each)
        held += len(each)
        if held >= n:
            found += np.bincount(np.concatenate(waiting), minlength=n)
            waiting, held = [], 0
    return found + np.bincount(np.concatenate(waiting), minlength=n) if waiting else found


def _by_arm(log: ColumnarConnection) -> Iterator[tuple[int, list[Part]]]:
    """Parts of impressions, arm by arm."""
    for arm_id in sorted({part.arm_id for part in parts_of(log, "impressions")}):
        yield arm_id, parts_of(log, "impressions", arm_id)


def _places(numbers: IntArray, known: range, name: str) -> IntArray:
    """The place of each number among those that follow each other.

    Raises:
        sqlite3.OperationalError: A number is none of them.
    """
    if len(numbers) and not known.start <= numbers.min() <= numbers.max() < known.stop:
        raise refused(name, "found a number that nothing has")
    return numbers - known.start
