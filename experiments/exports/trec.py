"""TREC qrels and run, `<arm>/qrels.txt` and `<arm>/run.txt`: one topic a session.

The run holds the ranking as it was shown, the qrels what came of it, so any TREC tool scores how well the session was
ranked for the person who made it. Tools sort a run by its score column and break ties as they like, therefore that
column counts down from the depth of the site and is not the recommender's own score.

A judgement exists only where an item was shown and its outcome is known. Tools count unjudged items as not relevant,
so these figures describe this run; they do not compare rankings of items that nobody was shown.
"""

from __future__ import annotations

from pathlib import Path

from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, LogSource
from groundlings.experiments.exports.text import ArmTables
from groundlings.simulator.arm import SECONDS_PER_DAY

SHOWN, OPENED, LIKED = 0, 1, 2
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
    columns = ("user_id", "day", "timestamp", "item_id", "rank", "clicked", "rating")
    morning: int | None = None  # of day 0: the first session of a log is the first of its day
    with (
        ArmTables(directory, source.arms, "qrels.txt", " ") as qrels,
        ArmTables(directory, source.arms, "run.txt", " ") as runs,
    ):
        for arm, chunk in source.impressions(columns, KNOWN):
            if morning is None and chunk:
                _, day, time, *_ = chunk[0]
                morning = time - day * SECONDS_PER_DAY
            topics = [topic(user, day, time - (morning or 0)) for user, day, time, *_ in chunk]
            tag = f"synthetic-{arm.folder}"
            qrels.write(
                arm,
                (
                    (name, 0, item, _grade(clicked, stars, like))
                    for name, (_, _, _, item, _, clicked, stars) in zip(topics, chunk, strict=True)
                ),
            )
            runs.write(
                arm,
                (
                    (name, "Q0", item, rank + 1, depth - rank, tag)
                    for name, (_, _, _, item, rank, _, _) in zip(topics, chunk, strict=True)
                ),
            )
    return Written(
        qrels.rows | runs.rows,
        (
            _LIKED[source.opinion].format(like=like),
            f"The score column is {depth} - (rank - 1), not the recommender's score.",
            "A session in which nothing was shown, or nothing is known, is no topic.",
        ),
    )


def topic(user_id: str, day: int, seconds: int) -> str:
    """The id of a session; a later one of a day has its time of the day in it.

    Args:
        user_id: The data set's own.
        day: 0 is the first.
        seconds: Since the morning of that first day.
    """
    later = seconds - day * SECONDS_PER_DAY
    return f"sim-{user_id}-day{day}" + (f"-second{later}" if later else "")


def _grade(clicked: int, stars: float | None, like: float) -> int:
    if stars is not None and stars >= like:
        return LIKED
    return OPENED if clicked else SHOWN
