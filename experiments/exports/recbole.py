"""RecBole's atomic files: tab-separated, each column typed in the header (https://recbole.io/docs/user_guide/data/atomic_files.html).

Two data sets an arm, because RecBole's general models take every row of an `.inter` file for a positive one:
`<arm>/clicks` holds opened items only, `<arm>/impressions` everything shown whose outcome is known, with a label.
Point `data_path` at the arm's folder and name the data set `clicks` or `impressions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from groundlings.environments.errors import DataError
from groundlings.environments.words import plural
from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.registry import Ahead, Written
from groundlings.experiments.exports.source import KNOWN, OPENED, Arm, LoggedItem, LogSource
from groundlings.experiments.exports.text import ArmTables, TextTable, one_line, ratings_as_written, refuse_separators

CLICKS = (
    "user_id:token", "item_id:token", "rating:float", "timestamp:float", "session_id:token", "rank:float",
    "synthetic:float",
)  # fmt: skip
IMPRESSIONS = (*CLICKS[:4], "label:float", *CLICKS[4:])
ITEMS = ("item_id:token", "title:token_seq", "year:token", "genres:token_seq", "synthetic:float")
SYNTHETIC = 1
_MISSING = frozenset(
    {
        "-1.#IND", "1.#QNAN", "1.#IND", "-1.#QNAN", "#N/A N/A", "#N/A", "N/A", "n/a", "NA", "<NA>", "#NA", "NULL",
        "null", "NaN", "-NaN", "nan", "-nan", "None",
    }
)  # fmt: skip
"""What pandas takes for a missing value, by which RecBole reads."""
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
    items = source.items()
    people = [(agent.user_id, agent.persona["demographics"]) for agent in source.agents()]
    _check_ids([*(item.source_id for item in items), *(user for user, _ in people)])
    with ArmTables(directory, source.arms, "clicks/clicks.inter", "\t", CLICKS) as clicks:
        for arm, chunk in source.impression_columns(typed(_CLICKED), OPENED):
            clicks.write_columns(arm, _marked(chunk))
        rows |= clicks.rows
    with ArmTables(directory, source.arms, "impressions/impressions.inter", "\t", IMPRESSIONS) as impressions:
        for arm, chunk in source.impression_columns(typed(_LABELLED), KNOWN):
            impressions.write_columns(arm, _marked(chunk))
        rows |= impressions.rows
    attributes = _Attributes.of(people)
    for arm in source.arms:
        for name in ("clicks", "impressions"):
            rows |= _write_people(people, attributes, directory, arm, name)
            rows |= _write_items(items, directory, arm, name)
    return Written(rows, (*_notes(items), *attributes.notes))


def check(ahead: Ahead) -> None:
    """See `registry.Format.check`."""
    ids = [*ahead.items, *ahead.users]
    _check_ids(ids)
    refuse_separators(ids, "\t")


def _marked(rows: pa.Table) -> pa.Table:
    """Rows of interactions with ids as RecBole reads them, ratings as people write them, and the synthetic mark."""
    told = rows
    for name, of in (("rating", ratings_as_written), ("user_id", _ids), ("item_id", _ids)):
        place = told.schema.get_field_index(name)
        told = told.set_column(place, name, of(told.column(place)))
    return told.append_column("synthetic", pa.repeat(SYNTHETIC, len(rows)))


def _ids(column: pa.ChunkedArray) -> pa.Array:
    """`_cell` of each."""
    coded = column.combine_chunks().dictionary_encode()
    return pa.array(map(_cell, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def _cell(text: str) -> str:
    """A text as pandas reads it, by which RecBole reads: a quotation mark in front begins a quote to it."""
    escaped = text.replace('"', '""')
    return f'"{escaped}"' if text.startswith('"') else text


def _check_ids(ids: Iterable[str]) -> None:
    for each in ids:
        if each in _MISSING:
            raise DataError(
                f"the id {each!r} means a missing value to RecBole, which drops such rows in silence; export to "
                "parquet, or change the id in the data"
            )


@dataclass(frozen=True, slots=True)
class _Attributes:
    """What is known of people, and under which names RecBole can read it.

    Attributes:
        names: Attribute -> name of its column.
        notes: What was changed.
    """

    names: Mapping[str, str]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, people: Sequence[tuple[str, Mapping[str, str]]]) -> _Attributes:
        """Of the attributes of people."""
        names: dict[str, str] = {}
        taken = {"user_id", "synthetic"}
        for key in sorted({key for _, known in people for key in known}):
            plain = name = re.sub(r'[:"]', "_", one_line(key))
            number = 1
            while name in taken:
                number += 1
                name = f"{plain}_{number}"
            taken.add(name)
            names[key] = name
        notes = [
            f"The attribute {key!r} has the column {name}: RecBole takes no name with a colon, a quotation mark or a "
            "line break, and none twice."
            for key, name in names.items()
            if key != name
        ]
        changed = sum(any(one_line(text) != text for text in known.values()) for _, known in people)
        if changed:
            notes.append(
                f"{plural(changed, 'person has', 'people have')} an attribute that held a tab, a line break or doubled "
                "blanks, written as one blank."
            )
        return cls(names, tuple(notes))


def _write_people(
    people: Sequence[tuple[str, Mapping[str, str]]], attributes: _Attributes, directory: Path, arm: Arm, name: str
) -> dict[str, int]:
    header = ("user_id:token", *(f"{column}:token" for column in attributes.names.values()), "synthetic:float")
    file = f"{arm.folder}/{name}/{name}.user"
    with TextTable(directory / file, "\t", header) as table:
        table.write(
            (_cell(user), *(_cell(one_line(known.get(key, ""))) for key in attributes.names), SYNTHETIC)
            for user, known in people
        )
        return {file: table.count}


def _write_items(items: Iterable[LoggedItem], directory: Path, arm: Arm, name: str) -> dict[str, int]:
    file = f"{arm.folder}/{name}/{name}.item"
    with TextTable(directory / file, "\t", ITEMS) as table:
        table.write(
            (
                *map(_cell, (item.source_id, one_line(item.title))),
                item.year,
                _cell(" ".join(map(_word, item.genres))),
                SYNTHETIC,
            )
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
        notes.append(f"{plural(changed, 'title')} held a tab, a line break or doubled blanks, written as one blank.")
    joined = sum(any(_word(genre) != genre for genre in item.genres) for item in items)
    if joined:
        notes.append(
            f"{plural(joined, 'item has', 'items have')} a genre of several words, joined by `_`: a blank separates "
            "genres."
        )
    return tuple(notes)
