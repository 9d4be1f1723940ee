"""Rows of those who take part in a run, a row at a time: a million personas at once would fill the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection

from groundlings.environments.catalog import BETWEEN_GENRES, Catalog
from groundlings.personas.population import Population
from groundlings.simulator.log import measured_agents, tables
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.seals import RowSeal
from groundlings.simulator.log.store import Store

Personas: TypeAlias = Literal["full", "measured"]
"""Whether a log keeps all that the persona of an agent knows, or what was measured of it in numbers."""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm as the log describes it."""

    name: str
    recommender: str
    options: Mapping[str, Any]
    sees_hidden_preference: bool


def write_agents(
    connection: Connection, store: Store, population: Population, run_id: str, first: int, personas: Personas
) -> tuple[dict[str, Any], str]:
    """Write a row of `agents` for each persona, in the order of the population; what their seal is to say.

    Args:
        connection: To a log where no run has begun before this one.
        store: The log's.
        population: Who takes part.
        run_id: The run's.
        first: Id of the first row.
        personas: What is kept of each.
    """
    if personas == "measured" and connection.dialect.name == "sqlite":
        measured_agents.make_table(connection, run_id)
        seal = RowSeal(measured_agents.stored)
        passing = seal.passing_blocks(measured_agents.measured_blocks(population, first))
        store.pour(connection, measured_agents.stored, passing)
        return seal.seal
    rows = _agent_rows(population, run_id, first)
    if personas == "measured":
        measured = measured_agents.measured_rows(population, first)
        rows = ((row[0], run_id, row[1], measured_agents.persona_text(row)) for row in measured)
    seal = RowSeal(tables.agents)
    store.pour(connection, tables.agents, seal.passing(rows))
    return seal.seal


def _agent_rows(population: Population, run_id: str, first: int) -> Iterator[Row]:
    for number in range(len(population)):
        persona = population.persona(number)
        yield first + number, run_id, persona.user_id, as_json(persona.as_dict())


def item_rows(catalog: Catalog, run_id: str, first: int) -> Iterator[Row]:
    """A row of `items` for each item, in the order of the catalog; columns as in `tables.items`.

    Args:
        catalog: What there is.
        run_id: The run's.
        first: Id of the first row.
    """
    for number in range(len(catalog)):
        item = catalog[number]
        yield first + number, run_id, item.item_id, item.title, item.year, BETWEEN_GENRES.join(item.genres)


def as_json(value: Any) -> str:
    """A value as the log's text columns hold it."""
    return _encoded(value)


_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode
