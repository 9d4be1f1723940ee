"""User agents and an assistant taught by the real embedded model: whatever it writes, notes and lists are whole."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from groundlings.recommenders.contract import TOY_SIZE, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.agentcf import AgentCf
from groundlings.recommenders.language.rah import Rah
from groundlings.recommenders.learning import Lessons, learn
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig

pytestmark = pytest.mark.embedded
pytest.importorskip("xllamacpp")


def test_the_embedded_model_teaches_agents_and_assistants_and_ranks_by_what_they_learnt():
    sampling = ModelConfig().sampling

    async def asked(make):
        calls = []
        model = await build_chat_model(ModelConfig())
        try:
            one = make(model)
            one.fit(checkerboard(), toy_catalog())
            await learn(one, Lessons(1, np.array([0]), keep=calls.append))
            return calls, await one.rank(toy_request(checkerboard(), np.array([0]), 4))
        finally:
            await model.close()

    options = {"candidates": 4}
    agents = AgentCf, {"pairs": 1, "note": 80, "fallback": "candidates"}
    assistants = Rah, {"interactions": 1, "rounds": 1, "fallback": "of"}
    for kind, further in (agents, assistants):
        calls, ranking = asyncio.run(
            asked(
                lambda model, kind=kind, further=further: kind(
                    PopularRecommender(), model, sampling, **options, **further
                )
            )
        )
        ranking.check(toy_request(checkerboard(), np.array([0]), 4), TOY_SIZE)
        assert (ranking.items >= 0).all()
        assert calls
        assert {call.status for call in calls} <= {"ok", "unreadable"}
