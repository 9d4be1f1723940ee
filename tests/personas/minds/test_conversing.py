"""The mind that converses: its promises, and that it does nothing where nobody speaks."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

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


def test_weights_of_zero_are_refused():
    with pytest.raises(ValidationError, match="above 0"):
        RevealWeights(volunteer=0, on_ask=0, hidden=0)
