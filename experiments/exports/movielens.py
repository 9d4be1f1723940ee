"""The files of a MovieLens set since 2015: `<arm>/ratings.csv` and `<arm>/movies.csv`, plus what the numbers mean.

MovieLens ids are whole numbers. Items keep the data set's own ids where all of them are; users are numbered, so that
no simulated person goes by the number of the real one.
"""

from __future__ import annotations

from pathlib import Path

from groundlings.environments.errors import DataError
from groundlings.experiments.exports.registry import Ahead, Written
from groundlings.experiments.exports.source import RATED, LoggedItem, LogSource
from groundlings.experiments.exports.text import ArmTables, TextTable, as_written

RATINGS = ("userId", "movieId", "rating", "timestamp")
MOVIES = ("movieId", "title", "genres")

_DIGITS = 18
"""Of a number that readers take for a whole one."""


_NOTHING_ELSE = (
    "and a MovieLens file holds nothing but ratings; export to lenskit or recbole, which carry opened items, or to "
    "parquet"
)


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    items = source.items()
    own_numbers = all(_is_number(item.source_id) for item in items)
    numbers = {item.item_id: int(item.source_id) if own_numbers else item.number + 1 for item in items}
    users: dict[int, int] = {}
    with TextTable(directory / "user_numbers.csv", ",", ("userId", "source_user_id", "synthetic")) as meanings:
        for agent in source.agents():
            users[agent.agent_id] = agent.number
            meanings.write([(agent.number, agent.user_id, "true")])
    with ArmTables(directory, source.arms, "ratings.csv", ",", RATINGS) as ratings:
        for arm, rows in source.impressions(("agent_id", "item_number", "rating", "timestamp"), RATED):
            ratings.write(
                arm,
                ((users[agent], numbers[item], as_written(stars), when) for agent, item, stars, when in rows),
            )
    if not any(ratings.rows.values()):
        raise DataError(f"nobody rated in this run, {_NOTHING_ELSE}")
    with ArmTables(directory, source.arms, "movies.csv", ",", MOVIES) as movies:
        for arm in source.arms:
            movies.write(arm, ((numbers[item.item_id], _title(item), _genres(item)) for item in items))
    with TextTable(directory / "item_numbers.csv", ",", ("movieId", "source_item_id")) as meanings:
        meanings.write((numbers[item.item_id], item.source_id) for item in items)
    notes = (
        "userId is the agent's number in the run; user_numbers.csv names the real person behind it.",
        "movieId is the data set's own item id."
        if own_numbers
        else "The data set's item ids are not whole numbers: movieId is a number, item_numbers.csv says of what.",
    )
    return Written(ratings.rows | movies.rows, notes)


def check(ahead: Ahead) -> None:
    """See `registry.Format.check`."""
    if "rate" not in ahead.actions:
        raise DataError(
            f"nobody can rate in this environment (its actions are {', '.join(ahead.actions)}), {_NOTHING_ELSE}"
        )


def _is_number(text: str) -> bool:
    """Whether a number written out again gives the same text, so that no two ids fall together."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and str(int(text)) == text


def _title(item: LoggedItem) -> str:
    return item.title if item.year is None else f"{item.title} ({item.year})"


def _genres(item: LoggedItem) -> str:
    return "|".join(item.genres) or "(no genres listed)"
