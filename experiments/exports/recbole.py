"""RecBole's atomic files: tab-separated, each column typed in the header (https://recbole.io/docs/user_guide/data/atomic_files.html).

Two data sets an arm, because RecBole's general models take every row of an `.inter` file for a positive one:
`<arm>/clicks` holds opened items only, `<arm>/impressions` everything shown whose outcome is known, with a label.
Point `data_path` at the arm's folder and name the data set `clicks` or `impressions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import KNOWN, OPENED, Arm, LoggedItem, LogSource
from groundlings.experiments.exports.text import ArmTables, TextTable, one_line, ratings_as_written

CLICKS = (
    "user_id:token", "item_id:token", "rating:float", "timestamp:float", "session_id:token", "rank:float",
    "synthetic:float",
)  # fmt: skip
IMPRESSIONS = (*CLICKS[:4], "label:float", *CLICKS[4:])
ITEMS = ("item_id:token", "title:token_seq", "year:token", "genres:token_seq", "synthetic:float")
SYNTHETIC = 1
_CLICKED: Mapping[str, str] = {
    "user_id": "text", "item_id": "text", "rating": "float", "timestamp": "int", "session_id": "int", "rank": "int",
}  # fmt: skip
_LABELLED: Mapping[str, str] = {
    "user_id": "text", "item_id": "text", "rating": "float", "timestamp": "int", "clicked": "int", "session_id": "int",
    "rank": "int",
}  # fmt: skip


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    rows: dict[str, int] = {}
    with ArmTables(directory, source.arms, "clicks/clicks.inter", "\t", CLICKS) as clicks:
        for arm, chunk in source.impression_columns(typed(_CLICKED), OPENED):
            clicks.write_columns(arm, _marked(chunk))
        rows |= clicks.rows
    with ArmTables(directory, source.arms, "impressions/impressions.inter", "\t", IMPRESSIONS) as impressions:
        for arm, chunk in source.impression_columns(typed(_LABELLED), KNOWN):
            impressions.write_columns(arm, _marked(chunk))
        rows |= impressions.rows
    items = source.items()
    people = [(agent.user_id, agent.persona["demographics"]) for agent in source.agents()]
    for arm in source.arms:
        for name in ("clicks", "impressions"):
            rows |= _write_people(people, directory, arm, name)
            rows |= _write_items(items, directory, arm, name)
    return Written(rows, _notes(items))


def _marked(rows: pa.Table) -> pa.Table:
    """Rows of interactions with their ratings as people write them, and what marks them as synthetic."""
    place = rows.schema.get_field_index("rating")
    told = rows.set_column(place, "rating", ratings_as_written(rows.column(place)))
    return told.append_column("synthetic", pa.repeat(SYNTHETIC, len(rows)))


def _write_people(
    people: Sequence[tuple[str, Mapping[str, str]]], directory: Path, arm: Arm, name: str
) -> dict[str, int]:
    attributes = sorted({key for _, known in people for key in known})
    header = ("user_id:token", *(f"{one_line(key)}:token" for key in attributes), "synthetic:float")
    file = f"{arm.folder}/{name}/{name}.user"
    with TextTable(directory / file, "\t", header) as table:
        table.write((user, *(one_line(known.get(key, "")) for key in attributes), SYNTHETIC) for user, known in people)
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
