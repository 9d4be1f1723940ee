"""A run has one reply form: who refuses it is asked without, all alike, and one failed generation changes nothing."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.replies_so_far import RepliesSoFar

FORMS = ("response_format", "grammar", "structured_outputs")


def has_form(body):
    return any(form in body for form in FORMS)


REFUSED_FORMS = [
    (400, "'response_format.type' must be 'json_object' or 'text'"),
    (400, "This feature is unavailable now"),
    (422, {"message": "extra fields not permitted", "type": "extra_forbidden"}),
    (500, "rpc error: code = Unknown desc = failed to parse grammar"),
    (501, "response_format is not implemented"),
    (404, "No endpoints found that can handle the requested parameters"),
]


@pytest.mark.parametrize("crowd", [2, 8, 64])
@pytest.mark.parametrize(("status", "said"), REFUSED_FORMS)
def test_a_refused_form_ends_no_request_of_a_crowd_and_all_are_asked_alike(mock, request_, status, said, crowd):
    requests = [replace(request_, seed=seed) for seed in range(crowd)]
    replies, server = mock.outcome(mock.refusing(has_form, status, said), *requests, concurrency=crowd)
    assert {reply.form for reply in replies} == {"none"}
    assert sum(map(has_form, server.bodies)) <= 2, "one attempt, and one control where the words do not tell"


def test_a_form_that_the_server_takes_slowly_holds_nobody_up_for_long(mock, request_, monkeypatch):
    """Refusals come after the moment for which the others wait: they are sent again all the same."""
    monkeypatch.setattr("groundlings.simulator.language.reply_forms._LONGEST_WAIT_SECONDS", 0.01)
    refuse = mock.refusing(has_form, 400, "response_format is unknown")

    slow = iter([0.05])  # the first is told sooner than those that went out after it

    async def slowly(request):
        await asyncio.sleep(next(slow, 0.2) if has_form(await request.json()) else 0)
        return await refuse(request)

    replies, server = mock.outcome(slowly, *[request_] * 8, concurrency=8)
    assert [(reply.form, reply.attempts) for reply in replies] == [("none", 1)] * 8
    assert sum(map(has_form, server.bodies)) > 2


def test_a_server_that_fails_for_another_reason_keeps_its_form(mock, request_):
    failures = [mock.status(500, "out of memory")] * 2

    async def scenario():
        async with mock.Server(*failures) as server:
            return await mock.ask(server, request_)

    (reply,) = asyncio.run(scenario())
    assert reply.form == "json_schema"


def test_a_form_that_was_taken_is_not_given_up_in_the_middle_of_a_run(mock, request_):
    """The arms that come later would be asked otherwise than the earlier ones."""
    refuse = mock.refusing(has_form, 400, "response_format is no longer supported")

    async def scenario():
        async with mock.Server(*[mock.answer] * 3, every=refuse) as server:
            model = EndpointModel(base_url=server.url, model="mock-1")
            replies = [await model.ask(request_) for _ in range(3)]
            with pytest.raises(ProviderError, match=r"refuses the form json_schema, .*structured: none") as caught:
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
            connection = Connection(base_url=server.url, model="mock-1", so_far=RepliesSoFar(frozenset(so_far)))
            pool = EndpointPool([connection], max_attempts=2)
            try:
                return (await pool.ask(request_)).form
            finally:
                await pool.close()

    assert asyncio.run(scenario(mock.answer, {"none"})) == "none"
    assert asyncio.run(scenario(mock.answer, {"json_schema", "answers"})) == "json_schema"
    with pytest.raises(ProviderError, match="response_format"):
        asyncio.run(scenario(mock.refusing(has_form, 400, "response_format?"), {"json_schema"}))


def test_a_form_that_is_insisted_on_is_not_dropped_and_the_message_names_the_way_out(mock, request_):
    handler = mock.refusing(has_form, 400, "This feature is unavailable now")
    ((error,), _) = mock.outcome(handler, request_, structured="json_schema")
    assert type(error) is ProviderError
    assert "mind.model.structured: none" in str(error)


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (413, "payload too large", "refuses the request as too long: .*Let prompts hold less"),
        (422, "something is wrong", "model check"),
        (500, "out of memory", "gave up after 3 attempts"),
    ],
)
def test_a_form_is_no_suspect_where_without_one_the_server_refuses_as_well(mock, request_, status, said, told):
    ((error,), _) = mock.outcome(mock.status(status, said), request_, max_attempts=3)
    assert re.search(told, str(error))
    assert "structured" not in str(error)


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
            return [*await mock.ask(server, request_), *await mock.ask(server, *[request_] * 4, concurrency=1)], server

    replies, server = asyncio.run(scenario())
    assert {reply.form for reply in replies} == {"json_schema"}
    assert sorted(reply.attempts for reply in replies) == [1, 1, 1, 1, 2]
    assert all(map(has_form, server.bodies))


@pytest.mark.parametrize("first_takes", [True, False])
def test_endpoints_of_a_pool_have_one_form_between_them(mock, request_, first_takes):
    refuse = mock.refusing(has_form, 400, "response_format is not supported")

    async def scenario():
        async with mock.Server() as takes, mock.Server(every=refuse) as refuses:
            order = [takes, refuses] if first_takes else [refuses, takes]
            pool = EndpointPool([Connection(base_url=each.url, model="mock-1", concurrency=2) for each in order])
            try:
                first = [await pool.ask(request_)]
                return first + await asyncio.gather(*(pool.ask(request_) for _ in range(4)), return_exceptions=True)
            finally:
                await pool.close()

    found = asyncio.run(scenario())
    if first_takes:
        assert any("structured: none" in str(each) for each in found if isinstance(each, ProviderError))
        assert "none" not in {each.form for each in found if not isinstance(each, ProviderError)}
    else:
        assert {each.form for each in found} == {"none"}
