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

from groundlings.environments.chat import Message
from groundlings.environments.errors import ConfigError, ProviderError, UnanswerablePrompt
from groundlings.experiments.cli.model import app
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig, StoreConfig
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.probe import examine

KEY = "sk-very-secret-0123456789"
FORMS = ("response_format", "grammar", "structured_outputs")


def refusing(mock, when, status, said, text=None):
    """A server that refuses the bodies for which `when` holds, in some words, and answers all others."""

    async def handler(request):
        body = await request.json()
        if when(body):
            error = {"error": said if isinstance(said, dict) else {"message": said}}
            return web.json_response(error, status=status)
        return web.json_response(mock.completion(*([] if text is None else [text])))

    return handler


def has_form(body):
    return any(form in body for form in FORMS)


def poisoned(body):
    return any("poison" in message["content"] for message in body["messages"])


def ask(server, *requests, **options):
    """Everything that comes of some requests at a time: replies, or errors."""

    async def scenario():
        model = EndpointModel(base_url=server.url, **{"model": "mock-1", "timeout_seconds": 5.0, **options})
        try:
            return await asyncio.gather(*map(model.ask, requests), return_exceptions=True)
        finally:
            await model.close()

    return scenario()


def outcome(mock, handler, *requests, models=None, **options):
    async def scenario():
        async with mock.Server(every=handler, models=models) as server:
            return await ask(server, *requests, **options), server

    return asyncio.run(scenario())


REFUSED_FORMS = [
    (400, "'response_format.type' must be 'json_object' or 'text'"),
    (400, "This feature is unavailable now"),
    (422, {"message": "extra fields not permitted", "type": "extra_forbidden"}),
    (500, "rpc error: code = Unknown desc = failed to parse grammar"),
    (501, "response_format is not implemented"),
    (404, "No endpoints found that can handle the requested parameters"),
]


@pytest.mark.parametrize("crowd", [1, 2, 8, 64])
@pytest.mark.parametrize(("status", "said"), REFUSED_FORMS)
def test_a_refused_form_ends_no_request_of_a_crowd_and_all_are_asked_alike(mock, request_, status, said, crowd):
    requests = [replace(request_, seed=seed) for seed in range(crowd)]
    replies, server = outcome(mock, refusing(mock, has_form, status, said), *requests, concurrency=crowd)
    assert {reply.form for reply in replies} == {"none"}
    assert sum(map(has_form, server.bodies)) <= 2, "one attempt, and one control where the words do not tell"


def test_a_form_that_the_server_takes_slowly_holds_nobody_up_for_long(mock, request_, monkeypatch):
    """Refusals come after the moment for which the others wait: they are sent again all the same."""
    monkeypatch.setattr("groundlings.simulator.language.reply_forms._LONGEST_WAIT_SECONDS", 0.01)
    refuse = refusing(mock, has_form, 400, "no such feature")

    async def slowly(request):
        await asyncio.sleep(0.1)
        return await refuse(request)

    replies, server = outcome(mock, slowly, *[request_] * 8, concurrency=8)
    assert [reply.form for reply in replies] == ["none"] * 8
    assert sum(map(has_form, server.bodies)) > 2


def test_a_server_that_fails_for_another_reason_keeps_its_form(mock, request_):
    failures = [mock.status(500, "out of memory")] * 2

    async def scenario():
        async with mock.Server(*failures) as server:
            return await ask(server, request_)

    (reply,) = asyncio.run(scenario())
    assert reply.form == "json_schema"


def test_a_form_that_was_taken_is_not_given_up_in_the_middle_of_a_run(mock, request_):
    """The arms that come later would be asked otherwise than the earlier ones."""
    refuse = refusing(mock, has_form, 400, "response_format is no longer supported")

    async def scenario():
        async with mock.Server(*[mock.answer] * 3, every=refuse) as server:
            model = EndpointModel(base_url=server.url, model="mock-1")
            replies = [await model.ask(request_) for _ in range(3)]
            with pytest.raises(ProviderError, match=r"took the form json_schema.*structured: none") as caught:
                await model.ask(request_)
            await model.close()
            return replies, caught.value, server.bodies

    replies, error, bodies = asyncio.run(scenario())
    assert {reply.form for reply in replies} == {"json_schema"}
    assert type(error) is ProviderError
    assert all(map(has_form, bodies))


def test_a_resumed_run_keeps_the_form_of_its_earlier_replies(mock, request_):
    async def scenario(handler, so_far):
        async with mock.Server(every=handler) as server:
            connection = Connection(base_url=server.url, model="mock-1", forms_so_far=frozenset(so_far))
            pool = EndpointPool([connection], max_attempts=2)
            try:
                return (await pool.ask(request_)).form
            finally:
                await pool.close()

    assert asyncio.run(scenario(mock.answer, {"none"})) == "none"
    assert asyncio.run(scenario(mock.answer, {"json_schema", "answers"})) == "json_schema"
    with pytest.raises(ProviderError, match="response_format"):
        asyncio.run(scenario(refusing(mock, has_form, 400, "response_format?"), {"json_schema"}))


def test_a_form_that_is_insisted_on_is_not_dropped_and_the_message_names_the_way_out(mock, request_):
    handler = refusing(mock, has_form, 400, "This feature is unavailable now")
    ((error,), _) = outcome(mock, handler, request_, structured="json_schema")
    assert type(error) is ProviderError
    assert "mind.model.structured: none" in str(error)


GENERATIONS = [
    {"message": "Failed to generate JSON. Please adjust your prompt.", "code": "json_validate_failed"},
    {"message": "Generated JSON does not match the expected schema.", "code": "json_validate_failed"},
]


@pytest.mark.parametrize("said", GENERATIONS, ids=["failed", "mismatch"])
@pytest.mark.parametrize("place", [0, 2])
def test_a_failed_generation_is_tried_again_in_the_same_form(mock, request_, said, place):
    async def scenario():
        script = [*[mock.answer] * place, mock.status(400, json.dumps({"error": said}))]
        async with mock.Server(*script) as server:
            return [*await ask(server, request_), *await ask(server, *[request_] * 4, concurrency=1)], server

    replies, server = asyncio.run(scenario())
    assert {reply.form for reply in replies} == {"json_schema"}
    assert sorted(reply.attempts for reply in replies) == [1, 1, 1, 1, 2]
    assert all(map(has_form, server.bodies))


def _garbled(mock):
    async def handler(request):
        body = await request.json()
        return web.json_response({"choices": []} if poisoned(body) else mock.completion())

    return handler


FOR_GOOD = {
    "filter": lambda mock: refusing(mock, poisoned, 400, {"message": "content management policy", "code": "filter"}),
    "moderation": lambda mock: refusing(mock, poisoned, 403, "your input was flagged for violence"),
    "firewall": lambda mock: refusing(mock, poisoned, 403, "Sorry."),
    "length": lambda mock: refusing(mock, poisoned, 400, "maximum context length is 20 tokens"),
    "other words": lambda mock: refusing(mock, poisoned, 422, "Nein."),
    "generation": lambda mock: refusing(mock, poisoned, 400, GENERATIONS[0]),
    "crash": lambda mock: refusing(mock, poisoned, 500, "tokenizer panicked"),
    "no reply": _garbled,
}


@pytest.mark.parametrize("kind", FOR_GOOD)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_prompt_that_is_refused_for_ever_costs_itself_alone(mock, request_, kind, first):
    bad = replace(request_, messages=(*request_.messages[:1], Message("user", "poison")))
    requests = [bad, *[request_] * 6] if first else [*[request_] * 6, bad]
    found, _ = outcome(mock, FOR_GOOD[kind](mock), *requests, max_attempts=3, concurrency=4)
    lost = [each for each in found if isinstance(each, Exception)]
    assert [type(each) for each in lost] == [UnanswerablePrompt]
    assert lost[0].attempts <= (3 if kind in ("generation", "crash", "no reply") else 2)
    assert {each.form for each in found if each not in lost} == {"json_schema"}


def test_the_servers_words_are_shown_and_cannot_steer_a_terminal(mock, request_):
    said = {"message": "flagged \x1b[31mred\u202e", "code": "content_filter", "innererror": {"x": "y" * 900}}
    ((error,), _) = outcome(mock, refusing(mock, lambda _: True, 400, said), request_, max_attempts=1)
    assert isinstance(error, UnanswerablePrompt)
    assert error.what == "HTTP 400: flagged \\x1b[31mred\\u202e (content_filter)"


def test_a_key_that_is_revoked_later_is_no_matter_of_a_prompt(mock, request_):
    async def scenario():
        async with mock.Server(mock.answer, every=mock.status(403, "Forbidden")) as server:
            model = EndpointModel(base_url=server.url, model="mock-1", api_key=KEY)
            await model.ask(request_)
            with pytest.raises(ProviderError, match="refuses the key") as caught:
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

    found, server = outcome(mock, handler, *[request_] * 6, concurrency=6)
    assert {type(each) for each in found} == {ProviderError}
    assert len({str(each) for each in found}) == 1
    assert "the account is empty" in str(found[0])
    assert body["error"]["message"] in str(found[0])
    assert len(server.bodies) == 1


def test_an_error_in_place_of_a_reply_is_treated_like_the_status_it_names(mock, request_):
    limit = {"message": "Provider returned error", "code": 429, "metadata": {"raw": "Too Many Requests"}}

    async def handler(_request):
        return web.json_response({"choices": None, "usage": None, "error": limit})

    ((error,), server) = outcome(mock, handler, request_, max_attempts=3)
    assert "error 429 in place of a reply: Provider returned error: Too Many Requests" in str(error)
    assert len(server.bodies) == 3


def test_a_refusal_in_a_field_of_its_own_is_what_the_model_said(mock, request_):
    async def handler(_request):
        body = mock.completion(None)
        body["choices"][0]["message"]["refusal"] = "I can't help with that."
        body["choices"][0]["finish_reason"] = "content_filter"
        return web.json_response(body)

    ((reply,), _) = outcome(mock, handler, request_)
    assert (reply.text, reply.finish_reason) == ("I can't help with that.", "content_filter")


def _stream(mock, *, end="data: [DONE]\n\n"):
    text = mock.completion()["choices"][0]["message"]["content"]
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning": "hm", "content": None}}]}]
    chunks += [{"model": "mock-1", "choices": [{"index": 0, "delta": {"content": sign}}]} for sign in text]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": mock.completion()["usage"]}]
    body = ": keep-alive\n\n" + "".join(f"data: {json.dumps(each)}\r\n\r\n" for each in chunks) + end
    return mock.text_reply(body, "text/event-stream")


def _parts(mock):
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    return mock.text_reply(
        json.dumps(mock.completion([thinking, {"type": "text", "text": '{"ok":'}, {"type": "text", "text": "true}"}])),
        "application/json",
    )


@pytest.mark.parametrize("way", [_stream, _parts], ids=["stream", "parts"])
def test_a_reply_in_pieces_is_put_together(mock, request_, way):
    ((reply,), _) = outcome(mock, way(mock), request_)
    assert (reply.text, reply.model, reply.finish_reason) == ('{"ok":true}', "mock-1", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.thought_characters) == (30, 5, 2)


def test_a_stream_that_breaks_off_is_no_reply(mock, request_):
    cut = 'data: {"choices":[{"delta":{"content":"{\\"ok\\":"}}]}\n\n'
    ((error,), _) = outcome(mock, mock.text_reply(cut, "text/event-stream"), request_, max_attempts=1)
    assert "breaks off" in str(error)


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
    handler = refusing(mock, lambda _: False, 200, "", text=thought + '{"ok":true}')
    ((kept,), _) = outcome(mock, handler, request_)
    ((cut,), _) = outcome(mock, handler, request_, strip_thinking=True)
    assert (kept.text, kept.thought_characters) == (thought + '{"ok":true}', 0)
    assert (cut.text, cut.thought_characters) == ('{"ok":true}', length)


def test_thinking_without_an_end_leaves_nothing(mock, request_):
    handler = refusing(mock, lambda _: False, 200, "", text="<think>hm, and {")
    ((reply,), _) = outcome(mock, handler, request_, strip_thinking=True)
    assert (reply.text, reply.thought_characters) == ("", 16)


def test_marks_of_tokenizers_are_the_spaces_that_they_stand_for(mock, request_):
    async def handler(_request):
        body = mock.completion("yes")
        listed = [{"token": "\u2581yes", "logprob": -0.5}, {"token": "\u0120no", "logprob": -1.0}]
        body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": 0, "top_logprobs": listed}]}
        return web.json_response(body)

    ((reply,), _) = outcome(mock, handler, replace(request_, answers=("yes", "no"), max_tokens=1))
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
    ((reply,), _) = outcome(mock, mock.answer, request_, models=LISTS[kind](mock))
    assert reply.text == '{"ok":true}'


@pytest.mark.parametrize("kind", LISTS)
def test_without_a_name_the_message_says_what_was_asked(mock, request_, kind):
    found, _ = outcome(mock, mock.answer, request_, models=LISTS[kind](mock), model=None, max_attempts=2)
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
    asked = replace(request_, temperature=0.7, answers=("yes",), max_tokens=1)
    ((error,), _) = outcome(mock, _quirky(mock, kind), asked, max_attempts=1)
    assert type(error) is ProviderError
    ((key, value),) = QUIRKS[kind][2].items()
    assert f"mind.model.{key}: {str(value).lower()}" in str(error)
    assert "groundlings model check" in str(error)


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


def test_an_address_keeps_its_query_and_headers_come_from_variables(mock, request_, monkeypatch):
    monkeypatch.setenv("AZURE_KEY", KEY)
    seen = []

    async def handler(request):
        seen.append((request.path_qs, request.headers["api-key"]))
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


def test_a_prompt_that_was_refused_is_refused_by_a_replay(mock, request_, tmp_path):
    store = StoreConfig(path=tmp_path / "calls.db", mode="record")
    handler = refusing(mock, lambda body: body["messages"][-1]["content"] == "Well?", 400, "content policy")

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
