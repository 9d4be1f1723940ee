"""Decisions about lost pages: which sessions lose theirs, and which of them the model's server had refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest
from groundlings.environments.decision import Decision
from groundlings.environments.page import Page

LEGAL = LegalActions(ActionSchema((ActionSpec("open", per="slot"),), interaction="open"))
PAGE = Page(1, 0, np.array([[3, 4], [5, 6], [7, 8]], dtype=np.int32))


def call(row, status, text):
    return CallRecord(ChatRequest((), {}, 1, 0.0, 1), ChatReply(text, "", "", 0, 0, 0, 0.0), "t", "h", status, row)


def test_a_lost_cohort_keeps_the_servers_words_where_it_was_refused():
    calls = [call(2, "unanswerable", "flagged"), call(0, "unreadable", "I like it"), call(1, "ok", "{}")]
    lost = Decision.lost(LEGAL, PAGE, calls)
    assert lost.unanswerable == (None, None, "flagged")
    assert lost.refused.tolist() == [False, False, True]
    assert lost.unreadable.all()
    assert not lost["open"].any()
    assert lost.trace.calls == tuple(calls)


def test_a_lost_cohort_of_which_nobody_was_refused_keeps_no_words():
    lost = Decision.lost(LEGAL, PAGE, [call(0, "unreadable", "I like it")])
    assert lost.unanswerable == ()
    assert lost.refused.tolist() == [False] * 3


def test_only_a_lost_page_was_refused():
    decision = replace(Decision.of(LEGAL, PAGE), unreadable=np.array([True, True, False]))
    assert decision.refused.tolist() == [False] * 3
    assert replace(decision, unanswerable=("no", None, "no")).refused.tolist() == [True, False, False]


def test_some_sessions_keep_the_words_of_their_own_refusals():
    decision = replace(Decision.lost(LEGAL, PAGE, []), unanswerable=("first", None, "third"))
    assert decision.take(np.array([2, 1])).unanswerable == ("third", None)
    assert Decision.of(LEGAL, PAGE).take(np.array([2, 1])).unanswerable == ()


def test_what_people_think_is_their_rating_and_nothing_where_none_is_taken():
    rate = ActionSpec("rate", per="slot", kind="number")
    rated = LegalActions(ActionSchema((ActionSpec("open", per="slot"), rate), interaction="open"))
    stars = np.array([[4.0, np.nan], [np.nan, 2.0], [np.nan] * 2])
    np.testing.assert_array_equal(Decision.of(rated, PAGE, rate=stars).opinion, stars)
    assert Decision.of(LEGAL, PAGE).opinion is None
