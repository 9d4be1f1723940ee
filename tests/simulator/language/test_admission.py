"""A request of another process is admitted as one of this process is sent: within the budget, and once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from groundlings.environments.chat import ChatRequest, Message
from groundlings.environments.errors import BudgetExhausted, DataError, UnanswerablePrompt
from groundlings.simulator.language.admission import ClientLost, NoAnswer, Wanted, admitted
from groundlings.simulator.language.budget import BudgetConfig, BudgetedModel, Spent, most_of
from groundlings.simulator.language.call_store import CallStore, StoredModel
from groundlings.simulator.language.client_seat import Seat
from groundlings.simulator.language.scripted import ScriptedModel

REQUEST = ChatRequest((Message("user", "Which?"),), {}, 10, 0.5, 1)


async def reply_of(text="yes"):
    return await ScriptedModel([text]).ask(REQUEST)


def budgeted(**caps) -> BudgetedModel:
    return BudgetedModel(ScriptedModel(["never asked here"]), BudgetConfig(**caps))


def test_what_a_client_got_counts_and_what_failed_there_does_not():
    async def scenario():
        model, wanted = budgeted(calls=2), Wanted(most_of(REQUEST))

        async def fails():
            raise NoAnswer

        with pytest.raises(NoAnswer):
            await admitted(model, wanted, fails)
        assert model.spent == Spent()
        assert (await admitted(model, wanted, reply_of)).text == "yes"
        assert (model.spent.calls, model.spent.completion_tokens) == (1, 1)

    asyncio.run(scenario())


def test_a_request_of_a_client_that_is_gone_counts_at_its_most_so_that_the_cap_holds():
    async def scenario():
        model, wanted = budgeted(calls=1), Wanted(most_of(REQUEST))

        async def lost():
            raise ClientLost

        with pytest.raises(ClientLost):
            await admitted(model, wanted, lost)
        assert (model.spent.tokens, model.spent.estimated_calls) == (most_of(REQUEST).tokens, 1)
        with pytest.raises(BudgetExhausted, match="1 of 1 calls"):
            await admitted(model, wanted, reply_of)

    asyncio.run(scenario())


def stored(tmp_path, model) -> tuple[StoredModel, Wanted]:
    kept = StoredModel(CallStore(tmp_path / "calls.db"), model, "scripted")
    return kept, Wanted(most_of(REQUEST), "key", kept.canonical(REQUEST))


def test_the_same_question_of_two_clients_goes_out_once(tmp_path):
    async def scenario():
        model, wanted = stored(tmp_path, budgeted(calls=1))
        sent = []

        async def slowly():
            sent.append(1)
            await asyncio.sleep(0.01)
            return await reply_of()

        first, second = await asyncio.gather(admitted(model, wanted, slowly), admitted(model, wanted, slowly))
        assert len(sent) == 1
        assert (first.text, first.from_store, second.text, second.from_store) == ("yes", False, "yes", True)
        await model.close()

    asyncio.run(scenario())


def test_a_refusal_at_a_client_is_kept_and_a_replay_admits_nobody(tmp_path):
    async def scenario():
        model, wanted = stored(tmp_path, ScriptedModel(["never asked here"]))

        async def refused():
            raise UnanswerablePrompt("no", what="filtered", attempts=2)

        for from_store in (False, True):
            with pytest.raises(UnanswerablePrompt) as refusal:
                await admitted(model, wanted, refused)
            assert refusal.value.from_store == from_store
        await model.close()
        replay, _ = stored(tmp_path, None)
        other = replay.canonical(replace(REQUEST, messages=(Message("user", "Who?"),)))
        with pytest.raises(DataError, match=r"the last one ends: 'Who\?'"):
            await admitted(replay, Wanted(None, "other", other), reply_of)
        await replay.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("places", "clients"), [(7, 3), (3, 3), (512, 5)])
def test_places_are_shared_out_and_none_is_left_over(places, clients):
    shares = [Seat(number, clients, print).share(places) for number in range(clients)]
    assert sum(shares) == places
    assert max(shares) - min(shares) <= 1
