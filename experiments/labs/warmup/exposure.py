"""Two ways to meet a new item: on a real page among the recommender's own items, or being asked about it alone.

Both are visits like any other (`groundlings.simulator.session.browse`), by the same people with the same mind and the
same luck. Asked alone, an item has a page to itself; on a real page it stands in a slot drawn by lot, and may be
overlooked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.feed import PaginatedSite
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws, name_key
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.experiments.labs.warmup.config import PagesConfig
from groundlings.experiments.labs.warmup.replicate import Trial
from groundlings.personas.mind import Visits
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.population import Population, build_population
from groundlings.personas.taste.cold_start import with_new_items
from groundlings.personas.taste.model import fit_taste
from groundlings.recommenders.base import Recommender
from groundlings.simulator.session import CohortRecord, browse

Way = Literal["asked", "pages"]
WAYS: tuple[Way, ...] = ("asked", "pages")


@dataclass(frozen=True)
class Meeting:
    """Who met which new item in one way, and what they did.

    Attributes:
        way: How.
        met, took: Whether somebody of the panel met, and opened, each new item, shape (n_panel, n_new).
        records: The visits, day by day, for the log.
    """

    way: Way
    met: BoolArray
    took: BoolArray
    records: tuple[CohortRecord, ...]


class PlacedItems(Recommender):
    """Shows each visitor one given item, in a slot by lot, among the items of their list.

    The slot is uniform, so P(the item stands at rank k | not before) is 1 / (ranks left), and these are the logged
    propensities.

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
        slot = (request.draws.uniform("placed", item) * size).astype(np.int64)
        rank = np.arange(size)[None]
        own = (
            np.take_along_axis(self._lists[request.users], np.maximum(rank - (rank > slot), 0), axis=1)
            if size > 1
            else item
        )
        hazard = 1 / (size - rank)
        chances = np.where(rank < slot, 1 - hazard, np.where(rank == slot, hazard, 1.0))
        items = np.where(rank == slot, item, own).astype(np.int32)
        return Ranking(items, np.full(items.shape, np.nan), chances, rank == slot, "exact")


def meet_new_items(trial: Trial, pages: PagesConfig) -> list[Meeting]:
    """Let the best people of each item's pool meet it, once in each way."""
    population = build_population(trial.dataset, trial.split.train, size="all", seed=trial.config.seed)
    mind = make_mind(trial, population)
    met = _shortlists(trial, pages.people)
    lists = _own_lists(trial, pages.page_size)
    scale = trial.dataset.scale
    sites = {"asked": PaginatedSite(1, 1, scale), "pages": PaginatedSite(pages.page_size, 1, scale)}
    meetings = []
    for way in WAYS:
        took = np.zeros_like(met)
        records = []
        for rows, columns, visits in _cohorts(trial, met, population, mind.cohort_size):
            placed = np.zeros(trial.split.train.n_users, dtype=np.int64)
            placed[visits.users] = trial.split.new[columns]
            record = asyncio.run(_visit(trial, visits, PlacedItems(lists, placed), sites[way], mind))
            turn = record.turns[0].turn
            opened = turn.decision.clicked & (turn.page.items == placed[visits.users][:, None])
            took[rows, columns] = opened.any(axis=1)
            records.append(record)
        meetings.append(Meeting(way, met, took, tuple(records)))
    return meetings


def make_mind(trial: Trial, population: Population) -> BehaviouralMind:
    """The behavioural mind, who judges new items by what they are like."""
    taste = fit_taste(trial.dataset, trial.split.train, salt=trial.config.salt, seed=trial.config.seed)
    return BehaviouralMind(population, with_new_items(taste, trial.taste), BehaviouralOptions())


async def _visit(
    trial: Trial, visits: Visits, recommender: Recommender, site: PaginatedSite, mind: BehaviouralMind
) -> CohortRecord:
    seen = sp.csr_array(trial.split.train.matrix[visits.users])
    like = trial.dataset.scale.like
    return await browse(visits, seen, recommender=recommender, site=site, mind=mind, like=like)


def _shortlists(trial: Trial, people: int) -> BoolArray:
    """The first of each pool by recall's own order, shape (n_panel, n_new)."""
    order = np.where(trial.pools.inside, trial.pools.order, -np.inf)
    first = np.argsort(-order, axis=0, kind="stable")[: min(people, int(trial.pools.inside[:, 0].sum()))]
    met = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(met, first, True, axis=0)
    return met


def _own_lists(trial: Trial, size: int) -> ItemArray:
    """What the recommender would show the panel, old items alone, shape (n_users, size)."""
    split = trial.split
    draws = Draws.for_visits(trial.config.seed, split.panel, 0)
    request = RankingRequest(split.panel, size, sp.csr_array(split.train.matrix[split.panel]), draws)
    scores = trial.recommender.score(split.panel)
    scores[:, split.train.item_counts == 0] = -np.inf
    lists = np.zeros((split.train.n_users, size), dtype=np.int32)
    lists[split.panel] = top_items(scores, request).items
    return lists


def _cohorts(
    trial: Trial, met: BoolArray, population: Population, size: int
) -> Iterator[tuple[IntArray, IntArray, Visits]]:
    """Meetings as cohorts in which everybody occurs once: rows of the panel, new items, visits."""
    seed = name_key("meeting", trial.config.seed, trial.number)
    rows, columns = np.nonzero(met)
    day = np.arange(len(rows)) - np.searchsorted(rows, rows)
    for number in range(int(day.max(initial=-1)) + 1):
        today = np.flatnonzero(day == number)
        for here in np.split(today, range(size, len(today), size)):
            users = trial.split.panel[rows[here]]
            agents = np.searchsorted(population.users, users)
            yield rows[here], columns[here], Visits(agents, users, number, Draws.for_visits(seed, users, number))
