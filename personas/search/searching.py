"""How people search: results that have what they look for are opened more often, and what they ask next.

    log-odds of opening a result = those of the item + match * share of the need that it has

On the empty search box everybody with a need makes the first query of it. After any other page, whoever stays asks with
one of two rates, for pages of the feed and of results, and turns the page otherwise; who has no next page, and asks
nothing, leaves. Each query is made by a rule from the words of the need (`Needs.query`).

Where the options name what was fitted on real search sessions, that decides pages of results:

    log-odds of opening   the level of the log is added: see `groundlings.personas.search.level`
    which are looked at   as in the log, given the clicks above on the page (`SearchRules.looks`)
    who leaves            by page, clicks on it and clicks before (`SearchRules.stops`), and no longer by satisfaction
    who goes on           asks again as often as in the log, or where there is no next page to turn to
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.actions import ActionSchema
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError
from groundlings.environments.search_site import QUERY, SEARCH, SOURCE
from groundlings.personas.mind import PageTurn, Situation
from groundlings.personas.minds.click_model import PairScore
from groundlings.personas.population import Population
from groundlings.personas.search.fitted import FittedSearch, read_fitted_search
from groundlings.personas.search.level import level_shift
from groundlings.personas.search.needs import Needs
from groundlings.personas.search.options import REFORMULATION_RATE, SearchOptions


class Searching:
    """What searching adds to a choice model.

    Args:
        options: What the experiment file states.
        population: Who the agents are.
        fitted: What was fitted on real search sessions; None where nothing was.
        score: Log-odds of opening of pairs of user and item, where nothing is looked for.
    """

    def __init__(
        self, options: SearchOptions, population: Population, fitted: FittedSearch | None, score: PairScore
    ) -> None:
        self._options = options
        self._needs = Needs(population, options)
        if self._needs.without == len(population):
            raise _nothing_to_look_for()
        self._fitted = fitted
        self._rules = None if fitted is None else fitted.rules
        self._shift, rate = 0.0, REFORMULATION_RATE
        if self._rules is not None:
            level, rate = self._rules.level, self._rules.reformulation
            self._shift = level_shift(population, self._needs, options.query_words, options.match, level, score)
        self._reformulation = rate if options.reformulation_rate is None else options.reformulation_rate

    def log_odds(self, situation: Situation) -> FloatArray:
        """What each session adds to the log-odds of opening, the shape of the page; 0 on a feed."""
        page, results = situation.page, _results(situation)
        added: FloatArray = np.zeros(page.items.shape)
        if results.any():
            need = self._needs.of(situation.sessions.take(np.flatnonzero(results)))
            added[results] = self._shift + self._options.match * self._needs.match(need, page.items[results])
        return added

    def looks(self, situation: Situation, seen: FloatArray, open_if_seen: FloatArray) -> FloatArray:
        """P(look) of each slot, in place of `seen` on pages of results where real searches say it; see `Looks`."""
        rows = np.flatnonzero(_results(situation))
        if self._rules is None or not len(rows):
            return seen
        page = situation.page
        check_width(self._rules.depth, page.items.shape[1])
        luck = situation.sessions.draws.take(rows).uniform("click", page.items[rows])
        found = np.array(seen)
        found[rows] = self._rules.looks(open_if_seen[rows], luck, page.shown[rows])
        return found

    def after(self, situation: Situation, decision: Decision) -> Decision:
        """The decision with who leaves, and with the query that each session makes in place of turning the page."""
        sessions, page, results = situation.sessions, situation.page, _results(situation)
        empty_box = results & (page.number == 1)
        may_turn = situation.legal.offers("next_page", page)
        stays = decision["next_page"] | ~may_turn
        rate = np.where(results, self._reformulation, self._options.search_rate)
        draw = sessions.draws.uniform("query", np.full(len(sessions), page.number))
        turns = draw >= rate
        if self._rules is not None:
            stays = np.where(results & ~empty_box, ~self._stops(situation, decision), stays)
            turns &= may_turn | ~results
        asks = situation.legal.offers("query", page) & (empty_box | (stays & ~turns))
        asks &= ~decision.unreadable
        queries = np.full(len(sessions), None, dtype=np.object_)
        rows = np.flatnonzero(asks)
        needs, made = self._needs.of(sessions.take(rows)), _made(situation)[rows]
        for row, need, number in zip(rows.tolist(), needs, made.tolist(), strict=True):
            queries[row] = self._needs.query(need, number) or None
        asked = np.array([query is not None for query in queries.tolist()], dtype=np.bool_)
        taken = {"query": queries, "next_page": stays & may_turn & ~asked}
        if (felt := decision.get("satisfaction")) is not None:
            taken["satisfaction"] = np.where(empty_box, np.nan, felt)  # an empty box neither satisfies nor fails to
        return decision.taking(**taken)

    def _stops(self, situation: Situation, decision: Decision) -> BoolArray:
        """Whose page of results is the last, by the rule that was fitted; of other pages without meaning."""
        assert self._rules is not None
        sessions, page = situation.sessions, situation.page
        number, before = np.zeros(len(sessions), dtype=np.int64), np.zeros(len(sessions), dtype=np.int64)
        for turn in situation.earlier:
            of_results = _results(turn) & (turn.page.number > 1)
            number += of_results
            before += np.where(of_results, turn.decision["click"].sum(axis=1), 0)
        chances = self._rules.stops(number, decision["click"], before)
        return np.asarray(sessions.draws.uniform("stop", np.full(len(sessions), page.number)) < chances)

    def describe(self) -> dict[str, Any]:
        """What is stated and what was fitted, and for whom it says nothing; plain JSON values."""
        described = self._options.model_dump(mode="json", exclude={"fitted"})
        described |= {"reformulation_rate": self._reformulation, "agents_without_need": self._needs.without}
        if self._fitted is not None:
            described["fitted"] = {**self._fitted.summary(), "level_shift": self._shift}
        return described


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


def check_catalog(catalog: Catalog) -> None:
    """Raise `ConfigError` where items have nothing by which anybody could look for them."""
    if not any(catalog.genres) and not any(catalog.texts):
        raise _nothing_to_look_for()


def _nothing_to_look_for() -> ConfigError:
    return ConfigError(
        "mind.search: people look for categories of items and for words that some of their texts share, and no history "
        "has any of these, so nobody would search; name columns of categories or texts in the data set, or write "
        "environment: feed"
    )


def check_width(known: int, n_slots: int) -> None:
    """Raise `ConfigError` where a page has more slots than a log of searches says anything of."""
    if n_slots > known:
        raise ConfigError(
            f"mind.search.fitted: found pages of {n_slots} results; expected at most {known}, as in the log it was "
            f"fitted on; set environment.page_size to {known} or less"
        )


def named_fitted(options: SearchOptions | None, base_directory: Path) -> FittedSearch | None:
    """What was fitted on real search sessions, None where the options name nothing.

    Raises:
        UserError: It cannot be read.
    """
    if options is None or options.fitted is None:
        return None
    return read_fitted_search(base_directory / options.fitted.expanduser())


def searching(
    options: SearchOptions | None,
    schema: ActionSchema | None,
    population: Population,
    base_directory: Path,
    score: PairScore,
) -> Searching | None:
    """How agents search, None where no query can be made.

    Raises:
        UserError: As `check_searching` and `named_fitted`.
    """
    check_searching(options, schema)
    if not can_search(schema):
        return None
    return Searching(options or SearchOptions(), population, named_fitted(options, base_directory), score)


def _results(seen: Situation | PageTurn) -> BoolArray:
    """Which sessions see a page of results, or the empty search box."""
    return np.asarray(seen.page.further[SOURCE] == SEARCH, dtype=np.bool_)


def _made(situation: Situation) -> IntArray:
    """Queries that each session has made on earlier pages."""
    made = np.zeros(len(situation.sessions), dtype=np.int64)
    for turn in situation.earlier:
        made += QUERY.taken(turn.decision["query"])
    return made
