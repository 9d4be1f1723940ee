"""What `groundlings model check` finds out of servers that tell it in none of the usual ways."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from groundlings.simulator.language.probe import examine


def _thinker(mock, needs):
    async def handler(request):
        body = await request.json()
        enough = body["max_tokens"] >= needs
        reply = mock.completion("<think>hm</think>Waves." if enough else "<think>hm, h")
        reply["choices"][0]["finish_reason"] = "stop" if enough else "length"
        return web.json_response(reply)

    return handler


@pytest.mark.parametrize(("needs", "more"), [(0, {}), (1000, {"max_tokens": 2000})])
def test_a_model_that_thinks_is_found(mock, needs, more):
    async def scenario():
        async with mock.Server(every=_thinker(mock, needs)) as server:
            return await examine(server.url, "mock-1", None, 5.0)

    found = asyncio.run(scenario())
    assert found[0].settings == {"thinking": "strip", **more}
    assert (found[0].works, found[1].what) == (True, "thinking")


def test_a_key_that_a_server_names_beside_its_words_is_told_and_met(mock):
    async def handler(request):
        body = await request.json()
        said = (
            '{"error": {"message": "Unsupported parameter.", "param": "max_tokens", "type": "invalid_request_error"}}'
        )
        return (
            web.json_response(mock.completion("Waves."))
            if "max_tokens" not in body
            else web.Response(status=400, text=said)
        )

    async def scenario():
        async with mock.Server(every=handler) as server:
            return await examine(server.url, "mock-1", None, 5.0)

    assert asyncio.run(scenario())[0].settings == {"limit_key": "max_completion_tokens"}


@pytest.mark.parametrize(
    ("short", "whole", "settings"),
    [
        ("hm, h", "hm</think>Waves.", {"thinking": "strip", "max_tokens": 2000}),  # the prompt has opened the block
        ("", "Waves.", {"max_tokens": 2000}),  # nobody is shown the thinking
    ],
)
def test_a_model_is_found_that_thinks_unmarked_or_unseen(mock, short, whole, settings):
    async def handler(request):
        enough = (await request.json())["max_tokens"] >= 1000
        reply = mock.completion(whole if enough else short)
        reply["choices"][0]["finish_reason"] = "stop" if enough else "length"
        return web.json_response(reply)

    async def scenario():
        async with mock.Server(every=handler) as server:
            return await examine(server.url, "mock-1", None, 5.0)

    found = asyncio.run(scenario())
    assert (found[0].works, found[0].settings) == (True, settings)


def test_a_model_that_is_only_cut_short_is_not_said_to_think(mock):
    async def handler(request):
        reply = mock.completion("The sea is wide and")
        reply["choices"][0]["finish_reason"] = "length"
        return web.json_response(reply)

    async def scenario():
        async with mock.Server(every=handler) as server:
            return await examine(server.url, "mock-1", None, 5.0)

    assert asyncio.run(scenario())[0].settings == {}
