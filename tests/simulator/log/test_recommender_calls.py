"""A recommender that asks a language model: its calls are logged beside the agents', page by page, in one order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.chat import CallRecord, ChatRequest, Message
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, top_items
from groundlings.environments.sessions import Sessions
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log import tables
from groundlings.simulator.log.row_layout import Cohort, Origin, block_of
from groundlings.simulator.session import browse

N_ITEMS = 6


class Advised(AsyncRecommender):
    """Asks, for each session, which item comes first; the others follow by number."""

    def __init__(self, model):
        self.model = model

    def fit(self, interactions, catalog):
        pass

    async def rank(self, request):
        asked = [self._request(request, row) for row in range(len(request))]
        replies = await asyncio.gather(*map(self.model.ask, asked))
        scores = np.tile(-np.arange(float(N_ITEMS)), (len(request), 1))
        for row, reply in enumerate(replies):
            scores[row, json.loads(reply.text)] = 1.0
        ranking = top_items(scores, request)
        calls = tuple(
            CallRecord(question, reply, "first-1", "f" * 64, "ok", row)
            for row, (question, reply) in enumerate(zip(asked, replies, strict=True))
        )
        return Ranking(ranking.items, ranking.scores, ranking.propensities, ranking.explored, calls=calls)

    def _request(self, request, row):
        told = f"page {request.page} of user {request.users[row]}"
        seed = int(request.draws.uniform("advice")[row] * 2**31)
        return ChatRequest((Message("user", told),), {"type": "integer"}, 5, 0.0, seed)


def favourite(request):
    """User u is told to see item 5 - u first."""
    return str(5 - int(request.messages[-1].content.split()[-1]))


@pytest.fixture
def session_advised(make_mind):
    def browsed(recommender, asks="page", mind=None):
        users = np.arange(3)
        sessions = Sessions(users, users, 0, Draws.for_sessions(1, users, 0))
        feed = PaginatedFeed(2, 2, RatingScale(), asks)
        seen = sp.csr_array((3, N_ITEMS))
        return asyncio.run(
            browse(sessions, seen, recommender=recommender, environment=feed, mind=mind or make_mind(pages=2))
        )

    return browsed


def test_each_page_is_asked_for_and_every_call_has_its_session_and_page(session_advised):
    record = session_advised(Advised(ScriptedModel(favourite)))
    first, second = (logged.turn.page.items.tolist() for logged in record.turns)
    assert first == [[5, 0], [4, 0], [3, 0]]
    assert second == [[1, 2], [1, 2], [1, 2]], "what was shown on the first page is not shown again"
    assert [(page, call.row) for page, call in record.asked] == [(page, row) for page in (1, 2) for row in range(3)]


ASKED_BY = [column.name for column in tables.calls.columns].index("asked_by")


def logged_calls(record):
    """Session, page, template and who asked of each call, as the log's rows have them."""
    block = block_of([Cohort(record, 1, 0, "v")], Origin(1, 1, 1, 1, 1, 1, 1))
    return [(row[1], row[2], row[3], row[ASKED_BY]) for row in block.calls]


def test_calls_of_recommenders_and_agents_stand_in_the_log_in_the_order_of_asking(session_advised, make_mind):
    class Talkative(make_mind):
        cohort_size = 1

        async def decide(self, situation):
            decision = await super().decide(situation)
            question = ChatRequest((Message("user", "well?"),), {}, 5, 0.0, 1)
            reply = await ScriptedModel(["so so"]).ask(question)
            call = CallRecord(question, reply, "mind-1", "m" * 64, "ok")
            return replace(decision, trace=replace(decision.trace, calls=(call,)))

    found = logged_calls(session_advised(Advised(ScriptedModel(favourite)), mind=Talkative(pages=2)))
    assert found == [
        (1, 1, "first-1", "recommender"),
        (1, 1, "mind-1", "agent"),  # the cohort's one call was session 0's
        (1, 2, "first-1", "recommender"),
        (1, 2, "mind-1", "agent"),
        *((session, page, "first-1", "recommender") for session in (2, 3) for page in (1, 2)),
    ]


def test_calls_are_kept_where_nobody_is_shown_anything(session_advised):
    class Empty(Advised):
        async def rank(self, request):
            ranking = await super().rank(request)
            items, unknown = np.full_like(ranking.items, -1), np.full(ranking.items.shape, np.nan)
            return Ranking(items, unknown, ranking.propensities, ranking.explored, calls=ranking.calls)

    record = session_advised(Empty(ScriptedModel(favourite)), "visit")
    assert record.turns == ()
    assert logged_calls(record) == [(session, 1, "first-1", "recommender") for session in (1, 2, 3)]


def test_recommenders_built_on_one_that_asks_wait_for_it_and_keep_its_calls(session_advised):
    advised = Advised(ScriptedModel(favourite))
    same = session_advised(DegradedRecommender(advised, share=0.0))
    assert same.turns[0].turn.page.items.tolist() == [[5, 0], [4, 0], [3, 0]]
    assert len(same.asked) == 6
    with pytest.raises(TypeError, match="await `rank`"):
        DegradedRecommender(advised, share=0.0).recommend(None)
    drafted = session_advised(TeamDraftRecommender(advised, Advised(ScriptedModel(lambda request: "0"))), "visit")
    assert len(drafted.asked) == 6
    assert {row[0] for row in drafted.turns[0].turn.page.items.tolist()} <= {0, 3, 4, 5}


def test_a_request_in_another_order_still_names_the_session(session_advised):
    class Backwards(Advised):
        async def rank(self, request):
            ranking = await super().rank(request)
            return Ranking(
                ranking.items, ranking.scores, ranking.propensities, ranking.explored, calls=ranking.calls[::-1]
            )

    record = session_advised(Backwards(ScriptedModel(favourite)))
    assert [call.row for _, call in record.asked] == [2, 1, 0, 2, 1, 0]
    assert [call.request.messages[-1].content for _, call in record.asked[:3]] == [
        f"page 1 of user {user}" for user in (2, 1, 0)
    ]
