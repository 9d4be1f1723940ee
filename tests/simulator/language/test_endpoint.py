from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace

import pytest
from aiohttp import web

from groundlings.environments.chat import Message
from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.simulator.language.endpoint import EndpointModel

KEY = "sk-very-secret"


async def _ask(server, request, **options):
    options = {"model": "mock-1", "timeout_seconds": 5.0, **options}
    model = EndpointModel(base_url=server.url, **options)
    try:
        return await model.ask(request)
    finally:
        await model.close()


def test_a_reply_carries_text_counts_and_build(mock, request_):
    async def scenario():
        async with mock.Server() as server:
            return await _ask(server, request_, api_key=KEY), server

    reply, server = asyncio.run(scenario())
    assert (reply.text, reply.model, reply.fingerprint) == ('{"ok":true}', "mock-1", "build-7")
    assert (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) == (30, 20, 5)
    assert reply.attempts == 1
    assert reply.latency_seconds > 0
    body = server.bodies[0]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("mock-1", 16, 0.5, 11)
    assert body["messages"] == [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Well?"}]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_later_requests_differ_from_the_first_by_their_bodies_alone(mock, request_):
    longer = replace(request_, messages=(Message("user", "Well? " * 500),), seed=12)

    async def scenario():
        async with mock.Server() as server:
            model = EndpointModel(base_url=server.url, model="mock-1", timeout_seconds=5.0, api_key=KEY)
            for each in (request_, longer, request_):
                await model.ask(each)
            await model.close()
            return server

    server = asyncio.run(scenario())
    assert [body["seed"] for body in server.bodies] == [11, 12, 11]
    assert server.bodies[1]["messages"] == [{"role": "user", "content": "Well? " * 500}]
    first, second, third = server.headers
    assert first == third
    assert {name: value for name, value in first.items() if second[name] != value}.keys() == {"Content-Length"}


def test_whatever_comes_of_a_later_request_is_told_as_of_the_first(mock, request_):
    """Later requests go past the client: they meet the same faults, and those behind them a connection that works."""

    async def announced(request):
        request.transport.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        return await mock.answer(request)

    async def no_http(request):
        request.transport.write(b"HELLO\r\n\r\n")
        return await mock.hang(request)

    async def scenario():
        async with mock.Server(mock.answer, mock.reset, mock.half, mock.status(503), no_http, announced) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", timeout_seconds=5.0)
            try:
                replies = [await model.ask(request_), await model.ask(request_)]
                server.script.append(mock.hang)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(model.ask(request_), 0.05)
                return [*replies, await model.ask(request_)]
            finally:
                await model.close()

    replies = asyncio.run(scenario())
    assert [(each.text, each.attempts) for each in replies] == [('{"ok":true}', number) for number in (1, 5, 1)]


def test_a_compressed_reply_is_unpacked(mock, request_):
    async def packed(_request):
        response = web.json_response(mock.completion())
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def scenario():
        async with mock.Server(packed) as server:
            return await _ask(server, request_)

    assert asyncio.run(scenario()).text == '{"ok":true}'


def test_organisation_and_project_of_the_environment_are_not_told_to_strangers(mock, request_, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-private")

    async def scenario():
        async with mock.Server() as server:
            await _ask(server, request_)
            return server.headers[0]

    assert "private" not in str(asyncio.run(scenario()))


@pytest.mark.parametrize(
    "make_fault",
    [
        lambda mock: mock.status(429),
        lambda mock: mock.status(500),
        lambda mock: mock.status(503, "<html>busy</html>"),
        lambda mock: mock.reset,
        lambda mock: mock.half,
        lambda mock: mock.hang,
        lambda mock: mock.trickle,
        lambda mock: mock.text_reply('{"choices":[', "application/json"),
        lambda mock: mock.text_reply("<html>hello</html>", "text/html"),
        lambda mock: mock.text_reply("[]", "application/json"),
        lambda mock: mock.text_reply('{"choices":[]}', "application/json"),
    ],
    ids=["429", "500", "503", "reset", "half", "hang", "trickle", "cut", "html", "list", "empty"],
)
def test_a_transient_fault_is_tried_again(mock, request_, make_fault):
    async def scenario():
        async with mock.Server(make_fault(mock), make_fault(mock)) as server:
            return await _ask(server, request_, timeout_seconds=0.5)

    reply = asyncio.run(scenario())
    assert reply.attempts == 3
    assert reply.text == '{"ok":true}'


def test_attempts_are_bounded_and_the_last_fault_is_told(mock, request_):
    async def scenario():
        async with mock.Server(*[mock.status(503, "overloaded")] * 9) as server:
            with pytest.raises(ProviderError, match=r"after 3 attempts.*HTTP 503: overloaded"):
                await _ask(server, request_, max_attempts=3)
            return len(server.bodies)

    assert asyncio.run(scenario()) == 3


def test_retry_after_is_obeyed(mock, request_):
    async def scenario():
        async with mock.Server(mock.status(429, Retry_After="0.4")) as server:
            started = time.perf_counter()
            reply = await _ask(server, request_)
            return reply, time.perf_counter() - started

    reply, took = asyncio.run(scenario())
    assert reply.attempts == 2
    assert took >= 0.4


def test_a_waiting_request_holds_no_place(mock, request_):
    """One place, and the request in it is told to wait: another must get through meanwhile."""

    async def scenario():
        async with mock.Server(mock.status(429, Retry_After="1.5")) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", concurrency=1)
            waiting = asyncio.create_task(model.ask(request_))
            while not server.bodies:
                await asyncio.sleep(0.005)
            through = await model.ask(request_)
            early = not waiting.done()
            waited = await waiting
            await model.close()
            return through.attempts, waited.attempts, early

    assert asyncio.run(scenario()) == (1, 2, True)


def test_concurrency_is_capped(mock, request_):
    async def slowly(_request):
        await asyncio.sleep(0.02)
        return web.json_response(mock.completion())

    async def scenario():
        async with mock.Server(*[slowly] * 12) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", concurrency=3)
            await asyncio.gather(*(model.ask(request_) for _ in range(12)))
            await model.close()
            return server.most_open

    assert asyncio.run(scenario()) == 3


@pytest.mark.parametrize("code", [401, 403])
def test_a_wrong_key_stops_at_once_and_is_not_told(mock, request_, code):
    said = '{"error":{"message":"Incorrect API key provided: ' + KEY + '"}}'

    async def scenario():
        async with mock.Server(mock.status(code, said)) as server:
            with pytest.raises(ProviderError, match=r"refuses the key.*api_key_env") as caught:
                await _ask(server, request_, api_key=KEY)
            return caught.value, len(server.bodies)

    error, requests = asyncio.run(scenario())
    assert requests == 1
    assert KEY not in str(error)
    assert error.__cause__ is None


def test_a_wrong_key_is_found_at_first_contact(mock, request_):
    async def scenario():
        async with mock.Server(models=mock.status(401)) as server:
            with pytest.raises(ProviderError, match="refuses the key"):
                await _ask(server, request_, api_key=KEY)
            return server.bodies

    assert asyncio.run(scenario()) == []


def test_an_unknown_model_is_told_with_what_is_served(mock, request_):
    async def scenario():
        async with mock.Server(mock.status(404, '{"error":"model not found"}')) as server:
            with pytest.raises(ProviderError, match=r"'mock-2'.*Did you mean 'mock-1'\?.*lists: mock-1"):
                await _ask(server, request_, model="mock-2")

    asyncio.run(scenario())


def test_an_empty_account_is_not_a_busy_server(mock, request_):
    spent = '{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}'

    async def scenario():
        async with mock.Server(mock.status(429, spent)) as server:
            with pytest.raises(ProviderError, match="exceeded your current quota"):
                await _ask(server, request_)
            return len(server.bodies)

    assert asyncio.run(scenario()) == 1


def test_nothing_listening_is_told_at_first_contact(request_):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

    async def scenario():
        model = EndpointModel(base_url=url, model="m", max_attempts=50)
        with pytest.raises(ProviderError, match=r"nothing listens there; .* mend mind\.model\.base_url"):
            await model.ask(request_)
        await model.close()

    asyncio.run(scenario())


def test_the_only_model_is_taken_when_none_is_named(mock, request_):
    async def scenario():
        async with mock.Server() as server:
            await _ask(server, request_, model=None)
            return server.bodies[0]["model"]

    assert asyncio.run(scenario()) == "mock-1"


def test_a_server_without_a_list_needs_a_name(mock, request_):
    async def scenario():
        async with mock.Server(models=mock.status(404)) as server:
            with pytest.raises(ConfigError, match="none was named"):
                await _ask(server, request_, model=None)
            return (await _ask(server, request_)).text

    assert asyncio.run(scenario()) == '{"ok":true}'


@pytest.mark.parametrize(
    ("owner", "structured", "key"),
    [
        ("llamacpp", "auto", "grammar"),
        ("vllm", "auto", "structured_outputs"),
        ("openai", "auto", "response_format"),
        ("llamacpp", "json_schema", "response_format"),
        ("openai", "grammar", "grammar"),
        ("vllm", "none", None),
    ],
)
def test_the_form_goes_the_way_the_server_takes_it(mock, request_, owner, structured, key):
    async def scenario():
        async with mock.Server(owner=owner) as server:
            await _ask(server, request_, structured=structured)
            return server.bodies[0]

    body = asyncio.run(scenario())
    assert {"grammar", "structured_outputs", "response_format"} & set(body) == ({key} if key else set())
    if key == "response_format":
        assert body[key]["json_schema"]["schema"] == request_.reply_schema


def test_a_server_that_knows_no_forms_is_asked_without(mock, request_):
    unknown = '{"error":{"message":"response_format is not supported"}}'

    async def scenario():
        async with mock.Server(mock.status(400, unknown)) as server:
            model = EndpointModel(base_url=server.url, model="mock-1")
            replies = [await model.ask(request_), await model.ask(request_)]
            await model.close()
            return replies, ["response_format" in body for body in server.bodies]

    replies, sent = asyncio.run(scenario())
    assert [reply.attempts for reply in replies] == [1, 1]
    assert sent == [True, False, False]


def test_a_way_of_asking_that_is_refused_stops_at_once(mock, request_):
    async def scenario():
        async with mock.Server(every=mock.status(400, "context length exceeded")) as server:
            with pytest.raises(ProviderError, match=r"refuses the request.*context length") as caught:
                await _ask(server, request_, structured="none")
            return type(caught.value), [body["messages"][-1]["content"] for body in server.bodies]

    kind, asked = asyncio.run(scenario())
    assert kind is ProviderError
    assert asked == ["Well?", "Say yes."]


def test_a_redirect_is_not_followed(mock, request_):
    elsewhere = mock.status(307, "", Location="https://models.example.com/v1/chat/completions")

    async def scenario():
        async with mock.Server(elsewhere) as server:
            with pytest.raises(ProviderError, match="HTTP 307"):
                await _ask(server, request_)

    asyncio.run(scenario())


def test_no_seed_is_sent_where_none_may_be(mock, request_):
    async def scenario():
        async with mock.Server() as server:
            await _ask(server, request_, send_seed=False)
            return server.bodies[0]

    assert "seed" not in asyncio.run(scenario())


def test_silence_is_an_empty_reply_and_not_a_fault(mock, request_):
    async def nothing(_request):
        return web.json_response(mock.completion(text=None))

    async def scenario():
        async with mock.Server(nothing) as server:
            return await _ask(server, request_)

    reply = asyncio.run(scenario())
    assert (reply.text, reply.attempts) == ("", 1)


def test_a_broken_connection_is_told_by_what_broke_it(mock, request_):
    """And not by whatever was being handled when the run began."""

    async def scenario():
        async with mock.Server(mock.half, mock.half) as server:
            await _ask(server, request_, max_attempts=1)

    try:
        raise LookupError("something before")
    except LookupError:
        with pytest.raises(
            ProviderError, match=r"the connection broke \((Client|Content|Server|Connection)\w+Error\)"
        ) as caught:
            asyncio.run(scenario())
    assert "LookupError" not in str(caught.value)
