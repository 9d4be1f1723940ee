"""A tiny world whose every answer is known: six items, three people, a mind that follows a script."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.memory import Memory
from groundlings.personas.mind import FEED_ACTIONS, Afterthoughts
from groundlings.recommenders.base import ScoringRecommender
from groundlings.simulator.session import browse

N_ITEMS = 6


class Descending(ScoringRecommender):
    """Ranks items 0, 1, 2, ... for everybody and counts what it hears."""

    def __init__(self):
        self.fits, self.heard = [], []

    def fit(self, interactions, catalog):
        self.fits.append(interactions)

    def observe(self, interactions):
        self.heard.append(interactions)

    def score(self, users):
        return np.broadcast_to(-np.arange(float(N_ITEMS)), (len(users), N_ITEMS))


@dataclass
class Scripted:
    """Clicks and rates the first slot, goes on where it may, for `pages` pages; can be told to misbehave."""

    pages: int = 2
    cohort_size: int = 4096
    unreadable_users: tuple[int, ...] = ()
    delay_by_user: dict[int, float] | None = None

    actions = FEED_ACTIONS

    def __post_init__(self):
        self.situations, self.remembered = [], []

    async def decide(self, situation):
        if self.delay_by_user:
            await asyncio.sleep(self.delay_by_user[int(situation.sessions.users[0])])
        self.situations.append(situation)
        page = situation.page
        first = np.zeros(page.items.shape, dtype=np.bool_)
        first[:, 0] = True
        decision = Decision.of(
            situation.legal,
            page,
            click=first,
            rate=np.where(first, 5.0, np.nan),
            next_page=situation.legal.offers("next_page", page) & (page.number < self.pages),
            satisfaction=np.full(len(situation.sessions), 7.0),
        )
        return replace(decision, unreadable=np.isin(situation.sessions.users, self.unreadable_users))

    async def look_back(self, sessions, turns):
        return Afterthoughts(
            tuple(
                Memory(int(agent), sessions.day, "visit", f"saw {len(turns)} pages", 5.0)
                for place, agent in enumerate(sessions.agents)
                if any(place in turn.rows for turn in turns)
            )
        )

    def remember(self, memories):
        self.remembered += memories

    def describe(self):
        return {"kind": "scripted"}


@pytest.fixture
def make_mind():
    return Scripted


@pytest.fixture
def recommender():
    return Descending()


@pytest.fixture
def session_of(recommender):
    """Let users 0, 1, 2 browse; returns the record."""

    def browsed(mind, *, seen=(), page_size=2, max_pages=2):
        users = np.arange(3)
        sessions = Sessions(users, users, 0, Draws.for_sessions(1, users, 0))
        mask = sp.csr_array((3, N_ITEMS))
        if seen:
            rows, items = zip(*seen, strict=True)
            mask = sp.csr_array((np.ones(len(rows)), (rows, items)), shape=(3, N_ITEMS))
        site = PaginatedFeed(page_size, max_pages, RatingScale())
        return asyncio.run(browse(sessions, mask, recommender=recommender, environment=site, mind=mind))

    return browsed
