"""Many jobs at once: results in the order of the jobs, and nothing finished is thrown away."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.simulator import concurrency
from groundlings.simulator.concurrency import in_order, rare_collections


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_results_come_in_order_and_no_more_jobs_are_open_than_allowed(delays, concurrency):
    open_now, most = 0, 0

    async def job(task):
        number, delay = task
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        for _ in range(delay):
            await asyncio.sleep(0)
        open_now -= 1
        return number

    async def collect():
        return [result async for result in in_order(job, enumerate(delays), concurrency)]

    assert asyncio.run(collect()) == list(range(len(delays)))
    assert most <= concurrency


def test_a_day_on_which_nothing_may_be_open_is_an_error_and_does_not_wait_for_ever():
    async def job(task):
        return task

    async def collect():
        return [result async for result in in_order(job, range(3), 0)]

    with pytest.raises(ValueError, match="concurrency is 0; expected how many may be open at once, 1 or more"):
        asyncio.run(collect())


@pytest.mark.parametrize("fault", [RuntimeError("boom"), asyncio.CancelledError()])
def test_what_was_finished_behind_a_failure_is_not_thrown_away(fault):
    collected = []

    async def job(number):
        if number == 1:
            await asyncio.sleep(0.05)
            raise fault
        await asyncio.sleep(5 if number == 3 else 0)
        return number

    async def collect():
        async for result in in_order(job, range(6), 6):
            collected.append(result)  # noqa: PERF401 - what comes before the failure is kept

    with pytest.raises(type(fault)):
        asyncio.run(collect())
    assert collected == [0, 2, 4, 5]


def test_one_failure_cancels_the_others_and_is_raised():
    finished = []

    async def job(number):
        if number == 1:
            raise RuntimeError("boom")
        await asyncio.sleep(5)
        finished.append(number)

    async def collect():
        return [result async for result in in_order(job, (1, 2, 3), 3)]

    with pytest.raises(RuntimeError, match="boom"):
        asyncio.run(collect())
    assert finished == []


def test_the_garbage_collector_is_as_before_once_the_days_are_over(monkeypatch):
    monkeypatch.setattr(concurrency, "_others", concurrency._Others())
    usual = gc.get_threshold()
    gc.unfreeze()
    try:
        for before, within in ((700, 100_000), (200_000, 200_000)):
            gc.set_threshold(before, *usual[1:])
            with rare_collections():
                assert gc.get_freeze_count() > 0
                assert gc.get_threshold()[0] == within
            assert (gc.get_threshold(), gc.get_freeze_count()) == ((before, *usual[1:]), 0)
        gc.freeze()
        with rare_collections():
            made = [[] for _ in range(1000)]
        assert gc.get_freeze_count() > 0, "what somebody else has frozen stays so"
        assert any(found is made for found in gc.get_objects())
    finally:
        gc.set_threshold(*usual)
        gc.freeze()
