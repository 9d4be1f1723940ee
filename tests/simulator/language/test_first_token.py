"""Log probabilities of a one-token answer, from the request to the reply."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from aiohttp import web

from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply


def answering(mock, logprobs):
    async def answer(_request: web.Request) -> web.StreamResponse:
        body = mock.completion("Yes")
        body["choices"][0]["logprobs"] = logprobs
        # Text stands for itself: JSON that no encoder writes.
        text = (
            json.dumps(body).replace(json.dumps(logprobs), logprobs) if isinstance(logprobs, str) else json.dumps(body)
        )
        return web.Response(text=text, content_type="application/json")

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


YES, NO = {"token": "Yes", "logprob": -0.5}, {"token": "No", "logprob": -1.5}


@pytest.mark.parametrize(
    "listed",
    [
        '{"token": "Yes"}',
        '{"token": "Yes", "top_logprobs": {"Yes": -0.1}}',
        '{"token": "Yes", "top_logprobs": [["Yes", -0.1]]}',
        '"Yes"',
        '{"token": "Yes", "top_logprobs": 7}',
    ],
)
def test_log_probabilities_of_another_shape_are_listed_as_unknown(mock, request_, listed):
    reply, _ = asked(mock, replace(request_, answers=("yes",)), f'{{"content": [{listed}]}}')
    ((token, log),) = reply.first_token
    assert token == ""
    assert np.isnan(log)


@pytest.mark.parametrize(
    "number",
    [
        *("NaN", "Infinity", "-Infinity", "1e309", "1" + "0" * 400, "-1" + "0" * 400, "0.01", "700.0"),
        *('"-0.2"', "true", "null", "[]", "{}"),
    ],
)
def test_what_is_no_log_probability_is_unknown_and_comes_last(mock, request_, number):
    found = f'{{"content": [{{"top_logprobs": [{{"token": "Yes", "logprob": {number}}}, {json.dumps(NO)}]}}]}}'
    reply, _ = asked(mock, replace(request_, answers=("yes", "no")), found)
    assert reply.first_token[0] == ("No", -1.5)
    assert reply.first_token[1][0] == "Yes"
    assert np.isnan(reply.first_token[1][1])


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        ([YES, YES, NO], False),
        ([YES, {"token": " yes", "logprob": -2.0}, NO], True),
        ([{"token": "\ufffd", "logprob": -3.0}, {"token": "\ufffd", "logprob": -3.0}, YES], True),
        ([{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -0.1}], False),
        ([{"token": "Yes", "logprob": 0.0005}, {"token": "No", "logprob": -9999.0}], True),
        ([{"token": "Yes", "logprob": -9999.0}, {"token": "No", "logprob": -9999.0}], False),
        ([YES, {"token": "<|channel|>", "logprob": -0.01}], False),
        ([YES, {"token": "<think>", "logprob": -0.01}], False),
        ([YES, {"token": "<think>", "logprob": -3.0}], True),
    ],
    ids=[
        "an answer twice",
        "two spellings",
        "other pieces twice",
        "more than certain",
        "rounding",
        "none likely",
        "a channel",
        "thinking",
        "no thinking",
    ],
)
def test_alternatives_that_cannot_all_be_true_are_all_unknown(mock, request_, listed, known):
    found = {"content": [{"top_logprobs": listed}]}
    reply, _ = asked(mock, replace(request_, answers=("yes", "no")), found)
    assert len(reply.first_token) == len(listed)
    assert np.isnan([log for _, log in reply.first_token]).any() != known
    assert np.isnan([log for _, log in reply.first_token]).all() != known


def test_log_probabilities_that_are_left_out_once_are_unknown_and_no_lack_of_the_server(mock, request_):
    request = replace(request_, answers=("yes", "no"))

    async def scenario():
        async with mock.Server(
            answering(mock, {"content": [{"top_logprobs": [YES, NO]}]}), answering(mock, None)
        ) as server:
            model = EndpointModel(base_url=server.url, model="mock-1")
            try:
                return [(await model.ask(request)).first_token for _ in range(2)]
            finally:
                await model.close()

    first, second = asyncio.run(scenario())
    assert first == (("Yes", -0.5), ("No", -1.5))
    assert len(second) == 1
    assert np.isnan(second[0][1])


def test_the_scripted_model_gives_a_distribution_over_the_answers_by_the_seed(request_):
    request = replace(request_, answers=("1", "2", "3"))
    first, again = (asyncio.run(ScriptedModel(legal_reply).ask(request)) for _ in range(2))
    assert first.first_token == again.first_token
    assert {token for token, _ in first.first_token} == {"1", "2", "3"}
    assert np.exp([each for _, each in first.first_token]).sum() == pytest.approx(1)
    assert first.text == first.first_token[0][0]


@pytest.mark.parametrize(("status", "said"), [(500, "Log probabilities"), (404, "usually in /v1")])
def test_a_hint_offers_nothing_that_changes_nothing(mock, request_, status, said):
    """No form is asked for beside log probabilities; and who lists no models may be asked at half an address."""
    wanted = replace(request_, temperature=0.0, answers=("yes",), max_tokens=1)
    ((error,), _) = mock.outcome(mock.status(status), wanted, models=mock.status(404), max_attempts=1)
    assert said in str(error)
    assert "structured" not in str(error)
    assert "lists: none" not in str(error)
