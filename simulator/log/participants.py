"""Rows of those who take part in a run, a row at a time: a million personas at once would fill the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundlings.environments.catalog import Catalog
from groundlings.personas.population import Population
from groundlings.simulator.log.columns import Row


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm as the log describes it."""

    name: str
    recommender: str
    options: Mapping[str, Any]
    sees_hidden_preference: bool


def agent_rows(population: Population, run_id: str, first: int) -> Iterator[Row]:
    """A row of `agents` for each persona, in the order of the population; columns as in `tables.agents`.

    Args:
        population: Who takes part.
        run_id: The run's.
        first: Id of the first row.
    """
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
        yield first + number, run_id, item.item_id, item.title, item.year, "|".join(item.genres)


def as_json(value: Any) -> str:
    """A value as the log's text columns hold it."""
    return _encoded(value)


_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode
