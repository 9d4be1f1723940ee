"""RecBole's atomic files: tab-separated, each column typed in the header (https://recbole.io/docs/user_guide/data/atomic_files.html).

Two data sets an arm, because RecBole's general models take every row of an `.inter` file for a positive one:
`<arm>/clicks` holds opened items only, `<arm>/impressions` everything shown whose outcome is known, with a label.
Point `data_path` at the arm's folder and name the data set `clicks` or `impressions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, OPENED, Arm, LoggedItem, LogSource
from groundlings.experiments.exports.text import ArmTables, TextTable, as_written, one_line

CLICKS = (
    "user_id:token", "item_id:token", "rating:float", "timestamp:float", "session_id:token", "rank:float",
    "synthetic:float",
)  # fmt: skip
IMPRESSIONS = (*CLICKS[:4], "label:float", *CLICKS[4:])
ITEMS = ("item_id:token", "title:token_seq", "year:token", "genres:token_seq", "synthetic:float")
SYNTHETIC = 1


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    rows: dict[str, int] = {}
    columns = ("user_id", "item_id", "rating", "timestamp", "session_id", "rank")
    with ArmTables(directory, source.arms, "clicks/clicks.inter", "\t", CLICKS) as clicks:
        for arm, chunk in source.impressions(columns, OPENED):
            clicks.write(arm, ((*row[:2], as_written(row[2]), *row[3:], SYNTHETIC) for row in chunk))
        rows |= clicks.rows
    labelled = (*columns[:4], "clicked", *columns[4:])
    with ArmTables(directory, source.arms, "impressions/impressions.inter", "\t", IMPRESSIONS) as impressions:
        for arm, chunk in source.impressions(labelled, KNOWN):
            impressions.write(
                arm,
                ((*row[:2], as_written(row[2]), row[3], int(row[4]), *row[5:], SYNTHETIC) for row in chunk),
            )
        rows |= impressions.rows
    items = source.items()
    for arm in source.arms:
        for name in ("clicks", "impressions"):
            rows |= _write_people(source, directory, arm, name)
            rows |= _write_items(items, directory, arm, name)
    return Written(rows, _notes(items))


def _write_people(source: LogSource, directory: Path, arm: Arm, name: str) -> dict[str, int]:
    attributes = sorted({key for agent in source.agents() for key in agent.persona["demographics"]})
    header = ("user_id:token", *(f"{one_line(key)}:token" for key in attributes), "synthetic:float")
    file = f"{arm.folder}/{name}/{name}.user"
    with TextTable(directory / file, "\t", header) as table:
        table.write(
            (
                agent.user_id,
                *(one_line(agent.persona["demographics"].get(key, "")) for key in attributes),
                SYNTHETIC,
            )
            for agent in source.agents()
        )
        return {file: table.count}


def _write_items(items: Iterable[LoggedItem], directory: Path, arm: Arm, name: str) -> dict[str, int]:
    file = f"{arm.folder}/{name}/{name}.item"
    with TextTable(directory / file, "\t", ITEMS) as table:
        table.write(
            (item.source_id, one_line(item.title), item.year, " ".join(map(_word, item.genres)), SYNTHETIC)
            for item in items
        )
        return {file: table.count}


def _word(genre: str) -> str:
    return "_".join(genre.split())


def _notes(items: list[LoggedItem]) -> tuple[str, ...]:
    notes = [
        "`synthetic` of an item or person says that the file was written by a simulation; titles and attributes are "
        "the source's.",
        "RecBole fills an empty rating with the mean of the others. To train on ratings, set "
        "`val_interval: {rating: '[0,inf)'}`, which drops the rows without one first.",
    ]
    changed = sum(one_line(item.title) != item.title for item in items)
    if changed:
        notes.append(f"{changed} titles held a tab, a line break or doubled blanks, written as one blank.")
    joined = sum(any(_word(genre) != genre for genre in item.genres) for item in items)
    if joined:
        notes.append(f"{joined} items have a genre of several words, joined by `_`: a blank separates genres.")
    return tuple(notes)
