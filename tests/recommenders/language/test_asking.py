"""Work that asks side by side: in its order, all of it open together, begun a few at a time."""

from __future__ import annotations

import asyncio

import pytest

from groundlings.recommenders.language.asking import side_by_side


def test_results_come_in_the_order_of_the_work_and_all_of_it_is_open_together():
    async def scenario():
        last = asyncio.Event()

        async def one(number):
            if number == 99:
                last.set()
            await last.wait()  # ends only where the last one is begun while the first is open
            return number

        return await asyncio.wait_for(side_by_side(one(number) for number in range(100)), 10)

    assert asyncio.run(scenario()) == list(range(100))


def test_the_first_goes_on_before_the_last_is_begun():
    seen = []

    async def one(number):
        seen.append(("begun", number))
        await asyncio.sleep(0)
        seen.append(("went on", number))

    asyncio.run(side_by_side(map(one, range(1000))))
    assert seen.index(("went on", 0)) < seen.index(("begun", 999))


def test_a_failure_is_raised_and_an_end_from_outside_ends_all():
    ended = []

    async def fails(number):
        if number == 3:
            raise ValueError("three")

    async def waits(number):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    async def cancelled():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(side_by_side(map(waits, range(40))), 0.01)

    with pytest.raises(ValueError, match="three"):
        asyncio.run(side_by_side(map(fails, range(40))))
    asyncio.run(cancelled())
    assert set(ended) <= set(range(40))
    assert ended
