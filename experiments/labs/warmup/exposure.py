"""Exposure of agents to new items, in two conditions: alone, or on a page among the recommender's own items.

Both are ordinary sessions (`groundlings.simulator.session.browse`) of the same agents with the same mind and common
random numbers. In the condition "asked" the item has a page to itself. In the condition "pages" it is in a slot drawn
uniformly at random, and may not be examined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws, name_key
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.environments.sessions import Sessions
from groundlings.experiments.labs.warmup.config import PagesConfig
from groundlings.experiments.labs.warmup.replicate import Trial
from groundlings.experiments.running.event_loop import completed
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.population import Population, build_population
from groundlings.personas.taste.cold_start import with_new_items
from groundlings.personas.taste.model import fit_taste
from groundlings.recommenders.base import Recommender
from groundlings.simulator.cohorts import cohorts
from groundlings.simulator.session import CohortRecord, browse

Condition = Literal["asked", "pages"]
CONDITIONS: tuple[Condition, ...] = ("asked", "pages")


@dataclass(frozen=True)
class Exposures:
    """Which new items the panel was shown in one condition, and which of them it clicked.

    Attributes:
        condition: "asked" or "pages".
        shown, clicked: Whether each user of the panel was shown, and clicked, each new item, shape (n_panel, n_new).
        records: The sessions, day by day, for the log.
    """

    condition: Condition
    shown: BoolArray
    clicked: BoolArray
    records: tuple[CohortRecord, ...]


class PlacedItems(Recommender):
    """Shows each user one given item, in a slot drawn uniformly at random, among the items of their list.

    P(the item is at rank k | not before) is 1 / (ranks left), and these are the logged propensities. Who knows most
    items has a short list, and then a short page.

    Args:
        lists: The recommender's own list of each user, shape (n_users, at least size - 1).
        placed: The item of each user of the requests to come, shape (n_users,).
    """

    randomised = True

    def __init__(self, lists: ItemArray, placed: IntArray) -> None:
        self._lists = lists
        self._placed = placed

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt: the lists are given."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        size = request.size
        item = self._placed[request.users][:, None]
        filled = np.minimum(size, 1 + (self._lists[request.users] != NO_ITEM).sum(axis=1))[:, None]
        slot = (request.draws.uniform("placed", item) * filled).astype(np.int64)
        rank = np.arange(size)[None]
        own = (
            np.take_along_axis(self._lists[request.users], np.maximum(rank - (rank > slot), 0), axis=1)
            if size > 1
            else item
        )
        hazard = 1 / np.maximum(filled - rank, 1)
        chances = np.where(rank < slot, 1 - hazard, np.where(rank == slot, hazard, 1.0))
        items = np.where(rank == slot, item, own).astype(np.int32)
        return Ranking(items, np.full(items.shape, np.nan), chances, rank == slot, "exact")


def expose_new_items(trial: Trial, pages: PagesConfig) -> list[Exposures]:
    """The exposures of the first users of each item's pool, once in each condition."""
    population = build_population(trial.dataset, trial.split.train, size="all", seed=trial.config.seed)
    mind = make_mind(trial, population)
    shown = _shortlists(trial, pages.people)
    lists = _own_lists(trial, pages.page_size)
    sizes = {"asked": 1, "pages": pages.page_size}
    scale, opinions = trial.dataset.scale, trial.dataset.opinions
    sites = {name: PaginatedFeed(size, 1, scale, opinions=opinions) for name, size in sizes.items()}
    exposures = []
    for condition in CONDITIONS:
        clicked = np.zeros_like(shown)
        records = []
        for rows, columns, sessions in _cohorts(trial, shown, population, mind.cohort_size):
            placed = np.zeros(trial.split.train.n_users, dtype=np.int64)
            placed[sessions.users] = trial.split.new[columns]
            record = completed(_session(trial, sessions, PlacedItems(lists, placed), sites[condition], mind))
            turn = record.turns[0].turn
            clicks = turn.decision["click"] & (turn.page.items == placed[sessions.users][:, None])
            clicked[rows, columns] = clicks.any(axis=1)
            records.append(record)
        exposures.append(Exposures(condition, shown, clicked, tuple(records)))
    return exposures


def make_mind(trial: Trial, population: Population) -> BehaviouralMind:
    """The behavioural mind, which judges new items by their content."""
    taste = fit_taste(trial.dataset, trial.split.train, salt=trial.config.salt, seed=trial.config.seed)
    return BehaviouralMind(population, with_new_items(taste, trial.taste), BehaviouralOptions())


async def _session(
    trial: Trial, sessions: Sessions, recommender: Recommender, site: PaginatedFeed, mind: BehaviouralMind
) -> CohortRecord:
    seen = sp.csr_array(trial.split.train.matrix[sessions.users])
    return await browse(sessions, seen, recommender=recommender, environment=site, mind=mind)


def _shortlists(trial: Trial, people: int) -> BoolArray:
    """Whether each user is among the first of an item's pool in recall's order, shape (n_panel, n_new)."""
    order = np.where(trial.pools.inside, trial.pools.order, -np.inf)
    first = np.argsort(-order, axis=0, kind="stable")[: min(people, int(trial.pools.inside[:, 0].sum()))]
    shown = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(shown, first, True, axis=0)
    return shown


def _own_lists(trial: Trial, size: int) -> ItemArray:
    """The recommender's lists of the panel, old items only, shape (n_users, size)."""
    split = trial.split
    draws = Draws.for_sessions(trial.config.seed, split.panel, 0)
    request = RankingRequest(split.panel, size, sp.csr_array(split.train.matrix[split.panel]), draws)
    scores = np.array(trial.recommender.score(split.panel), dtype=np.float64)
    scores[:, split.train.item_counts == 0] = -np.inf
    lists = np.zeros((split.train.n_users, size), dtype=np.int32)
    lists[split.panel] = top_items(scores, request).items
    return lists


def _cohorts(
    trial: Trial, shown: BoolArray, population: Population, size: int
) -> Iterator[tuple[IntArray, IntArray, Sessions]]:
    """Exposures as cohorts in which each user occurs once: rows of the panel, new items, sessions."""
    seed = name_key("meeting", trial.config.seed, trial.number)
    rows, columns = np.nonzero(shown)
    day = np.arange(len(rows)) - np.searchsorted(rows, rows)
    for number in range(int(day.max(initial=-1)) + 1):
        today = np.flatnonzero(day == number)
        users = trial.split.panel[rows[today]]
        agents = np.searchsorted(population.users, users)
        parts = np.split(today, range(size, len(today), size))
        for here, sessions in zip(parts, cohorts(agents, users, number, seed=seed, size=size), strict=True):
            yield rows[here], columns[here], sessions
