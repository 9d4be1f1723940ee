"""Several endpoints carry one load, cover for each other, and stop together."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.faults import Fault
from groundlings.simulator.language.health import Health
from groundlings.simulator.language.pool import EndpointPool
from groundlings.simulator.language.rate_limit import Pace


@asynccontextmanager
async def _pool(*servers, concurrency=4, pace=None, timeout_seconds=5.0, **options):
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        pool = EndpointPool(
            [
                Connection(
                    base_url=server.url,
                    model="mock-1",
                    concurrency=concurrency,
                    timeout_seconds=timeout_seconds,
                    pace=pace,
                )
                for server in servers
            ],
            **options,
        )
        stack.push_async_callback(pool.close)
        yield pool


def _slow(mock, seconds):
    async def slowly(_request):
        await asyncio.sleep(seconds)
        return web.json_response(mock.completion())

    return slowly


def test_the_load_is_shared_evenly(mock, request_):
    async def scenario():
        servers = [mock.Server(*[_slow(mock, 0.02)] * 20) for _ in range(3)]
        async with _pool(*servers) as pool:
            await asyncio.gather(*(pool.ask(request_) for _ in range(12)))
        return [len(server.bodies) for server in servers]

    assert asyncio.run(scenario()) == [4, 4, 4]


def test_the_slow_one_gets_less(mock, request_):
    async def scenario():
        slow, fast = mock.Server(*[_slow(mock, 0.3)] * 40), mock.Server(*[_slow(mock, 0.01)] * 40)
        async with _pool(slow, fast) as pool:
            queue = iter(range(40))

            async def visitor():
                for _ in queue:
                    await pool.ask(request_)

            await asyncio.gather(*(visitor() for _ in range(6)))
        return len(slow.bodies), len(fast.bodies)

    slow, fast = asyncio.run(scenario())
    assert slow + fast == 40
    assert fast > 2 * slow


def test_another_endpoint_covers_for_one_that_fails(mock, request_):
    async def scenario():
        bad, good = mock.Server(*[mock.status(503)] * 100), mock.Server()
        async with _pool(bad, good) as pool:
            replies = [await pool.ask(request_) for _ in range(30)]
        return replies, len(bad.bodies)

    replies, wasted = asyncio.run(scenario())
    assert len(replies) == 30
    assert wasted <= 5


def test_nobody_waits_for_an_endpoint_that_wants_a_rest(mock, request_):
    async def scenario():
        busy, free = mock.Server(*[mock.status(429, Retry_After="30")] * 9), mock.Server()
        async with _pool(busy, free) as pool:
            async with asyncio.timeout(5):
                return [await pool.ask(request_) for _ in range(10)], len(busy.bodies)

    replies, asked = asyncio.run(scenario())
    assert len(replies) == 10
    assert asked == 1


def test_a_drained_endpoint_finishes_and_gets_nothing_new(mock, request_):
    async def scenario():
        leaving, staying = mock.Server(*[_slow(mock, 0.1)] * 9), mock.Server()
        async with _pool(leaving, staying) as pool:
            begun = [asyncio.create_task(pool.ask(request_)) for _ in range(4)]
            while not leaving.bodies:
                await asyncio.sleep(0.005)
            await pool.drain(leaving.url)
            had = len(leaving.bodies)
            replies = [*await asyncio.gather(*begun), *[await pool.ask(request_) for _ in range(4)]]
            with pytest.raises(ValueError, match="expected one of several"):
                await pool.drain(staying.url)
            return replies, had, len(leaving.bodies)

    replies, had, after = asyncio.run(scenario())
    assert [reply.attempts for reply in replies] == [1] * 8
    assert had == after > 0


def test_silence_of_all_opens_the_breaker_for_everybody(mock, request_):
    async def scenario():
        servers = [mock.Server(*[mock.status(500, "down")] * 1000) for _ in range(2)]
        async with _pool(*servers, max_attempts=1000, outage_seconds=0.3) as pool:
            results = await asyncio.gather(*(pool.ask(request_) for _ in range(20)), return_exceptions=True)
            with pytest.raises(ProviderError, match="nobody has answered"):
                await pool.ask(request_)
            return results

    results = asyncio.run(scenario())
    assert {type(each) for each in results} == {ProviderError}
    assert len({str(each) for each in results}) == 1, "one message"
    assert "nobody has answered for 0.3 seconds" in str(results[0])


def test_a_revoked_key_ends_requests_that_hang(mock, request_):
    """One request learns that the key is wrong while others hang: all end at once with its message."""

    async def scenario():
        async with _pool(mock.Server(mock.hang, mock.hang, mock.status(401)), timeout_seconds=20) as pool:
            began = time.monotonic()
            results = await asyncio.gather(*(pool.ask(request_) for _ in range(3)), return_exceptions=True)
            return results, time.monotonic() - began

    results, took = asyncio.run(scenario())
    assert took < 5
    assert {type(each) for each in results} == {ProviderError}
    assert len({str(each) for each in results}) == 1
    assert "refuses the key" in str(results[0])


def test_a_wrong_key_of_one_endpoint_is_found_at_first_contact(mock, request_):
    async def scenario():
        async with _pool(mock.Server(), mock.Server(models=mock.status(401))) as pool:
            with pytest.raises(ProviderError, match="refuses the key"):
                await pool.ask(request_)

    asyncio.run(scenario())


def test_a_stuck_request_is_asked_again_long_before_the_timeout(mock, request_, monkeypatch):
    monkeypatch.setattr("groundlings.simulator.language.health._LEAST_PATIENCE_SECONDS", 0.2)

    async def scenario():
        async with _pool(mock.Server(*[mock.answer] * 25, mock.hang), timeout_seconds=60) as pool:
            for _ in range(25):
                await pool.ask(request_)
            async with asyncio.timeout(20):
                return await pool.ask(request_)

    assert asyncio.run(scenario()).attempts == 2


def test_waiting_for_the_rate_holds_no_place(mock, request_):
    """600 a minute are ten a second: eight requests need seven tenths of a second, and one place is enough."""

    async def scenario():
        server = mock.Server()
        async with _pool(server, concurrency=1, pace=Pace(requests_per_minute=600)) as pool:
            await pool.start()
            began = time.monotonic()
            await asyncio.gather(*(pool.ask(request_) for _ in range(8)))
            return time.monotonic() - began, server.most_open

    took, at_once = asyncio.run(scenario())
    assert took >= 0.69
    assert at_once == 1


def test_patience_follows_what_was_seen():
    health = Health(timeout_seconds=600)
    assert health.patience_seconds(1) == 600
    for _ in range(20):
        health.succeeded(0.1)
    assert health.patience_seconds(1) == 10
    health.succeeded(4.0)
    assert [health.patience_seconds(attempt) for attempt in (1, 2, 3, 9)] == [40, 80, 160, 600]


def test_health_rests_after_a_few_faults_and_recovers():
    health, fault = Health(5), Fault("no", transient=True)
    health.failed(fault)
    health.failed(fault)
    assert not health.resting
    health.failed(fault)
    assert health.resting
    assert not health.silent(0)
    health.failed(fault)
    health.failed(fault)
    assert health.silent(0)
    assert not health.silent(60)
    health.succeeded(0.1)
    assert not health.resting
    assert not health.silent(0)


def test_tokens_are_paced_and_given_back():
    pace = Pace(tokens_per_minute=6000)
    assert pace.reserve(100) == 0
    assert pace.reserve(100) == pytest.approx(1.0, abs=0.1)
    pace.settle(100, 40)
    assert pace.reserve(1) == pytest.approx(1.4, abs=0.1)
    assert Pace().reserve(10**9) == Pace().reserve(10**9) == 0


def test_a_process_that_stood_still_finds_no_outage(mock, request_):
    async def scenario():
        async with _pool(
            mock.Server(*[_slow(mock, 0.1)] * 40), concurrency=8, timeout_seconds=0.4, outage_seconds=1.0
        ) as pool:
            await pool.ask(request_)
            asked = [asyncio.ensure_future(pool.ask(request_)) for _ in range(8)]
            await asyncio.sleep(0.05)
            time.sleep(2.0)  # as SIGSTOP does it: nothing goes on, and all deadlines have passed when it goes on
            return await asyncio.gather(*asked)

    assert len(asyncio.run(scenario())) == 8
