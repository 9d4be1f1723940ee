"""Days pass: who comes, what is learnt at night, and why the order of finishing cannot matter."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.simulator.arm import SECONDS_A_DAY, Schedule, World, in_order
from groundlings.simulator.visit_schedule import Audience


class Ledger:
    """Keeps cohorts instead of writing them."""

    def __init__(self):
        self.records, self.times = [], []

    def write(self, record, *, arm, sim_time, policy_version):
        self.records.append(record)
        self.times.append(sim_time)

    def flush(self):
        pass


@pytest.fixture
def live(recommender):
    def lived(mind, **schedule):
        history = Interactions.of(
            np.array([0, 1]), np.array([5, 0]), np.array([4.0, 2.0]), np.array([100, 200]), n_users=3, n_items=6
        )
        world = World(
            arm="only",
            users=np.arange(3),
            recommender=recommender,
            site=PaginatedFeed(2, 2, RatingScale()),
            mind=mind,
            catalog=Catalog(tuple("abcdef"), tuple("ABCDEF"), np.full(6, np.nan), ((),) * 6),
            history=history,
            seed=1,
            like=4.0,
        )
        ledger = Ledger()
        plan = Schedule(**{"days": 3, "concurrency": 2, "refit_every": 1, "visit_probability": 1.0, **schedule})
        asyncio.run(world.live(plan, ledger, lambda count: None))
        return world, ledger

    return lived


def test_what_was_clicked_is_known_next_day_and_not_shown_again(live, make_mind, recommender):
    world, ledger = live(make_mind(pages=1))
    first_slots = [record.turns[0].turn.page.items[:, 0].tolist() for record in ledger.records]
    assert first_slots == [[0, 1, 0], [1, 2, 1], [2, 3, 2]]
    simulated = world.history.take(world.history.synthetic)
    assert len(simulated) == 9
    assert len(world.history) == 11


def test_the_recommender_refits_at_night_on_real_and_simulated_history(live, make_mind, recommender):
    live(make_mind(pages=1))
    assert [len(history) for history in recommender.fits] == [2, 5, 8]
    assert [len(day) for day in recommender.heard] == [3, 3, 3]
    assert recommender.fits[1].synthetic.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(("every", "fits"), [(0, 1), (1, 3), (2, 2), (3, 1)])
def test_refits_follow_the_schedule(live, make_mind, recommender, every, fits):
    live(make_mind(pages=1), refit_every=every)
    assert len(recommender.fits) == fits


def test_simulated_time_starts_after_the_real_history_and_moves_by_days(live, make_mind):
    _, ledger = live(make_mind(pages=1))
    assert ledger.times == [201, 201 + SECONDS_A_DAY, 201 + 2 * SECONDS_A_DAY]


@pytest.mark.parametrize("concurrency", [1, 2, 32])
def test_slow_visits_are_written_in_agent_order_all_the_same(live, make_mind, concurrency):
    mind = make_mind(pages=2, cohort_size=1, delay_by_user={0: 0.02, 1: 0.0, 2: 0.01})
    _, ledger = live(mind, days=1, concurrency=concurrency)
    assert [record.visits.users.tolist() for record in ledger.records] == [[0], [1], [2]]
    assert [memory.agent for memory in mind.remembered] == [0, 1, 2]


def test_people_come_by_their_own_draw_which_no_other_person_changes():
    everybody = Audience(np.arange(1000), 0.3, seed=5)
    some = Audience(np.arange(0, 1000, 2), 0.3, seed=5)
    for _ in range(3):
        everybody.step()
        some.step()
        came = set(everybody.arrivals)
        assert {row * 2 for row in some.arrivals} == {row for row in came if row % 2 == 0}
        assert 200 < len(came) < 400
        assert everybody.arrivals == sorted(everybody.arrivals)
    assert everybody.day == 2


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
