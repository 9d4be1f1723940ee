"""TREC qrels and run, `<arm>/qrels.txt` and `<arm>/run.txt`: one topic a session.

The run holds the ranking as it was shown, the qrels what came of it, so any TREC tool scores how well the session was
ranked for the person who made it. Tools sort a run by its score column and break ties as they like, therefore that
column counts down from the depth of the site and is not the recommender's own score.

A judgement exists only where an item was shown and its outcome is known. Tools count unjudged items as not relevant,
so these figures describe this run; they do not compare rankings of items that nobody was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.registry import Ahead, Written
from groundlings.experiments.exports.source import KNOWN, LogSource
from groundlings.experiments.exports.text import ArmTables, refuse_separators
from groundlings.simulator.arm import SECONDS_PER_DAY

SHOWN, OPENED, LIKED = 0, 1, 2
_LOGGED: Mapping[str, str] = {
    "session_id": "int", "user_id": "text", "day": "int", "timestamp": "int", "item_id": "text", "rank": "int",
    "clicked": "bool", "rating": "float",
}  # fmt: skip
_LIKED = {
    "rate": "Grade 2 (liked) is a rating of at least {like:g} stars.",
    "like": "Grade 2 is a like.",
    None: "There is no grade 2 (liked): nothing was rated or liked in this run.",
}
"""By the action of opinions."""


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    depth = source.run["page_size"] * source.run["max_pages"]
    like = source.run["like_from"]
    morning = _morning(source)
    with (
        ArmTables(directory, source.arms, "qrels.txt", " ") as qrels,
        ArmTables(directory, source.arms, "run.txt", " ") as runs,
    ):
        for arm, chunk in source.impression_columns(typed(_LOGGED), KNOWN):
            topics, items, ranks = _topics(chunk, morning), chunk["item_id"], chunk["rank"]
            nothing, rows = pa.repeat(0, len(chunk)), len(chunk)
            qrels.write_columns(
                arm, pa.table({"topic": topics, "0": nothing, "item": items, "grade": _grades(chunk, like)})
            )
            shown: dict[str, Any] = {
                "topic": topics,
                "Q0": pa.repeat("Q0", rows),
                "item": items,
                "rank": pc.add(ranks, 1),
                "score": pc.subtract(depth, ranks),
                "tag": pa.repeat(f"synthetic-{arm.folder}", rows),
            }
            runs.write_columns(arm, pa.table(shown))
    return Written(
        qrels.rows | runs.rows,
        (
            _LIKED[source.opinion].format(like=like),
            f"The score column is {depth} - (rank - 1), not the recommender's score.",
            "A session in which nothing was shown, or nothing is known, is no topic.",
        ),
    )


def check(ahead: Ahead) -> None:
    """See `registry.Format.check`."""
    refuse_separators([*ahead.items, *ahead.users], " ")


def topic(user_id: str, day: int, seconds: int) -> str:
    """The id of a session; a later one of a day has its time of the day in it.

    Args:
        user_id: The data set's own.
        day: 0 is the first.
        seconds: Since the morning of that first day.
    """
    later = seconds - day * SECONDS_PER_DAY
    return f"sim-{user_id}-day{day}" + (f"-second{later}" if later else "")


def _morning(source: LogSource) -> int:
    """When day 0 began: the first session of a log is the first of its day, whether or not its outcome is known."""
    for _, rows in source.table("sessions", ("session_id",), ("day", "sim_time")):
        day, time = rows[0]
        return int(time) - int(day) * SECONDS_PER_DAY
    return 0  # nobody came, so there is no topic


def _topics(rows: pa.Table, morning: int) -> pa.Array:
    """The topic of each impression; a session is named once."""
    sessions = rows["session_id"].to_numpy()
    firsts = np.concatenate([[True], sessions[1:] != sessions[:-1]])
    first = rows.select(["user_id", "day", "timestamp"]).filter(pa.array(firsts)).to_pydict()
    named = [
        topic(user, day, time - morning)
        for user, day, time in zip(first["user_id"], first["day"], first["timestamp"], strict=True)
    ]
    return pa.array(named, pa.string()).take(pa.array(np.cumsum(firsts) - 1))


def _grades(rows: pa.Table, like: float) -> pa.Array:
    liked = pc.fill_null(pc.greater_equal(rows["rating"], like), False)
    return pc.if_else(liked, LIKED, pc.if_else(rows["clicked"], OPENED, SHOWN))
