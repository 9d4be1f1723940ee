"""Agents of a large run: what was measured of each, a column per number, in the place of a persona of two kilobytes.

In SQLite the table `agents` keeps its name and its first four columns. `run_id` and `persona` are computed when they
are read (generated columns): the persona is the JSON of what was measured, put together of texts, because SQLite's
functions for JSON are refused in a table that nobody vouches for (`trusted_schema`). PostgreSQL computes no JSON in a
table, so there the same JSON stands in the column.

Everything here reads the numbers and has `persona_of` make the persona, because versions of SQLite differ in the last
digits of a number that they write as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy as np
from sqlalchemy import Column, Connection, Float, MetaData, Table, text
from sqlalchemy import Integer as WholeNumber
from sqlalchemy import Text as PlainText

from groundlings.personas.measured import MeasuredPersonas, measured_personas
from groundlings.personas.population import Population
from groundlings.personas.profile import LEVELS
from groundlings.simulator.log.canonical import PIECE_ROWS
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.reading.batches import read_in_pieces

stored = Table(
    "agents",
    MetaData(),  # only the logs of large runs have it
    Column("agent_id", WholeNumber, primary_key=True, autoincrement=False),
    Column("source_user_id", PlainText, nullable=False),
    Column("history_length", WholeNumber, nullable=False),  # training interactions
    Column("activity", WholeNumber, nullable=False),  # items met
    Column("activity_level", WholeNumber, nullable=False),  # 0 low, 1 medium, 2 high
    Column("diversity", WholeNumber, nullable=False),  # genres met
    Column("diversity_level", WholeNumber, nullable=False),
    Column("conformity", Float),  # mean squared distance from the items' mean ratings; NULL = never rated
    Column("conformity_level", WholeNumber),
    Column("ratings", WholeNumber, nullable=False),  # ratings given
    Column("rating_sum", Float, nullable=False),
    Column("rating_spread", Float),  # standard deviation; NULL with fewer than two
    Column("favourite", PlainText),  # the category that stands out most; NULL = none is known
    Column("demographics", PlainText),  # JSON; NULL = nothing is known
    Column("json_names", PlainText),  # JSON of both texts where one needs escapes in it; else NULL
)
"""What is stored of each agent; the columns that are computed are not among them."""


def _json_number(expression: str) -> str:
    return f"CASE WHEN {expression} IS NULL THEN 'null' ELSE printf('%!.17g', {expression}) END"


def _json_trait(name: str) -> str:
    words = " ".join(f"WHEN {level} THEN '{word}'" for level, word in enumerate(LEVELS))
    return (
        f"""'"{name}": {{"level": "' || CASE {name}_level {words} END || '", "value": ' || """
        f"""{_json_number(f"CAST({name} AS REAL)")} || '}}'"""
    )


_NAMES = """'"favourite": ' || coalesce('"' || favourite || '"', 'null') || ', "user_id": "' || source_user_id || '"'"""
_PERSONA = f"""'{{"demographics": ' || coalesce(demographics, '{{}}') || ', ' || coalesce(json_names, {_NAMES})
    || ', "history_length": ' || history_length
    || ', "style": {{"mean": ' || {_json_number("rating_sum / nullif(ratings, 0)")} || ', "ratings": ' || ratings
    || ', "spread": ' || {_json_number("rating_spread")} || '}}, "traits": {{' || {_json_trait("activity")} || ', '
    || CASE WHEN conformity IS NULL THEN '' ELSE {_json_trait("conformity")} || ', ' END || {_json_trait("diversity")}
    || '}}}}'"""


def table_of_agents(run_id: str) -> str:
    """The statement that makes the table of one run, as SQLite keeps it."""
    kinds = {"INTEGER": "INTEGER", "FLOAT": "REAL", "TEXT": "TEXT"}
    columns = [
        f"{column.name} {kinds[str(column.type)]}{'' if column.nullable else ' NOT NULL'}"
        f"{' PRIMARY KEY' if column.primary_key else ''}"
        for column in stored.columns
    ]
    quoted = run_id.replace("'", "''")
    computed = [
        f"run_id TEXT GENERATED ALWAYS AS ('{quoted}') VIRTUAL",
        f"persona TEXT GENERATED ALWAYS AS ({_PERSONA}) VIRTUAL",
    ]
    listed = ",\n  ".join([columns[0], computed[0], columns[1], computed[1], *columns[2:]])
    return f"CREATE TABLE agents (\n  {listed}\n)"


def are_measured(connection: Connection) -> bool:
    """Whether the agents of a log are kept so."""
    if connection.dialect.name != "sqlite":
        return False
    return any(row[1] == "history_length" for row in connection.exec_driver_sql("PRAGMA table_info(agents)"))


def make_table(connection: Connection, run_id: str) -> None:
    """Put this table in the place of the one for personas in full, in a log where no run has begun."""
    connection.execute(text(f"DROP TABLE {stored.name}"))
    connection.exec_driver_sql(table_of_agents(run_id))


def is_ours(connection: Connection) -> bool:
    """Whether the table computes what `make_table` had it compute."""
    runs = connection.execute(text("SELECT run_id FROM runs")).scalars().all()
    made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'agents'")).scalar_one()
    return [made] == [table_of_agents(str(run)) for run in runs]


def measured_rows(population: Population, first: int) -> Iterator[Row]:
    """A row of `stored` for each agent, in the order of the population.

    Args:
        population: Who takes part.
        first: Id of the first row.
    """
    for columns in measured_blocks(population, first):
        yield from zip(*columns, strict=True)


def measured_blocks(population: Population, first: int) -> Iterator[list[Sequence[Any]]]:
    """The same as columns, as many rows at a time as a seal takes in; see `measured_rows`."""
    for start in range(0, len(population), PIECE_ROWS):
        end = min(start + PIECE_ROWS, len(population))
        yield [range(first + start, first + end), *_cells(measured_personas(population, start, end))]


def _cells(people: MeasuredPersonas) -> Iterator[Sequence[Any]]:
    """The columns of `stored` behind the key."""
    told = {id(each): _as_json(each) for each in people.demographics if each}
    yield people.user_ids
    for column in (people.history_length, people.activity, people.activity_level, people.diversity):
        yield column.tolist()
    yield people.diversity_level.tolist()
    yield _known(people.conformity)
    yield [None if level < 0 else level for level in people.conformity_level.tolist()]
    yield people.ratings.tolist()
    yield people.rating_sum.tolist()
    yield _known(people.rating_spread)
    yield people.favourites
    yield [told.get(id(each)) for each in people.demographics] if told else [None] * len(people.user_ids)
    yield _names(people.favourites, people.user_ids)


def _names(favourites: Sequence[str | None], user_ids: Sequence[str]) -> list[str | None]:
    """The column `json_names` of some agents."""
    if _PLAIN("".join(user_ids)) and _PLAIN("".join(filter(None, set(favourites)))):
        return [None] * len(user_ids)
    return [_name(*each) for each in zip(favourites, user_ids, strict=True)]


def _name(favourite: str | None, user_id: str) -> str | None:
    if _PLAIN(user_id) and (favourite is None or _PLAIN(favourite)):
        return None
    return _as_json({"favourite": favourite, "user_id": user_id})[1:-1]


_PLAIN = re.compile(r'[^\x00-\x1f"\\]*').fullmatch
"""Whether a text stands in JSON as it is."""


def _known(values: Any) -> list[float | None]:
    cells: list[float | None] = values.tolist()
    for place in np.flatnonzero(np.isnan(values)).tolist():
        cells[place] = None
    return cells


def persona_text(row: Sequence[Any]) -> str:
    """`persona_of` as sorted JSON, put together in a fifth of the time; the same text wherever a log lies."""
    _, user_id, length, activity, activity_level, diversity, diversity_level, conformity, level, *rest = row
    ratings, rating_sum, spread, favourite, demographics, _ = rest
    conforms = "" if conformity is None else f'"conformity": {{"level": "{LEVELS[level]}", "value": {conformity!r}}}, '
    return (
        f'{{"demographics": {demographics or "{}"}, '
        f'"favourite": {"null" if favourite is None else encode_basestring(favourite)}, "history_length": {length}, '
        f'"style": {{"mean": {rating_sum / ratings if ratings else "null"}, "ratings": {ratings}, '
        f'"spread": {"null" if spread is None else spread}}}, '
        f'"traits": {{"activity": {{"level": "{LEVELS[activity_level]}", "value": {float(activity)!r}}}, {conforms}'
        f'"diversity": {{"level": "{LEVELS[diversity_level]}", "value": {float(diversity)!r}}}}}, '
        f'"user_id": {encode_basestring(user_id)}}}'
    )


def persona_texts(connection: Connection) -> Iterator[tuple[str, str]]:
    """Of each agent of a log that keeps them so: the user's id and `persona_text`, in the order of these ids."""
    query = f"SELECT {', '.join(stored.columns.keys())} FROM agents ORDER BY source_user_id"
    for rows in read_in_pieces(connection, query, PIECE_ROWS):
        for row in rows:
            yield row[1], persona_text(row)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def persona_of(row: Sequence[Any]) -> dict[str, Any]:
    """What a row of `stored` tells of an agent, as the log's column `persona` says it.

    It holds what `Persona.as_dict` holds, but for `liked`, `disliked`, `acts`, `description`, `genre_lifts` and
    `style.shares`; `favourite` is the genre with the highest lift.
    """
    _, user_id, length, activity, activity_level, diversity, diversity_level, conformity, level, *rest = row
    ratings, rating_sum, spread, favourite, demographics, _ = rest
    traits = {
        "activity": {"level": LEVELS[activity_level], "value": float(activity)},
        "diversity": {"level": LEVELS[diversity_level], "value": float(diversity)},
    }
    if conformity is not None:
        traits["conformity"] = {"level": LEVELS[level], "value": conformity}
    return {
        "demographics": json.loads(demographics) if demographics else {},
        "favourite": favourite,
        "history_length": length,
        "style": {"mean": rating_sum / ratings if ratings else None, "ratings": ratings, "spread": spread},
        "traits": traits,
        "user_id": user_id,
    }
