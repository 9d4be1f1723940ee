"""How people search: results that have what they look for are opened more often, and what they ask next.

    log-odds of opening a result = those of the item + match * share of the need that it has

On the empty search box everybody with a need makes the first query of it. After any other page, whoever stays asks with
one of two stated rates, for pages of the feed and of results, and turns the page otherwise; who has no next page, and
asks nothing, leaves. Each query is made by a rule from the words of the need (`Needs.query`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from groundlings.environments.actions import ActionSchema
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError
from groundlings.environments.search_site import QUERY, SEARCH, SOURCE
from groundlings.personas.mind import Situation
from groundlings.personas.population import Population
from groundlings.personas.search.needs import Needs
from groundlings.personas.search.options import SearchOptions


class Searching:
    """What searching adds to a choice model.

    Args:
        options: What the experiment file states.
        population: Who the agents are.
    """

    def __init__(self, options: SearchOptions, population: Population) -> None:
        self._options = options
        self._needs = Needs(population, options)

    def log_odds(self, situation: Situation) -> FloatArray:
        """What the need of each session adds to the log-odds of opening, the shape of the page; 0 on a feed."""
        page, results = situation.page, _results(situation)
        added: FloatArray = np.zeros(page.items.shape)
        if results.any():
            need = self._needs.of(situation.sessions.take(np.flatnonzero(results)))
            added[results] = self._options.match * self._needs.match(need, page.items[results])
        return added

    def after(self, situation: Situation, decision: Decision) -> Decision:
        """The decision with the query that each session makes in the place of turning the page."""
        sessions, page, results = situation.sessions, situation.page, _results(situation)
        empty_box = results & (page.number == 1)
        rate = np.where(results, self._options.reformulation_rate, self._options.search_rate)
        draw = sessions.draws.uniform("query", np.full(len(sessions), page.number))
        stays = decision["next_page"] | ~situation.legal.offers("next_page", page)
        asks = situation.legal.offers("query", page) & (empty_box | (stays & (draw < rate)))
        asks &= ~decision.unreadable
        queries = np.full(len(sessions), None, dtype=np.object_)
        rows = np.flatnonzero(asks)
        needs, made = self._needs.of(sessions.take(rows)), _made(situation)[rows]
        for row, need, number in zip(rows.tolist(), needs, made.tolist(), strict=True):
            queries[row] = self._needs.query(need, number) or None
        asked = np.array([query is not None for query in queries.tolist()], dtype=np.bool_)
        taken = {"query": queries, "next_page": decision["next_page"] & ~asked}
        if (felt := decision.get("satisfaction")) is not None:
            taken["satisfaction"] = np.where(empty_box, np.nan, felt)  # an empty box neither satisfies nor fails to
        return decision.taking(**taken)

    def describe(self) -> dict[str, Any]:
        """The stated figures, and for whom they say nothing; plain JSON values."""
        return {**self._options.model_dump(), "agents_without_need": self._needs.without}


def can_search(schema: ActionSchema | None) -> bool:
    """Whether queries can be made; None stands for a feed."""
    return schema is not None and QUERY.name in schema


def check_searching(options: SearchOptions | None, schema: ActionSchema | None) -> None:
    """Raise `ConfigError` where options say how people search and nobody can."""
    if options is not None and not can_search(schema):
        raise ConfigError(
            "mind.search: it says how people search, and no query can be made in this environment; write "
            "environment: search, or take the key out"
        )


def searching(options: SearchOptions | None, schema: ActionSchema | None, population: Population) -> Searching | None:
    """How agents search, None where no query can be made; raises `ConfigError` as `check_searching`."""
    check_searching(options, schema)
    return Searching(options or SearchOptions(), population) if can_search(schema) else None


def _results(situation: Situation) -> BoolArray:
    """Which sessions see a page of results, or the empty search box."""
    return np.asarray(situation.page.further[SOURCE] == SEARCH, dtype=np.bool_)


def _made(situation: Situation) -> IntArray:
    """Queries that each session has made on earlier pages."""
    made = np.zeros(len(situation.sessions), dtype=np.int64)
    for turn in situation.earlier:
        made += QUERY.taken(turn.decision["query"])
    return made
