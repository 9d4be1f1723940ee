"""The mind that converses: its promises, and that it does nothing where nobody speaks."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from groundlings.environments.errors import ConfigError
from groundlings.personas.contract import MindContract
from groundlings.personas.minds.conversing import ConversingMind, ConversingOptions, RevealWeights


class TestConversingMind(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, toy_population, toy_taste):
        self.make_mind = lambda: ConversingMind(toy_population, toy_taste, ConversingOptions())

    def test_it_leaves_a_page_on_which_nobody_speaks(self):
        decision = asyncio.run(self.make_mind().decide(self.situation()))
        assert not decision["next_page"].any()
        assert not decision["click"].any()


def test_an_agent_of_whose_items_nothing_is_known_is_named(toy_population, toy_taste):
    catalog = toy_population.catalog
    user = int(toy_population.users[2])
    had = set(toy_population.train.met[[user]].indices.tolist())
    genres = tuple(() if item in had else each for item, each in enumerate(catalog.genres))
    years = np.where([item in had for item in range(len(catalog))], np.nan, catalog.years)
    blank = replace(toy_population, catalog=replace(catalog, genres=genres, years=years, features={}))
    name = toy_population.people.user_ids[user]
    with pytest.raises(ConfigError, match=rf"none of these for [0-9]+ of [0-9]+ agents .*{re.escape(name)}|'{name}'"):
        ConversingMind(blank, toy_taste, ConversingOptions())


def test_weights_of_zero_are_refused():
    with pytest.raises(ValidationError, match="above 0"):
        RevealWeights(volunteer=0, on_ask=0, hidden=0)
