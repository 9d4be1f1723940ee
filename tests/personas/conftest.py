"""Small worlds for the persona tests: a made-up one, and one small enough to count by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import Sampling
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.decision import Decision, checked
from groundlings.environments.feed import feed_actions
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.environments.people import People
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.split import split_history
from groundlings.personas.mind import Afterthoughts, PageTurn, Situation
from groundlings.personas.minds.language.mind import LanguageMind, LanguageOptions
from groundlings.personas.population import Population, build_population
from groundlings.personas.taste.model import fit_taste
from groundlings.simulator.language.scripted import ScriptedModel


@pytest.fixture(scope="session")
def toy():
    return make_toy(ToyOptions(n_users=90, n_items=60, n_groups=3, interactions_per_user=20))


@pytest.fixture(scope="session")
def toy_split(toy):
    return split_history(toy.interactions, "per_user_temporal", 0.2)


@pytest.fixture(scope="session")
def toy_population(toy, toy_split):
    return build_population(toy, toy_split.train, size="all", seed=1)


@pytest.fixture(scope="session")
def toy_taste(toy, toy_split):
    return fit_taste(toy, toy_split.train, salt="a", seed=1)


@pytest.fixture
def three_people():
    """Four items, three people: Ann rates three, Bob two, and nobody knows anything of Cleo."""
    catalog = Catalog(
        item_ids=("a", "b", "c", "d"),
        titles=("Alpha", "Beta", "Gamma", "Delta"),
        years=np.array([1991.0, 1992.0, np.nan, 1994.0]),
        genres=(("Drama",), ("Drama", "War"), ("Comedy",), ()),
    )
    people = People(("ann", "bob", "cleo"), ({"age": "30"}, {}, {"age": "9"}))
    interactions = Interactions.of(
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 0, 2]),
        np.array([5.0, 4.0, 1.0, 3.0, 2.0]),
        np.array([10, 30, 20, 10, 20]),
        n_users=3,
        n_items=4,
    )
    return Dataset("three", catalog, people, interactions, RatingScale(), "a test", "none")


@dataclass
class Language:
    """Asks a language mind over `population`, one session at a time, with a model whose replies are known."""

    population: Population
    stars: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)

    @staticmethod
    def prompt(request) -> str:
        """All that a request shows to the model."""
        return "\n".join(message.content for message in request.messages)

    def situation(self, items=(0, 1, 2, 3), *, agent=0, number=1, go=True, day=0, earlier=(), root=7) -> Situation:
        """A page before one agent."""
        agents = np.array([agent])
        sessions = Sessions(agents, self.population.users[agents], day, Draws.for_sessions(root, agents, day))
        page = Page(number, (number - 1) * len(items), np.array([items], dtype=np.int32))
        return Situation(sessions, page, feed_actions(self.stars, np.array([go])), np.arange(1), earlier)

    def mind(self, replies, **options) -> tuple[LanguageMind, ScriptedModel]:
        """A mind, and the model it asks; `replies` may be a model."""
        model = replies if hasattr(replies, "ask") else ScriptedModel(replies)
        return LanguageMind(self.population, model, LanguageOptions(**options), Sampling(0.7, 99)), model

    def decide(self, mind: LanguageMind, asked: Situation) -> Decision:
        return asyncio.run(mind.decide(asked))

    def turn(self, asked: Situation, decision: Decision) -> PageTurn:
        """The page after the site's check."""
        return PageTurn(np.array([0]), asked.page, checked(decision, asked.page, asked.legal).decision)

    def session(
        self, mind: LanguageMind, *, pages=1, n_items=4, first=0, **where
    ) -> tuple[list[Decision], Afterthoughts]:
        """A whole session of so many pages, thought over and remembered."""
        earlier: tuple[PageTurn, ...] = ()
        decisions = []
        for number in range(1, pages + 1):
            start = first + (number - 1) * n_items
            items = tuple((start + place) % len(self.population.catalog) for place in range(n_items))
            asked = self.situation(items, number=number, earlier=earlier, **where)
            decisions.append(self.decide(mind, asked))
            earlier = (*earlier, self.turn(asked, decisions[-1]))
        after = asyncio.run(mind.look_back(asked.sessions, earlier))
        mind.remember(after.memories)
        return decisions, after


@pytest.fixture
def language():
    """`language(population)`: see `Language`."""
    return Language


@pytest.fixture
def population_of_three(three_people):
    split = split_history(three_people.interactions, "per_user_temporal", 0.01)
    return build_population(three_people, split.train, size="all", seed=1)
