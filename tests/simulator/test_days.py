"""Days pass: who comes, what is learnt at night, and why the order of finishing cannot matter."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError, ProviderError, UnanswerablePrompt
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.repeats import OwnClock, RepeatRule
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import Schedule, live_together
from groundlings.simulator.resume_state import Past, PastDay
from groundlings.simulator.returns.rule import ReturnModel
from groundlings.simulator.session_schedule import SessionSchedule


class Ledger:
    """Keeps cohorts instead of writing them."""

    def __init__(self):
        self.records, self.arms, self.times, self.versions, self.counts = [], [], [], [], []
        self.committed = 0

    def write(self, record, *, arm, sim_time, policy_version):
        self.records.append(record)
        self.arms.append(arm)
        self.times.append(sim_time)
        self.versions.append(policy_version)

    def flush(self):
        self.committed = len(self.records)

    def sessions(self):
        """Day and agent of each session, in the order of writing."""
        return [(record.sessions.day, agent) for record in self.records for agent in record.sessions.agents.tolist()]


@pytest.fixture
def make_arm(recommender):
    """An arm of three people and six items, whose real history is two interactions."""

    def made(mind, **changes):
        history = Interactions.of(
            np.array([0, 1]), np.array([5, 0]), np.array([4.0, 2.0]), np.array([100, 200]), n_users=3, n_items=6
        )
        return Arm(
            **{
                "name": "only",
                "users": np.arange(3),
                "recommender": recommender,
                "environment": PaginatedFeed(2, 2, RatingScale()),
                "mind": mind,
                "catalog": Catalog(tuple("abcdef"), tuple("ABCDEF"), np.full(6, np.nan), ((),) * 6),
                "history": history,
                "seed": 1,
                **changes,
            }
        )

    return made


def live_through(*arms, **schedule):
    """Let arms live together; returns what was written."""
    ledger = Ledger()
    plan = Schedule(**{"days": 3, "concurrency": 2, "refit_every": 1, "visit_probability": 1.0, **schedule})
    asyncio.run(live_together(arms, plan, ledger, lambda each: ledger.counts.append(each.sessions)))
    return ledger


@pytest.fixture
def live(make_arm):
    def lived(mind, **schedule):
        arm = make_arm(mind)
        return arm, live_through(arm, **schedule)

    return lived


def test_what_was_clicked_is_known_next_day_and_not_shown_again(live, make_mind, recommender):
    arm, ledger = live(make_mind(pages=1))
    first_slots = [record.turns[0].turn.page.items[:, 0].tolist() for record in ledger.records]
    assert first_slots == [[0, 1, 0], [1, 2, 1], [2, 3, 2]]
    simulated = arm.history.take(arm.history.synthetic)
    assert len(simulated) == 9
    assert len(arm.history) == 11


def test_the_recommender_refits_at_night_on_real_and_simulated_history(live, make_mind, recommender):
    live(make_mind(pages=1))
    assert [len(history) for history in recommender.fits] == [2, 5, 8]
    assert [len(day) for day in recommender.heard] == [3, 3, 3]
    assert recommender.fits[1].synthetic.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(("every", "fits"), [(0, 1), (1, 3), (2, 2), (3, 1)])
def test_refits_follow_the_schedule(live, make_mind, recommender, every, fits):
    live(make_mind(pages=1), refit_every=every)
    assert len(recommender.fits) == fits


@pytest.mark.parametrize(
    ("every", "fits", "following"),
    [(0, [0], [5] * 5), (1, [0, 1, 2, 3, 4], [1, 2, 3, 4, 5]), (2, [0, 2, 4], [2, 2, 4, 4, 5]), (5, [0], [5] * 5)],
)
def test_a_schedule_knows_its_fits_and_which_comes_next(every, fits, following):
    schedule = Schedule(days=5, concurrency=1, refit_every=every, visit_probability=1.0)
    assert [day for day in range(5) if schedule.fits_before(day)] == fits
    assert [schedule.next_fit(day) for day in range(5)] == following


def test_sessions_are_foreseen_from_the_chance_of_a_day_and_bounded_where_more_decides():
    chance = Schedule(days=5, concurrency=1, refit_every=0, visit_probability=0.3)
    assert (chance.most_sessions, chance.likely_sessions) == (5, 1.5)
    returns = ReturnModel("exponential", 1.0, np.zeros(4), sessions_per_day=2)
    twice = Schedule(days=5, concurrency=1, refit_every=0, visit_probability=0.3, returns=returns)
    assert (twice.most_sessions, twice.likely_sessions) == (10, 10)


def test_simulated_time_starts_after_the_real_history_and_moves_by_days(live, make_mind):
    _, ledger = live(make_mind(pages=1))
    assert ledger.times == [201, 201 + 86_400, 201 + 2 * 86_400]


def test_simulated_time_starts_at_one_where_there_is_no_real_history(make_arm, make_mind):
    nothing = make_arm(make_mind()).history.take(np.zeros(0, dtype=np.int64))
    assert live_through(make_arm(make_mind(pages=1), history=nothing), days=1).times == [1]


def test_a_cohort_says_which_agents_come_and_who_the_real_people_behind_them_are(make_arm, make_mind):
    ledger = live_through(make_arm(make_mind(pages=1), users=np.array([0, 2])), days=1)
    sessions = ledger.records[0].sessions
    assert (sessions.agents.tolist(), sessions.users.tolist()) == ([0, 1], [0, 2])
    assert (
        sessions.draws.uniform("come").tolist() == Draws.for_sessions(1, np.array([0, 2]), 0).uniform("come").tolist()
    )


def test_each_cohort_is_logged_with_the_version_of_what_its_recommender_had_learnt(live, make_mind, recommender):
    recommender.state = lambda: f"fitted {len(recommender.fits)} times"
    _, ledger = live(make_mind(pages=1))
    assert ledger.versions == ["fitted 1 times", "fitted 2 times", "fitted 3 times"]


def test_a_day_is_committed_before_anybody_learns_from_it(make_arm, make_mind, recommender):
    ledger, committed = Ledger(), []
    recommender.observe = lambda _clicks: committed.append(ledger.committed)
    arm = make_arm(make_mind(pages=1, cohort_size=1))
    asyncio.run(live_together([arm], Schedule(2, 2, 0, 1.0), ledger, ledger.counts.append))
    assert committed == [3, 6]


def test_each_arm_is_looked_at_once_after_its_first_fit_and_before_any_session(make_arm, make_mind):
    ledger, looked = Ledger(), []

    async def look(arm):
        looked.append((arm, ledger.committed))

    arm = make_arm(make_mind(pages=1))
    plan = Schedule(days=3, concurrency=2, refit_every=1, visit_probability=1.0)
    asyncio.run(live_together([arm], plan, ledger, ledger.counts.append, after_first_fit=look))
    assert looked == [(arm, 0)]


def test_the_schedule_of_sessions_is_closed_once_after_the_last_day_and_after_an_error(
    make_arm, make_mind, monkeypatch
):
    closed = []
    monkeypatch.setattr(SessionSchedule, "close", lambda schedule: closed.append(schedule))
    arm = make_arm(make_mind(pages=1))
    live_through(arm)
    arm.stop()
    assert len(closed) == 1
    broken = make_arm(None)
    with pytest.raises(AttributeError):
        live_through(broken)
    assert len(closed) == 2


def test_a_server_operator_can_follow_days_and_fits_in_the_debug_log(make_arm, make_mind, caplog):
    caplog.set_level("DEBUG", logger="groundlings")
    live_through(make_arm(make_mind(pages=1)), days=2, refit_every=0)
    assert [record.getMessage() for record in caplog.records if record.name.endswith("days")] == [
        "fitting the recommender of arm only",
        "day 1 of 2: arm only",
        "day 2 of 2: arm only",
    ]


@pytest.mark.parametrize("concurrency", [1, 2, 32])
def test_slow_sessions_are_written_in_agent_order_all_the_same(live, make_mind, concurrency):
    mind = make_mind(pages=2, cohort_size=1, delay_by_user={0: 0.02, 1: 0.0, 2: 0.01})
    _, ledger = live(mind, days=1, concurrency=concurrency)
    assert [record.sessions.users.tolist() for record in ledger.records] == [[0], [1], [2]]
    assert [memory.agent for memory in mind.remembered] == [0, 1, 2]


@pytest.mark.parametrize("cohort_size", [1, 2, 3])
def test_the_recommender_hears_of_every_cohort_of_the_day_not_of_the_first_alone(
    live, make_mind, recommender, cohort_size
):
    arm, _ = live(make_mind(pages=1, cohort_size=cohort_size), days=2)
    assert [day.users.tolist() for day in recommender.heard] == [[0, 1, 2]] * 2
    learnt = recommender.fits[1].take(recommender.fits[1].synthetic)
    assert (learnt.users.tolist(), learnt.items.tolist()) == ([0, 1, 2], [0, 1, 0])
    assert arm.history.synthetic.sum() == 6


def test_nobody_comes_who_does_not_live_in_the_arm(make_arm, make_mind):
    arm = make_arm(make_mind(pages=1), residents=np.array([True, False, True]))
    assert arm.people == 2
    assert live_through(arm, days=2).sessions() == [(0, 0), (0, 2), (1, 0), (1, 2)]


def test_on_a_day_when_nobody_comes_nothing_is_written_and_the_recommender_learns_nothing_new(live, make_mind):
    arm, ledger = live(make_mind(pages=1), visit_probability=0.0)
    assert ledger.sessions() == ledger.counts == []
    assert not arm.history.synthetic.any()


def test_people_come_by_their_own_draw_in_ascending_order(live, make_mind):
    _, ledger = live(make_mind(pages=1, cohort_size=1), days=40, visit_probability=0.4)
    due = [
        (day, agent)
        for day in range(40)
        for agent in np.flatnonzero(Draws.for_sessions(1, np.arange(3), day).uniform("come") < 0.4).tolist()
    ]
    assert ledger.sessions() == due


def test_arms_that_live_together_hear_of_all_their_people_after_the_day_and_not_before(
    make_arm, make_mind, recommender
):
    one, other = recommender, type(recommender)()
    arms = [
        make_arm(make_mind(pages=1), name="one", recommender=one, residents=np.array([True, False, False])),
        make_arm(make_mind(pages=1), name="other", recommender=other, residents=np.array([False, True, True])),
    ]
    ledger = live_through(*arms, days=2)
    assert ledger.arms == ["one", "other"] * 2
    for recommender in (one, other):
        assert not recommender.fits[0].synthetic.any()
        assert recommender.fits[1].take(recommender.fits[1].synthetic).users.tolist() == [0, 1, 2]
        assert [part.users.tolist() for part in recommender.heard] == [[0], [1, 2]] * 2


def test_an_arm_that_starts_cold_learns_from_simulated_sessions_alone(make_arm, make_mind, recommender):
    arm = make_arm(make_mind(pages=1), starts_cold=True)
    live_through(arm)
    assert [len(known) for known in recommender.fits] == [0, 3, 6]
    assert all(known.synthetic.all() for known in recommender.fits)


def test_a_day_that_nobody_has_lived_through_holds_no_interactions(make_arm, make_mind):
    nobody = Past((clicks(0, [0], [1]),)).on(1)
    found = nobody.clicks(np.arange(3), 100, make_arm(make_mind()).history)
    assert (len(nobody), len(found)) == (0, 0)
    assert nobody.missing(np.arange(3)).tolist() == [0, 1, 2]


def clicks(day, agents, items):
    """A day in the log: who came, each clicking one item."""
    agents = np.array(agents)
    return PastDay(day, agents, agents, np.array(items, dtype=np.int32), np.full(len(agents), 5.0))


def test_a_resumed_day_does_not_ask_again_who_is_in_the_log_already(make_arm, make_mind, recommender):
    past = Past((clicks(0, [0, 1, 2], [0, 1, 0]), clicks(1, [1], [2])))
    mind = make_mind(pages=1, cohort_size=1)
    arm = make_arm(mind, past=past)
    ledger = live_through(arm)
    asked = [(situation.sessions.day, *situation.sessions.agents.tolist()) for situation in mind.situations]
    assert asked == ledger.sessions() == [(1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]
    assert ledger.counts == [3, 1, 1, 1, 1, 1, 1]


def test_a_resumed_arm_ends_with_the_history_of_an_uninterrupted_one(make_arm, make_mind):
    whole, resumed = make_arm(make_mind(pages=1, cohort_size=1)), make_arm(make_mind(pages=1, cohort_size=1))
    resumed.past = Past((clicks(0, [0, 1, 2], [0, 1, 0]), clicks(1, [1], [2])))
    live_through(whole)
    live_through(resumed)
    assert resumed.history.fingerprint == whole.history.fingerprint


@pytest.mark.parametrize(("refit_every", "fits"), [(0, [2]), (1, [8, 11]), (2, [8])])
def test_a_resumed_arm_leaves_out_the_fits_whose_days_are_all_in_the_log(
    make_arm, make_mind, recommender, refit_every, fits
):
    past = Past((clicks(0, [0, 1, 2], [0, 1, 0]), clicks(1, [0, 1, 2], [1, 2, 1]), clicks(2, [0], [2])))
    live_through(make_arm(make_mind(pages=1), past=past), days=4, refit_every=refit_every)
    assert [len(known) for known in recommender.fits] == fits
    assert len(recommender.heard) == (4 if refit_every == 0 else 2), "nothing is observed before the first fit"


def test_a_resumed_mind_remembers_what_is_in_the_log_before_anybody_comes(make_arm, make_mind):
    first, second = make_mind(pages=1), make_mind(pages=1)
    live_through(make_arm(first), days=1)
    past = Past((clicks(0, [0, 1, 2], [0, 1, 0]),), tuple(first.remembered))
    live_through(make_arm(second, past=past), days=2)
    assert [(memory.day, memory.agent) for memory in second.remembered] == [(d, a) for d in range(2) for a in range(3)]


def test_sessions_that_were_open_when_everything_stopped_are_named(make_arm, make_mind):
    mind = make_mind(pages=1, cohort_size=1)
    decide = mind.decide

    async def failing(situation):
        if situation.sessions.day == 1 and situation.sessions.users[0] == 1:
            raise RuntimeError("boom")
        return await decide(situation)

    mind.decide = failing
    arm = make_arm(mind)
    with pytest.raises(RuntimeError, match="boom"):
        live_through(arm, concurrency=1)
    assert arm.cut_short == [(1, 1)]


def test_a_recommender_that_needs_more_memory_than_there_is_is_named_with_what_it_was_fitted_on(
    make_arm, make_mind, recommender
):
    def fit(interactions, catalog):
        raise MemoryError("288 bytes too many")

    recommender.fit = fit
    told = r"arm only: there is not enough memory to fit Descending on 6 items and 3 users \(288 bytes too many\); use"
    with pytest.raises(ConfigError, match=told):
        live_through(make_arm(make_mind()))


def test_a_question_that_a_recommender_lets_pass_refused_stops_the_run_and_names_the_arm(
    make_arm, make_mind, recommender
):
    async def rank(request):
        raise UnanswerablePrompt("refused", what="flagged", attempts=1)

    recommender.rank = rank
    arm = make_arm(make_mind())
    with pytest.raises(ProviderError, match=r"arm only: .* what the server refuses for good \(flagged\)") as told:
        live_through(arm)
    assert not isinstance(told.value, UnanswerablePrompt)
    assert arm.cut_short == [(0, 0), (0, 1), (0, 2)]


def test_where_repeats_are_allowed_the_same_items_are_shown_again_and_the_history_is_in_no_way(
    make_arm, make_mind, recommender
):
    arm = make_arm(make_mind(pages=1), repeats=RepeatRule(0), clock=OwnClock(np.zeros(3, dtype=np.int64), 86_400))
    ledger = live_through(arm)
    first_slots = [record.turns[0].turn.page.items[:, 0].tolist() for record in ledger.records]
    assert first_slots == [[0, 0, 0]] * 3
    assert len(arm.history) == 11, "each click is a row of the history"


def test_after_some_days_an_item_comes_back(make_arm, make_mind, recommender):
    arm = make_arm(make_mind(pages=1), repeats=RepeatRule(2), clock=OwnClock(np.full(3, 3), 86_400))
    ledger = live_through(arm, days=4)
    first_slots = [record.turns[0].turn.page.items[:, 0].tolist() for record in ledger.records]
    assert first_slots == [[0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1]], "the real history lies 4 days back"


def test_a_mind_that_asks_is_told_what_was_done_and_shown_also_of_days_that_the_log_holds(
    make_arm, make_mind, recommender
):
    def told(arm):
        found = []
        mind = arm.mind
        mind.__class__ = type("Noticing", (type(mind),), {
            "counts_shown": lambda _: True,
            "notice": lambda _, day, done, shown: found.append(
                (day, sorted(zip(done.users.tolist(), done.items.tolist(), strict=True)),
                 sorted(zip(shown.users.tolist(), shown.items.tolist(), strict=True)))
            ),
        })  # fmt: skip
        arm.__post_init__()
        live_through(arm, days=2)
        return found

    whole = told(make_arm(make_mind(pages=1)))
    assert [day for day, _, _ in whole] == [0, 1]
    assert whole[0][1] == [(0, 0), (1, 1), (2, 0)]
    assert whole[0][2] == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 1)]
    logged = PastDay(
        0, np.array([0, 1]), np.array([0, 1]), np.array([0, 1], dtype=np.int32), np.array([3.0, 3.0]),
        viewers=np.array([0, 0, 1, 1]), shown=np.array([0, 1, 1, 2]),
    )  # fmt: skip
    assert told(make_arm(make_mind(pages=1), past=Past((logged,)))) == whole
