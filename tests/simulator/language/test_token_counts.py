"""What a server says of tokens is believed where it can be, and estimated where not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import ChatReply, ChatRequest, Message
from groundlings.environments.errors import BudgetExhausted
from groundlings.simulator.language.budget import BudgetConfig, BudgetedModel, Prices, Spent
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.faults import ErrorReply
from groundlings.simulator.language.reply_reading import read_reply

ASKED = ChatRequest((Message("user", "x" * 401),), {}, 40, 0.0, 1)
TEXT = "y" * 42

ABSURD = [
    "null",
    "{}",
    "[1]",
    '"12"',
    "7",
    *(
        f'{{"prompt_tokens": {number}, "completion_tokens": 5}}'
        for number in (
            *("1e309", "Infinity", "-Infinity", "NaN", str(10**30), str(2**63), "-1", "-1000000", "0", "1.5", "true"),
            *('"12"', "null", "[]", "{}", "1e30"),
        )
    ),
    *(
        f'{{"prompt_tokens": 12, "completion_tokens": {number}}}'
        for number in ("-5", "0", "1e400", '"5"', "false", "null")
    ),
    *(
        f'{{"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {{"cached_tokens": {number}}}}}'
        for number in ("-1", "13", "1e309", '"1"', "true", "[]")
    ),
]


def _body(usage: str, text: str = TEXT, finish: str = "stop") -> str:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    return f'{{"model": "m", "choices": [{json.dumps(choice)}], "usage": {usage}}}'


@pytest.mark.parametrize("usage", ABSURD)
def test_counts_that_cannot_be_are_estimates_and_marked(usage):
    reply = read_reply(_body(usage), ASKED, 0.1)
    assert reply.tokens_estimated
    assert (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) == (101, 0, 11)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ('{"prompt_tokens": 12, "completion_tokens": 5}', (12, 0, 5)),
        ('{"prompt_tokens": 12.0, "completion_tokens": 5.0, "prompt_tokens_details": null}', (12, 0, 5)),
        ('{"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 12}}', (12, 12, 5)),
        ('{"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": null}}', (12, 0, 5)),
        ('{"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": []}', (12, 0, 5)),
        # Thinking that a server does not count with the reply, told by its total or by a count of its own.
        ('{"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 1017}', (12, 0, 1005)),
        ('{"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}', (12, 0, 5)),
        *(
            (f'{{"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": {total}}}', (12, 0, 5))
            for total in ("null", "0", "-3", "1e30", '"1017"')
        ),
        (
            '{"prompt_tokens": 12, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 990}}',
            (12, 0, 995),
        ),
        (
            '{"prompt_tokens": 12, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 4}}',
            (12, 0, 5),
        ),
    ],
)
def test_counts_that_can_be_are_believed(usage, counts):
    reply = read_reply(_body(usage), ASKED, 0.1)
    assert (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) == counts
    assert not reply.tokens_estimated


def test_a_reply_that_was_cut_off_has_taken_what_it_was_allowed():
    assert read_reply(_body("null", finish="length"), ASKED, 0.1).completion_tokens == ASKED.max_tokens
    assert read_reply(_body("null", text=""), ASKED, 0.1).completion_tokens == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_counts_fit_the_log_whatever_a_server_says(usage):
    reply = read_reply(_body(json.dumps(usage)), ASKED, 0.1)
    assert 1 <= reply.prompt_tokens <= 10**9
    assert 0 <= reply.cached_tokens <= reply.prompt_tokens
    assert 1 <= reply.completion_tokens <= 10**9
    assert all(type(count) is int for count in (reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens))


@pytest.mark.parametrize(
    "usage", ["null", '{"prompt_tokens": -1000000, "completion_tokens": -5}', '{"prompt_tokens": 1e309}', "{}"]
)
@pytest.mark.parametrize("budget", [{"tokens": 500}, {"money": 0.0005, "prices": {"prompt": 1.0, "completion": 1.0}}])
def test_a_budget_holds_where_a_server_does_not_count(mock, usage, budget):
    asked, told = replace(ASKED, messages=(Message("user", "hi"),)), []

    async def answer(_request):
        return web.Response(text=_body(usage), content_type="application/json")

    async def scenario():
        async with mock.Server(every=answer) as server:
            inner = EndpointModel(base_url=server.url, model="mock-1")
            model = BudgetedModel(inner, BudgetConfig.model_validate(budget), tell=told.append)
            try:
                for _ in range(100):
                    await model.ask(asked)
            finally:
                await model.close()
            return

    with pytest.raises(BudgetExhausted, match=r"the tokens of (\d+) of \1 calls are estimated, because the server"):
        asyncio.run(scenario())
    assert [("counted by estimate" in line, "mock-1" in line) for line in told] == [(True, True)]


def test_counts_below_zero_give_nothing_back():
    prices = Prices(prompt=1.0, cached_prompt=0.5, completion=1.0)
    spent = Spent.by(ChatReply("", "m", "", -10, 10**6, -5, 0.0))
    assert (spent.calls, spent.tokens) == (1, 0)
    assert spent.money(prices) == 0.0


@pytest.mark.parametrize("field", ["model", "system_fingerprint", "finish_reason", "content", "token"])
@pytest.mark.parametrize("odd", ["\\ud800evil", "\\udfff", "a\\ud83d", "\\ud83c\\udf0a"])
def test_halves_of_surrogate_pairs_are_written_as_their_escapes(field, odd):
    listed = f'"logprobs": {{"content": [{{"top_logprobs": [{{"token": "{odd}", "logprob": -1.0}}]}}]}}'
    values = dict.fromkeys(("model", "system_fingerprint", "finish_reason", "content"), "plain")
    values[field] = odd
    body = (
        f'{{"model": "{values["model"]}", "system_fingerprint": "{values["system_fingerprint"]}", "choices": [{{'
        f'"finish_reason": "{values["finish_reason"]}", "message": {{"content": "{values["content"]}"}}, {listed}}}]}}'
    )
    reply = read_reply(body, replace(ASKED, answers=("yes",)), 0.1)
    told = "".join((reply.text, reply.model, reply.fingerprint, reply.finish_reason, reply.first_token[0][0]))
    assert told.encode()


@pytest.mark.parametrize("value", ["7", "[]", '{"a": 1}', "true", "null", "[" * 500 + "]" * 500])
def test_a_name_that_is_no_text_is_not_known(value):
    body = _body("null").replace('"m"', value, 1)
    assert read_reply(body, ASKED, 0.1).model == ""


def test_a_name_of_a_page_is_cut_and_says_so():
    model = read_reply(_body("null").replace('"m"', json.dumps("n" * 10_000)), ASKED, 0.1).model
    assert model == "n" * 200 + "... (10,000 characters)"


@pytest.mark.parametrize("message", ["hello", ["hello"], 7, None, {}])
def test_an_error_beside_a_message_of_whatever_kind_is_an_error(message):
    body = {"error": {"message": "overloaded"}, "choices": [{"message": message}]}
    with pytest.raises(ErrorReply) as caught:
        read_reply(json.dumps(body), ASKED, 0.1)
    assert "overloaded" in caught.value.said


def test_a_byte_order_mark_in_front_of_a_reply_is_no_part_of_it():
    assert read_reply("\ufeff" + _body("null"), ASKED, 0.1).text == TEXT


@pytest.mark.parametrize("word", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_a_reply_that_was_cut_off_counts_all_that_it_was_allowed_in_whatever_words_it_is_told(word):
    assert read_reply(_body("null", finish=word), ASKED, 0.1).completion_tokens == ASKED.max_tokens
