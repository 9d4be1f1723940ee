"""One session, as the record tells it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest
from groundlings.environments.dataset import RatingScale
from groundlings.environments.environment import EndedBy, Observation, SessionState
from groundlings.environments.environment_answers import EnvironmentAnswers
from groundlings.environments.errors import ConfigError, UnanswerablePrompt
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import top_items
from groundlings.environments.sessions import Sessions
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import clicks_of
from groundlings.simulator.session import browse


def test_a_session_turns_pages_until_the_mind_leaves(session_of, make_mind):
    record = session_of(make_mind(pages=2), max_pages=3)
    assert [logged.turn.page.number for logged in record.turns] == [1, 2]
    assert [logged.turn.page.items[0].tolist() for logged in record.turns] == [[0, 1], [2, 3]]
    assert record.pages.tolist() == [2, 2, 2]
    assert set(record.ended_by) == {EndedBy.EXIT}


def test_a_session_that_reaches_the_last_page_is_censored_not_an_exit(session_of, make_mind):
    record = session_of(make_mind(pages=9), max_pages=2)
    assert record.pages.tolist() == [2, 2, 2]
    assert set(record.ended_by) == {EndedBy.LAST_PAGE}


def test_whatever_an_environment_answers_is_looked_at_before_the_next_step(session_of, make_mind, monkeypatch):
    looked = []
    state, observation = EnvironmentAnswers.state, EnvironmentAnswers.observation

    def state_too(answers, found, method):
        looked.append((method, isinstance(found, SessionState)))
        state(answers, found, method)

    def observation_too(answers, found):
        looked.append(("observe", isinstance(found, Observation)))
        observation(answers, found)

    monkeypatch.setattr(EnvironmentAnswers, "state", state_too)
    monkeypatch.setattr(EnvironmentAnswers, "observation", observation_too)
    session_of(make_mind(pages=2))
    assert looked == [("open", True), *[("observe", True), ("apply", True)] * 2]


def test_what_was_seen_before_is_not_shown(session_of, make_mind):
    record = session_of(make_mind(pages=1), seen=[(0, 0), (0, 2)])
    assert record.turns[0].turn.page.items.tolist() == [[1, 3], [0, 1], [0, 1]]


def test_somebody_with_nothing_left_to_see_sees_nothing_and_is_asked_nothing(session_of, make_mind):
    mind = make_mind(pages=1)
    record = session_of(mind, seen=[(1, item) for item in range(6)])
    assert record.ended_by.tolist() == [EndedBy.EXIT, EndedBy.NOTHING_SHOWN, EndedBy.EXIT]
    assert record.pages.tolist() == [1, 0, 1]
    assert mind.situations[0].sessions.users.tolist() == [0, 2]


def test_an_unreadable_reply_ends_that_session_alone_and_invents_nothing(session_of, make_mind):
    record = session_of(make_mind(pages=2, unreadable_users=(1,)))
    assert record.ended_by[1] == EndedBy.UNREADABLE
    assert record.pages.tolist() == [2, 1, 2]
    first = record.turns[0].turn
    assert not first.decision["click"][1].any()
    assert np.isnan(first.decision["rate"][1]).all()
    assert record.turns[1].turn.rows.tolist() == [0, 2]


def test_a_question_that_a_mind_lets_pass_refused_loses_the_page_of_all_who_were_asked(session_of, make_mind):
    mind = make_mind(pages=2)

    async def refused(situation):
        raise UnanswerablePrompt("refused", what="flagged", attempts=1)

    mind.decide = refused
    record = session_of(mind)
    assert set(record.ended_by) == {EndedBy.UNANSWERABLE}
    assert record.turns[0].turn.decision.unanswerable == ("flagged",) * 3
    assert record.pages.tolist() == [1, 1, 1]


def test_what_one_session_is_refused_ends_that_session_alone(session_of, make_mind):
    mind = make_mind(pages=2, unreadable_users=(0, 1))
    decided = mind.decide

    async def one_refused(situation):
        words = tuple("no" if user == 1 else None for user in situation.sessions.users)
        return replace(await decided(situation), unanswerable=words)

    mind.decide = one_refused
    record = session_of(mind)
    assert record.ended_by.tolist() == [EndedBy.UNREADABLE, EndedBy.UNANSWERABLE, EndedBy.LAST_PAGE]


def test_a_session_that_goes_on_after_a_refused_page_ends_as_its_environment_says(session_of, make_mind, monkeypatch):
    """A refused page that does not end a session is no way in which it ended."""
    mind, apply = make_mind(pages=2, unreadable_users=(0, 1)), PaginatedFeed.apply
    decided = mind.decide

    async def one_refused(situation):
        words = tuple("no" if user == 1 else None for user in situation.sessions.users)
        return replace(await decided(situation), unanswerable=words)

    def patient(feed, state, observation, decision):
        return apply(feed, state, observation, replace(decision, unreadable=np.zeros(len(decision.unreadable), bool)))

    mind.decide = one_refused
    monkeypatch.setattr(PaginatedFeed, "apply", patient)
    record = session_of(mind, max_pages=1)
    assert record.turns[0].turn.decision.refused.tolist() == [False, True, False]
    assert record.ended_by.tolist() == [EndedBy.LAST_PAGE] * 3


def test_the_mind_is_told_what_came_before_row_by_row(session_of, make_mind):
    mind = make_mind(pages=2, unreadable_users=(0,))
    session_of(mind)
    second = mind.situations[1]
    assert second.sessions.users.tolist() == [1, 2]
    (page,) = second.earlier
    assert page.rows.tolist() == [1, 2]
    assert page.page.items.tolist() == [[0, 1], [0, 1]]
    assert second.page.items.tolist() == [[2, 3], [2, 3]]


class Asking(AsyncRecommender):
    """Asks a model once for each user, the last one first, and can be told to show what was seen."""

    def __init__(self, shows_seen=False):
        self.shows_seen = shows_seen

    def fit(self, interactions, catalog):
        pass

    async def rank(self, request):
        seen = sp.csr_array(request.seen.shape) if self.shows_seen else request.seen
        ranking = top_items(np.tile(-np.arange(6.0), (len(request), 1)), replace(request, seen=seen))
        reply = ChatReply("", "made up", "", 0, 0, 0, 0.0)
        calls = tuple(
            CallRecord(ChatRequest((), {}, 1, 0.0, int(request.users[row])), reply, "t", "h", "ok", row)
            for row in reversed(range(len(request)))
        )
        return replace(ranking, calls=calls)


def session_asking(mind, recommender, asks="page"):
    users = np.array([7, 4, 9])
    sessions = Sessions(np.arange(3), users, 0, Draws.for_sessions(1, users, 0))
    feed = PaginatedFeed(2, 2, RatingScale(), asks)
    return asyncio.run(browse(sessions, sp.csr_array((3, 6)), recommender=recommender, environment=feed, mind=mind))


def test_what_a_recommender_asked_is_kept_with_its_page_and_its_session(make_mind):
    record = session_asking(make_mind(pages=2, unreadable_users=(4,)), Asking())
    kept = [(page, call.row, call.request.seed) for page, call in record.asked]
    assert kept == [(1, 2, 9), (1, 1, 4), (1, 0, 7), (2, 2, 9), (2, 0, 7)]


def test_a_list_that_breaks_its_promise_stops_the_session(make_mind):
    with pytest.raises(ConfigError, match=r"an item of request\.seen"):
        session_asking(make_mind(pages=2), Asking(shows_seen=True))


def test_interactions_of_an_environment_without_a_strength_have_none(session_of, make_mind):
    record = session_of(make_mind(pages=1))
    history = Interactions.of(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int), n_users=3, n_items=6)
    plain = clicks_of(replace(record, schema=replace(record.schema, strength=None)), 9, history)
    assert (plain.users.tolist(), plain.items.tolist()) == ([0, 1, 2], [0, 0, 0])
    assert np.isnan(plain.ratings).all()
    assert clicks_of(record, 9, history).ratings.tolist() == [5.0, 5.0, 5.0]


def test_interactions_are_timed_in_the_ticks_of_the_history_that_they_join(session_of, make_mind):
    nobody, empty = np.zeros(0, int), np.zeros(0)
    for ticks in (1, 1000):
        history = Interactions.of(nobody, nobody, empty, nobody, n_users=3, n_items=6, ticks_per_second=ticks)
        found = clicks_of(session_of(make_mind(pages=1)), 9, history)
        assert found.timestamps.tolist() == [9 * ticks] * 3
        assert history.joined(found).ticks_per_second == ticks
