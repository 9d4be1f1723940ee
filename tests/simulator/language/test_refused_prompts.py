"""A prompt that a server refuses for good costs itself alone; a server that refuses everybody stops the run at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from groundlings.environments.chat import Message
from groundlings.environments.errors import ProviderError, UnanswerablePrompt
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig, StoreConfig
from groundlings.simulator.language.endpoint import EndpointModel

KEY = "sk-very-secret-0123456789"
GENERATION = {"message": "Failed to generate JSON. Please adjust your prompt.", "code": "json_validate_failed"}


def poisoned(body):
    return any("poison" in message["content"] for message in body["messages"])


def _garbled(mock):
    async def handler(request):
        body = await request.json()
        return web.json_response({"choices": []} if poisoned(body) else mock.completion())

    return handler


FOR_GOOD = {
    "filter": lambda mock: mock.refusing(poisoned, 400, {"message": "content management policy", "code": "filter"}),
    "moderation": lambda mock: mock.refusing(poisoned, 403, "your input was flagged for violence"),
    "firewall": lambda mock: mock.refusing(poisoned, 403, "Sorry."),
    "length": lambda mock: mock.refusing(poisoned, 400, "maximum context length is 20 tokens"),
    "other words": lambda mock: mock.refusing(poisoned, 422, "Nein."),
    "generation": lambda mock: mock.refusing(poisoned, 400, GENERATION),
    "crash": lambda mock: mock.refusing(poisoned, 500, "tokenizer panicked"),
    "no reply": _garbled,
}


@pytest.mark.parametrize("kind", FOR_GOOD)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_prompt_that_is_refused_for_ever_costs_itself_alone(mock, request_, kind, first):
    bad = replace(request_, messages=(*request_.messages[:1], Message("user", "poison")))
    requests = [bad, *[request_] * 6] if first else [*[request_] * 6, bad]
    found, _ = mock.outcome(FOR_GOOD[kind](mock), *requests, max_attempts=3, concurrency=4)
    lost = [each for each in found if isinstance(each, Exception)]
    assert [type(each) for each in lost] == [UnanswerablePrompt]
    assert lost[0].attempts <= (3 if kind in ("generation", "crash", "no reply") else 2)
    assert {each.form for each in found if each not in lost} == {"json_schema"}


def test_the_servers_words_are_shown_and_cannot_steer_a_terminal(mock, request_):
    said = {"message": "flagged \x1b[31mred\u202e", "code": "content_filter", "innererror": {"x": "y" * 900}}
    ((error,), _) = mock.outcome(mock.refusing(lambda _: True, 400, said), request_, max_attempts=1)
    assert isinstance(error, UnanswerablePrompt)
    assert error.what == "HTTP 400: flagged \\x1b[31mred\\u202e (content_filter)"


@pytest.mark.parametrize("said", ["API key not valid. Please pass a valid API key.", {"code": "invalid_api_key"}])
def test_a_key_that_is_refused_with_another_status_is_a_key(mock, request_, said):
    found, server = mock.outcome(mock.refusing(lambda _: True, 400, said), *[request_] * 4)
    assert all("refuses the key" in str(each) for each in found)
    assert len(server.bodies) == 1


def test_a_firewall_that_bars_a_prompt_is_no_wrong_key(mock, request_):
    async def scenario():
        handler = mock.refusing(poisoned, 403, "Access denied. Your IP and key of this event: 7f")
        async with mock.Server(every=handler) as server:
            model = EndpointModel(base_url=server.url, model="mock-1")
            await model.ask(request_)
            with pytest.raises(UnanswerablePrompt):
                await model.ask(replace(request_, messages=(Message("user", "poison"),)))
            await model.close()

    asyncio.run(scenario())


def test_a_key_that_is_revoked_later_is_no_matter_of_a_prompt(mock, request_):
    async def scenario():
        async with mock.Server(mock.answer, every=mock.status(403, "Forbidden")) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", api_key=KEY)
            await model.ask(request_)
            with pytest.raises(ProviderError, match="refuses the key, or all that comes from here") as caught:
                await model.ask(request_)
            await model.close()
            return caught.value

    assert type(asyncio.run(scenario())) is ProviderError


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, {"error": {"message": "Insufficient credits"}}),
        (200, {"error": {"message": "Insufficient credits", "code": 402}}),
        (200, {"choices": None, "error": {"message": "Insufficient Balance", "code": "insufficient_balance"}}),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
    ],
)
def test_an_empty_account_ends_all_requests_at_once_with_words_of_its_own(mock, request_, status, body):
    async def handler(_request):
        return web.json_response(body, status=status)

    found, server = mock.outcome(handler, *[request_] * 6, concurrency=6)
    assert {type(each) for each in found} == {ProviderError}
    assert len({str(each) for each in found}) == 1
    assert "the account is empty" in str(found[0])
    assert body["error"]["message"] in str(found[0])
    assert len(server.bodies) == 1


def test_an_error_in_place_of_a_reply_is_treated_like_the_status_it_names(mock, request_):
    limit = {"message": "Provider returned error", "code": 429, "metadata": {"raw": "Too Many Requests"}}

    async def handler(_request):
        return web.json_response({"choices": None, "usage": None, "error": limit})

    ((error,), server) = mock.outcome(handler, request_, max_attempts=3)
    assert "error 429 in place of a reply: Provider returned error: Too Many Requests" in str(error)
    assert len(server.bodies) == 3


def test_a_refusal_in_a_field_of_its_own_is_what_the_model_said(mock, request_):
    async def handler(_request):
        body = mock.completion(None)
        body["choices"][0]["message"]["refusal"] = "I can't help with that."
        body["choices"][0]["finish_reason"] = "content_filter"
        return web.json_response(body)

    ((reply,), _) = mock.outcome(handler, request_)
    assert (reply.text, reply.finish_reason) == ("I can't help with that.", "content_filter")


def test_a_prompt_that_was_refused_is_refused_by_a_replay(mock, request_, tmp_path):
    store = StoreConfig(path=tmp_path / "calls.db", mode="record")
    handler = mock.refusing(lambda body: body["messages"][-1]["content"] == "Well?", 400, "content policy")

    async def refusals():
        async with mock.Server(every=handler) as server:
            for mode in ("record", "replay"):
                kept = store.model_copy(update={"mode": mode})
                config = ModelConfig(provider="endpoint", base_url=server.url, model="mock-1", store=kept)
                model = await build_chat_model(config)
                with pytest.raises(UnanswerablePrompt) as caught:
                    await model.ask(request_)
                await model.close()
                yield caught.value, len(server.bodies)

    async def scenario():
        return [each async for each in refusals()]

    (recorded, asked), (replayed, in_all) = asyncio.run(scenario())
    assert (recorded.what, recorded.attempts) == (replayed.what, replayed.attempts)
    assert asked == in_all
