"""Log probabilities of a one-token answer, from the request to the reply."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from aiohttp import web

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply


def answering(mock, logprobs):
    async def answer(_request: web.Request) -> web.StreamResponse:
        body = mock.completion("Yes")
        body["choices"][0]["logprobs"] = logprobs
        return web.json_response(body)

    return answer


def asked(mock, request, logprobs, **options):
    async def scenario():
        async with mock.Server(*[answering(mock, logprobs)] * 2) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", **options)
            try:
                return await model.ask(request), server.bodies[0]
            finally:
                await model.close()

    return asyncio.run(scenario())


def test_alternatives_are_asked_for_without_a_form_and_come_back_likeliest_first(mock, request_):
    found = [{"token": "No", "logprob": -1.5}, {"token": "Yes", "logprob": -0.5}]
    logprobs = {"content": [{"token": "Yes", "logprob": -0.5, "top_logprobs": found}]}
    reply, body = asked(mock, replace(request_, answers=("yes", "no"), max_tokens=1), logprobs)
    assert reply.first_token == (("Yes", -0.5), ("No", -1.5))
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    assert not {"grammar", "response_format", "structured_outputs"} & set(body)


def test_without_answers_nothing_of_it_is_sent(mock, request_):
    reply, body = asked(mock, request_, None)
    assert reply.first_token == ()
    assert "logprobs" not in body
    assert "response_format" in body


def test_log_probabilities_of_another_shape_are_a_garbled_reply(mock, request_):
    with pytest.raises(ProviderError, match="another shape"):
        asked(mock, replace(request_, answers=("yes",)), {"content": [{"token": "Yes"}]}, max_attempts=1)


def test_the_scripted_model_gives_a_distribution_over_the_answers_by_the_seed(request_):
    request = replace(request_, answers=("1", "2", "3"))
    first, again = (asyncio.run(ScriptedModel(legal_reply).ask(request)) for _ in range(2))
    assert first.first_token == again.first_token
    assert {token for token, _ in first.first_token} == {"1", "2", "3"}
    assert np.exp([each for _, each in first.first_token]).sum() == pytest.approx(1)
    assert first.text == first.first_token[0][0]
