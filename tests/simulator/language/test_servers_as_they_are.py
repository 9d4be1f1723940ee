"""Servers that call themselves OpenAI-compatible, in the ways in which they are not: none ends a run, or bends it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
import yaml
from aiohttp import web
from pydantic import ValidationError
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.experiments.cli.model import app
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.probe import examine
from groundlings.simulator.language.replies_so_far import RepliesSoFar

KEY = "sk-very-secret-0123456789"


def _stream(mock):
    text = mock.completion()["choices"][0]["message"]["content"]
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning": "hm", "content": None}}]}]
    chunks += [{"model": "mock-1", "choices": [{"index": 0, "delta": {"content": sign}}]} for sign in text]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": mock.completion()["usage"]}]
    body = ": keep-alive\n\n" + "".join(f"data: {json.dumps(each)}\r\n\r\n" for each in chunks) + "data: [DONE]\n\n"
    return mock.text_reply(body, "text/event-stream")


def _parts(mock):
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    return mock.text_reply(
        json.dumps(mock.completion([thinking, {"type": "text", "text": '{"ok":'}, {"type": "text", "text": "true}"}])),
        "application/json",
    )


@pytest.mark.parametrize("way", [_stream, _parts], ids=["stream", "parts"])
def test_a_reply_in_pieces_is_put_together(mock, request_, way):
    ((reply,), _) = mock.outcome(way(mock), request_)
    assert (reply.text, reply.model, reply.finish_reason) == ('{"ok":true}', "mock-1", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.thought_characters) == (30, 5, 2)


def test_an_error_in_a_stream_is_an_error_whatever_came_before(mock, request_):
    half = 'data: {"choices":[{"delta":{"content":"{\\"ok\\":"}}]}\n\n'
    error = 'event: error\ndata: {"error":{"message":"Overloaded","code":529}}\n\n'
    ((raised,), _) = mock.outcome(mock.text_reply(half + error, "text/event-stream"), request_, max_attempts=1)
    assert "error 529 in place of a reply: Overloaded" in str(raised)


def test_a_stream_that_breaks_off_is_no_reply(mock, request_):
    cut = 'data: {"choices":[{"delta":{"content":"{\\"ok\\":"}}]}\n\n'
    ((error,), _) = mock.outcome(mock.text_reply(cut, "text/event-stream"), request_, max_attempts=1)
    assert "breaks off" in str(error)


@pytest.mark.parametrize(
    ("earlier", "names", "told"), [("", "mm", 0), ("", "mnmn", 1), ("mn", "mm", 0), ("m", "nn", 1), ("m", "nmnm", 1)]
)
def test_a_server_that_changes_its_model_meanwhile_is_told_of_once(mock, request_, earlier, names, told):
    lines = []

    async def scenario():
        answers = [
            mock.text_reply(json.dumps({**mock.completion(), "model": each}), "application/json") for each in names
        ]
        async with mock.Server(*answers) as server:
            before = RepliesSoFar(models=frozenset(earlier))
            pool = EndpointPool([Connection(base_url=server.url, model="mock-1", so_far=before)], tell=lines.append)
            for _ in names:
                await pool.ask(request_)
            await pool.close()

    asyncio.run(scenario())
    assert [("changes the model while it is asked" in line) for line in lines] == [True] * told


THOUGHTS = {
    "block": ("<think>\nhm</think>\n\n", 20),
    "empty": ("<think>\n\n</think>\n\n", 19),
    "no beginning": ("hm, slot 1?\n</think>\n", 21),
    "brackets": ("[THINK]hm[/THINK]", 17),
    "channels": ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>", 84),
}


@pytest.mark.parametrize("kind", THOUGHTS)
def test_thinking_is_cut_off_by_a_setting_only_and_counted(mock, request_, kind):
    thought, length = THOUGHTS[kind]
    handler = mock.refusing(lambda _: False, 200, "", text=thought + '{"ok":true}')
    ((kept,), _) = mock.outcome(handler, request_)
    ((cut,), _) = mock.outcome(handler, request_, strip_thinking=True)
    assert (kept.text, kept.thought_characters) == (thought + '{"ok":true}', 0)
    assert (cut.text, cut.thought_characters) == ('{"ok":true}', length)


def test_thinking_without_an_end_leaves_nothing(mock, request_):
    handler = mock.refusing(lambda _: False, 200, "", text="<think>hm, and {")
    ((reply,), _) = mock.outcome(handler, request_, strip_thinking=True)
    assert (reply.text, reply.thought_characters) == ("", 16)


def test_marks_of_tokenizers_are_the_spaces_that_they_stand_for(mock, request_):
    async def handler(_request):
        body = mock.completion("yes")
        listed = [{"token": "\u2581yes", "logprob": -0.5}, {"token": "\u0120no", "logprob": -1.0}]
        body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": 0, "top_logprobs": listed}]}
        return web.json_response(body)

    ((reply,), _) = mock.outcome(handler, replace(request_, answers=("yes", "no"), max_tokens=1))
    assert reply.first_token == ((" yes", -0.5), (" no", -1.0))
    assert reply.form == "answers"


LISTS = {
    "bare list": lambda mock: mock.text_reply('[{"id":"mock-1","owned_by":"somebody"}]', "application/json"),
    "null": lambda mock: mock.text_reply('{"object":"list","data":null}', "application/json"),
    "html": lambda mock: mock.text_reply("<!doctype html><html></html>", "text/html"),
    **{str(code): lambda mock, code=code: mock.status(code) for code in (400, 403, 404, 500, 501)},
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_models_that_cannot_be_had_is_not_needed_where_the_model_is_named(mock, request_, kind):
    ((reply,), _) = mock.outcome(mock.answer, request_, models=LISTS[kind](mock))
    assert reply.text == '{"ok":true}'


@pytest.mark.parametrize("kind", LISTS)
def test_without_a_name_the_message_says_what_was_asked(mock, request_, kind):
    found, _ = mock.outcome(mock.answer, request_, models=LISTS[kind](mock), model=None, max_attempts=2)
    if kind == "bare list":
        assert found[0].text == '{"ok":true}'
    else:
        assert isinstance(found[0], ConfigError | ProviderError)
        assert "/models" in str(found[0])


QUIRKS = {
    "limit": (
        lambda body: "max_tokens" in body,
        "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
        {"limit_key": "max_completion_tokens"},
    ),
    "temperature": (
        lambda body: "temperature" in body,
        "Unsupported value: 'temperature' does not support 0.7 with this model.",
        {"send_temperature": False},
    ),
    "temperature of one": (
        lambda body: body.get("temperature") != 1,
        "'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
        {"temperature": 1},
    ),
    "temperature of zero": (
        lambda body: body.get("temperature") == 0,
        "Input validation error: `temperature` must be strictly positive",
        {"send_temperature": False},
    ),
    "system": (
        lambda body: body["messages"][0]["role"] == "system",
        "System role not supported",
        {"merge_system": True},
    ),
    "roles, untold": (
        lambda body: body["messages"][0]["role"] == "system",
        "Bad request",
        {"merge_system": True},
    ),
    "stream": (
        lambda body: not body.get("stream"),
        "This model only support stream mode, please enable the stream parameter to access the model.",
        {"stream": True},
    ),
    "seed": (lambda body: "seed" in body, "seed: extra inputs are not permitted", {"send_seed": False}),
    "alternatives": (
        lambda body: body.get("top_logprobs", 0) > 5,
        "Requested sample logprobs of 20, which is greater than max allowed: 5",
        {"top_logprobs": 5},
    ),
    "limit and seed": (
        lambda body: "max_tokens" in body or "seed" in body,
        "max_completion_tokens, please",
        {"limit_key": "max_completion_tokens", "send_seed": False},
    ),
}


def _quirky(mock, kind):
    """Refuses what a quirk says, keeps to JSON schemas, and gives log probabilities."""
    refuses, said, _ = QUIRKS[kind]

    async def handler(request):
        body = await request.json()
        if refuses(body):
            return web.json_response({"error": {"message": said}}, status=400)
        reply = mock.completion('{"mood":"calm","count":41}' if "response_format" in body else "Waves.")
        if "top_logprobs" in body:
            listed = [{"token": "Yes", "logprob": -0.5}]
            reply["choices"][0]["logprobs"] = {"content": [{"token": "Yes", "logprob": -0.5, "top_logprobs": listed}]}
        return web.json_response(reply)

    return handler


@pytest.mark.parametrize("kind", QUIRKS)
def test_how_a_server_wants_to_be_asked_is_found_and_then_works(mock, request_, kind):
    wanted = QUIRKS[kind][2]

    async def scenario():
        async with mock.Server(every=_quirky(mock, kind)) as server:
            findings = await examine(server.url, "mock-1", None, 5.0)
            found = {key: value for each in findings for key, value in each.settings.items()}
            config = ModelConfig(provider="endpoint", base_url=server.url, model="mock-1", max_attempts=1, **found)
            model = await build_chat_model(config)
            asked = replace(request_, temperature=config.temperature)
            try:
                replies = [await model.ask(asked), await model.ask(replace(asked, answers=("yes",), max_tokens=1))]
            finally:
                await model.close()
            return findings[0], found, replies

    chat, found, replies = asyncio.run(scenario())
    assert chat.works
    assert found == {**wanted, "structured": "json_schema"}
    assert [reply.form for reply in replies] == ["json_schema", "answers"]


@pytest.mark.parametrize("kind", [kind for kind in QUIRKS if "untold" not in kind and " and " not in kind])
def test_a_run_does_not_guess_but_says_which_setting_is_wanted(mock, request_, kind):
    asked = replace(request_, temperature=0.7)
    of_one_token = replace(request_, temperature=0.0, answers=("yes",), max_tokens=1)
    wanted = asked if kind in ("system", "seed", "temperature of one") else of_one_token
    ((error,), _) = mock.outcome(_quirky(mock, kind), wanted, max_attempts=1)
    assert type(error) is ProviderError
    ((key, value),) = QUIRKS[kind][2].items()
    assert f"mind.model.{key}: {str(value).lower()}" in str(error)
    assert ("mind.model.temperature:" in str(error)) == (kind in ("temperature of one",)), (
        "nothing that changes nothing"
    )
    assert "groundlings model check" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        (401, "bad key"), (402, "pay"), (403, "bad key"), (404, "what?"), (400, "max_tokens"), (400, "response_format"),
        (302, ""), (418, "teapot"),
    ],
)  # fmt: skip
def test_a_message_names_the_section_that_the_model_was_asked_for_in(mock, request_, answer):
    status, said = answer
    server = mock.status(status, '{"error":{"message":"' + said + '"}}')
    ((error,), _) = mock.outcome(server, request_, max_attempts=1, structured="json_schema", key="arms[1].model")
    assert type(error) is ProviderError
    assert "arms[1].model." in str(error)
    assert "mind.model" not in str(error)
    assert ("arms[1].model.headers_env" in str(error)) == (status in (401, 403)), "a key may be sent by either"


def test_who_does_not_speak_http_is_told_so(request_):
    async def asked():
        async def answers(reader, writer):
            await reader.read(1)
            writer.write(b"SSH-2.0-x\r\n")
            writer.close()

        async with await asyncio.start_server(answers, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
            model = EndpointModel(base_url=f"http://127.0.0.1:{port}/v1", model="mock-1", max_attempts=1)
            try:
                await model.ask(request_)
            finally:
                await model.close()

    with pytest.raises(ProviderError, match=r"after 1 attempt, .*what came is no answer of HTTP"):
        asyncio.run(asked())


def test_the_settings_found_are_written_as_a_model_section(mock, tmp_path):
    """In a thread, because the command has an event loop of its own."""
    path = tmp_path / "model.yaml"

    async def scenario():
        async with mock.Server(every=_quirky(mock, "limit")) as server:
            arguments = ["check", server.url, "--model", "mock-1", "--write", str(path)]
            first = await asyncio.to_thread(CliRunner().invoke, app, arguments)
            return server.url, first, await asyncio.to_thread(CliRunner().invoke, app, arguments)

    url, first, again = asyncio.run(scenario())
    assert first.exit_code == 0
    assert yaml.safe_load(path.read_text()) == {
        "provider": "endpoint",
        "base_url": url,
        "model": "mock-1",
        "limit_key": "max_completion_tokens",
        "structured": "json_schema",
    }
    assert isinstance(again.exception, ConfigError), "a file that is there is left alone"


def test_the_check_does_not_send_to_itself(mock):
    """Whoever called it has seen what it finds; what it does not look for has a place of its own."""

    async def scenario():
        refusing = mock.status(400, '{"error":{"message":"parameter.enable_thinking must be false"}}')
        async with mock.Server(every=refusing) as server:
            return await asyncio.to_thread(CliRunner().invoke, app, ["check", server.url, "--model", "mock-1"])

    shown = asyncio.run(scenario())
    assert shown.exit_code == 1
    assert "extra_body" in shown.output
    assert "groundlings model check" not in shown.output


def test_an_address_keeps_its_query_and_headers_come_from_variables(mock, request_, monkeypatch):
    monkeypatch.setenv("AZURE_KEY", KEY)
    seen = []

    async def handler(request):
        seen.append((request.path_qs, request.headers["api-key"]))
        assert "Authorization" not in request.headers, "a placeholder beside a key would be a wrong key"
        return web.json_response(mock.completion(f"{KEY} is the key"))

    async def scenario():
        async with mock.Server(every=handler) as server:
            config = ModelConfig(
                provider="endpoint",
                base_url=f"{server.url}/?api-version=2024-10-21",
                model="mock-1",
                headers_env={"api-key": "AZURE_KEY"},
                extra_body={"reasoning_effort": "low"},
            )
            model = await build_chat_model(config)
            try:
                return await model.ask(request_), server.bodies[0]
            finally:
                await model.close()

    reply, body = asyncio.run(scenario())
    assert seen == [("/v1/chat/completions?api-version=2024-10-21", KEY)]
    assert body["reasoning_effort"] == "low"
    assert KEY not in reply.text


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": f"https://host/v1?api_key={KEY}"},
        {"base_url": "https://host/v1;key=hunter2"},
        {"base_url": "https://host/v1?code=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA=="},
        {"base_url": "https://host/v1", "extra_body": {"metadata": {"api_key": KEY}}},
        {"base_url": "https://host/v1", "extra_body": {"user": KEY}},
        {"base_url": "https://host/v1", "extra_body": {"stream": True}},
        {"base_url": "https://host/v1", "headers_env": {"api-key": KEY}},
        {"base_url": "https://host/v1", "headers_env": {"Content-Length": "LENGTH"}},
    ],
)
def test_what_a_file_must_not_say_of_a_server_is_refused_and_not_repeated(given):
    with pytest.raises(ValidationError) as caught:
        ModelConfig.model_validate({"provider": "endpoint", **given})
    assert KEY not in str(caught.value)


def test_an_experiment_stands_for_the_address_and_the_settings_in_it(mock, tmp_path):
    model = {"provider": "endpoint", "model": "mock-1", "temperature": 0.3, "limit_key": "max_completion_tokens"}
    written = tmp_path / "model.yaml"

    async def scenario():
        async with mock.Server(every=_quirky(mock, "limit and seed")) as server:
            content = {"name": "x", "seed": 1, "mind": {"kind": "language", "model": {**model, "base_url": server.url}}}
            content |= {"dataset": {"name": "toy"}, "arms": [{"name": "popular", "recommender": "popular"}]}
            (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(content))
            arguments = ["check", str(tmp_path / "experiment.yaml"), "--write", str(written)]
            done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
            return done, server

    done, server = asyncio.run(scenario())
    assert done.exit_code == 0
    found = yaml.safe_load(written.read_text())
    assert found == {**model, "base_url": server.url, "send_seed": False, "structured": "json_schema"}
    assert not any("max_tokens" in body for body in server.bodies)
    assert (server.bodies[0]["temperature"], server.bodies[-1]["temperature"]) == (0.3, 0.3)
