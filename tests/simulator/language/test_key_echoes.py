"""A key that a server repeats goes nowhere, and no reply is rewritten because of it."""

from __future__ import annotations

import asyncio
import base64
import html
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import Message
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.key_echoes import KeyEchoes
from groundlings.simulator.language.pool import EndpointPool

KEY = "SECRETKEY-abc"
KEYS = st.text(st.characters(codec="ascii", exclude_categories=("Cc", "Zs")), min_size=12, max_size=60)


def _ask(mock, request, body, *, status=200, key=KEY, **options):
    lines = []

    async def answer(_request):
        return web.Response(text=json.dumps(body) if isinstance(body, dict) else body, status=status)

    async def scenario():
        async with mock.Server(every=answer) as server:
            connection = Connection(base_url=server.url, model="mock-1", api_key=key, **options)
            pool = EndpointPool([connection], max_attempts=2, tell=lines.append)
            try:
                return await pool.ask(request), lines
            finally:
                await pool.close()

    return asyncio.run(scenario())


def _escaped(key):
    return "".join(f"\\u{ord(sign):04x}" for sign in key)


FORMS = {
    "as it is": lambda key: f"Bearer {key}",
    "in a word": lambda key: f"x{key}y",
    "percent": quote,
    "all percent": lambda key: "".join(f"%{ord(sign):02X}" for sign in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 in the middle": lambda key: base64.b64encode(f"Bearer {key}, or so".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"?>{key}".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "JSON": _escaped,
    "HTML": lambda key: "".join(f"&#{ord(sign)};" for sign in key),
    "spaced out": " ".join,
    "in two lines": lambda key: f"{key[:7]}\n{key[7:]}",
    "quoted pieces": lambda key: f'"{key[:6]}" + "{key[6:]}"',
}


@given(KEYS, st.sampled_from(sorted(FORMS)))
def test_a_key_is_found_in_every_form(key, form):
    echoes = KeyEchoes(key)
    if form in ("spaced out", "in two lines", "quoted pieces") and sum(map(str.isalnum, key)) < 8:
        return
    if form == "HTML" and html.unescape(FORMS[form](key)) != key:
        return
    told = f"your key: {FORMS[form](key)}, is bad"
    assert echoes.stand_in(told)
    assert not echoes.stand_in(echoes.without(told))


@given(KEYS, st.text(max_size=300))
def test_what_holds_no_key_stays_as_it_is(key, text):
    if not KeyEchoes(key).stand_in(text):
        assert KeyEchoes(key).without(text) == text


def test_a_reply_with_the_key_is_withheld_whole_and_told_once(mock, request_):
    reply, lines = _ask(mock, request_, mock.completion(f'{{"ok": true, "why": "{KEY}"}}'))
    assert reply.text == "(withheld: it repeats the key)"
    assert len([line for line in lines if "repeats the key" in line]) == 1


@pytest.mark.parametrize("key", ["1", "ok", "true", '{"ok"', "k" * 7])
def test_a_short_key_rewrites_nothing(mock, request_, key):
    text = '{"ok": true, "why": "kkkkkkk 1"}'
    reply, lines = _ask(mock, request_, mock.completion(text), key=key)
    assert (reply.text, lines) == (text, [])


@pytest.mark.parametrize("length", [7, 8])
def test_a_key_too_short_to_be_looked_for_is_remarked_upon(mock, monkeypatch, length):
    monkeypatch.setenv("MY_KEY", "k" * length)
    lines = []

    async def scenario():
        async with mock.Server() as server:
            config = ModelConfig(provider="endpoint", base_url=server.url, api_key_env="MY_KEY")
            await (await build_chat_model(config, tell=lines.append)).close()

    asyncio.run(scenario())
    assert [("MY_KEY" in line, "fewer than 8 characters" in line) for line in lines] == [(True, True)] * (length < 8)


def test_a_word_of_the_question_is_no_secret_in_the_reply(mock, request_):
    text = '{"ok": true, "why": "delighted"}'
    asked = replace(request_, messages=(Message("user", "Say delighted, or not."),))
    reply, lines = _ask(mock, asked, mock.completion(text), key="delighted")
    assert (reply.text, lines) == (text, [])


def test_names_and_tokens_lose_the_key_and_the_reply_stays(mock, request_):
    body = mock.completion("Yes") | {"model": f"m-{KEY}", "system_fingerprint": f"fp-{FORMS['base64'](KEY)}"}
    listed = [{"token": "Yes", "logprob": -0.5}, {"token": f" {KEY}", "logprob": -2.0}]
    body["choices"][0] |= {"finish_reason": KEY, "logprobs": {"content": [{"top_logprobs": listed}]}}
    reply, _ = _ask(mock, replace(request_, answers=("yes",)), body)
    assert (reply.text, reply.model, reply.finish_reason) == ("Yes", "m-(key)", "(key)")
    assert reply.fingerprint == "(withheld: it repeats the key)"
    assert reply.first_token == (("Yes", -0.5), (" (key)", -2.0))


def test_pieces_in_several_places_are_found(mock, request_):
    body = mock.completion() | {"model": KEY[:7], "system_fingerprint": KEY[7:]}
    reply, _ = _ask(mock, request_, body)
    assert KEY[:7] not in f"{reply.model}{reply.fingerprint}"
    pieces = [{"token": sign, "logprob": -3.0} for sign in KEY]
    body = mock.completion()
    body["choices"][0]["logprobs"] = {"content": [{"top_logprobs": pieces}]}
    reply, _ = _ask(mock, replace(request_, answers=("yes",)), body)
    assert KEY not in "".join(token for token, _ in reply.first_token)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_message_holds_the_key(mock, request_, form, status):
    said = {"error": {"message": f"bad key {FORMS[form](KEY)}!", "code": KEY}}
    with pytest.raises(ProviderError) as caught:
        _ask(mock, request_, said, status=status)
    assert not KeyEchoes(KEY).stand_in(str(caught.value))


def test_listed_models_are_named_without_the_key(mock, request_):
    async def models(_request):
        return web.json_response({"data": [{"id": f"a-{KEY}"}, {"id": "b"}]})

    async def scenario():
        async with mock.Server(models=models) as server:
            pool = EndpointPool([Connection(base_url=server.url, model=None, api_key=KEY)])
            try:
                await pool.start()
            finally:
                await pool.close()

    with pytest.raises(Exception, match=r"a-\(key\), b") as caught:
        asyncio.run(scenario())
    assert KEY not in str(caught.value)


def test_headers_of_ones_own_are_as_secret_as_the_key(mock, request_):
    secret = "header-secret-1"
    reply, _ = _ask(
        mock, request_, mock.completion(f"you sent {secret}"), key=None, headers={"x-token": f"Bearer {secret}"}
    )
    assert reply.text == "(withheld: it repeats the key)"
