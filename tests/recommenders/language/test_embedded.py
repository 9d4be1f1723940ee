"""One page ranked by the real embedded model: whatever it writes is counted, and the list is whole."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from groundlings.recommenders.contract import TOY_SIZE, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.title_generation import TitleGeneration
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig

pytestmark = pytest.mark.embedded
pytest.importorskip("xllamacpp")


def test_the_embedded_model_ranks_a_page_in_the_form_asked_for():
    request = toy_request(checkerboard(), np.array([0]), 5)

    async def asked():
        model = await build_chat_model(ModelConfig())
        try:
            ranker = LlmRanker(
                PopularRecommender(), model, ModelConfig().sampling, candidates=5, history=5, fallback="candidates"
            )
            ranker.fit(checkerboard(), toy_catalog())
            return await ranker.rank(request)
        finally:
            await model.close()

    ranking = asyncio.run(asked())
    ranking.check(request, TOY_SIZE)
    assert (ranking.items >= 0).all()
    assert [call.status for call in ranking.calls] == ["ok"], "a grammar holds it to the form"


def test_the_embedded_model_writes_titles_in_the_form_asked_for():
    request = toy_request(checkerboard(), np.array([0]), 5)

    async def asked():
        model = await build_chat_model(ModelConfig())
        try:
            writer = TitleGeneration(
                PopularRecommender(), model, ModelConfig().sampling, titles=3, history=5, fallback="candidates"
            )
            writer.fit(checkerboard(), toy_catalog())
            return await writer.rank(request)
        finally:
            await model.close()

    ranking = asyncio.run(asked())
    ranking.check(request, TOY_SIZE)
    assert (ranking.items >= 0).all()
    assert [call.status for call in ranking.calls] == ["ok"], "a grammar holds it to the form"
