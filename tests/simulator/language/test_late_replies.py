"""What was sent is paid for: a reply that nobody waits for any more is in the call store all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.environments.side_by_side import side_by_side
from groundlings.simulator.language import late_replies
from groundlings.simulator.language.admission import AdmittedModel
from groundlings.simulator.language.call_store import CallStore, StoredModel
from groundlings.simulator.language.endpoint import EndpointModel


@pytest.mark.parametrize(("most_seconds", "kept"), [(10.0, 2), (0.0, 0)])
def test_replies_on_their_way_are_kept_for_a_while_after_other_work_has_failed(
    mock, tmp_path, request_, monkeypatch, most_seconds, kept
):
    """Of three questions two may be open at once; they are answered after the work beside them has failed."""
    monkeypatch.setattr(late_replies, "LATE_SECONDS", most_seconds)

    async def scenario():
        both_open, failed = asyncio.Event(), asyncio.Event()

        async def in_time(request):
            if len(server.bodies) == 2:
                both_open.set()
            await failed.wait()
            return await mock.answer(request)

        async def fails():
            await both_open.wait()
            asyncio.get_running_loop().call_later(0.01, failed.set)
            raise ProviderError("no")

        async with mock.Server(every=in_time) as server:
            store = CallStore(tmp_path / "calls.db")
            asked = EndpointModel(base_url=server.url, model="mock-1", concurrency=2, structured="none")
            model = StoredModel(store, asked, "mock-1")
            with pytest.raises(ProviderError, match="no"):
                await side_by_side([*(model.ask(replace(request_, seed=seed)) for seed in range(3)), fails()])
            found = len(store)
            failed.set()
            await model.close()
            return found, len(server.bodies)

    assert asyncio.run(scenario()) == (kept, 2)


def test_a_client_process_hands_on_what_came_late(mock, tmp_path, request_):
    class Gate:
        said = ()

        async def enter(self, _wanted):
            return 7, None

        async def leave(self, ticket, outcome):
            raise AssertionError((ticket, outcome))

        def leave_late(self, ticket, reply):
            self.said = ticket, reply.text

    async def scenario():
        open_, may_answer, gate = asyncio.Event(), asyncio.Event(), Gate()

        async def in_time(request):
            open_.set()
            await may_answer.wait()
            return await mock.answer(request)

        async with mock.Server(every=in_time) as server:
            asked = EndpointModel(base_url=server.url, model="mock-1", structured="none")
            model = StoredModel(CallStore(tmp_path / "calls.db"), asked, "mock-1")
            asking = asyncio.create_task(AdmittedModel(model, gate).ask(request_))
            await open_.wait()
            asking.cancel()
            asyncio.get_running_loop().call_later(0.01, may_answer.set)
            with pytest.raises(asyncio.CancelledError):
                await asking
            await model.close()
            return gate.said

    assert asyncio.run(scenario()) == (7, mock.completion()["choices"][0]["message"]["content"])


def test_whoever_is_cancelled_twice_waits_for_nothing_more_and_leaves_no_request():
    async def scenario():
        open_, cut = asyncio.Event(), asyncio.Event()

        async def sent():
            with late_replies.on_its_way():
                open_.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    cut.set()

        asking = asyncio.create_task(late_replies.kept_if_late(sent, print, 60.0))
        await open_.wait()
        for _ in range(2):
            asking.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asking, 10.0)
        return cut.is_set()

    assert asyncio.run(scenario())
