"""One visit, as the record tells it."""

from __future__ import annotations

import numpy as np

from groundlings.environments.environment import EndedBy


def test_a_visit_turns_pages_until_the_mind_leaves(visit, make_mind):
    record = visit(make_mind(pages=2), max_pages=3)
    assert [logged.turn.page.number for logged in record.turns] == [1, 2]
    assert [logged.turn.page.items[0].tolist() for logged in record.turns] == [[0, 1], [2, 3]]
    assert record.pages.tolist() == [2, 2, 2]
    assert set(record.ended_by) == {EndedBy.EXIT}


def test_a_visit_that_reaches_the_last_page_is_censored_not_an_exit(visit, make_mind):
    record = visit(make_mind(pages=9), max_pages=2)
    assert record.pages.tolist() == [2, 2, 2]
    assert set(record.ended_by) == {EndedBy.LAST_PAGE}


def test_what_was_seen_before_is_not_shown(visit, make_mind):
    record = visit(make_mind(pages=1), seen=[(0, 0), (0, 2)])
    assert record.turns[0].turn.page.items.tolist() == [[1, 3], [0, 1], [0, 1]]


def test_somebody_with_nothing_left_to_see_sees_nothing_and_is_asked_nothing(visit, make_mind):
    mind = make_mind(pages=1)
    record = visit(mind, seen=[(1, item) for item in range(6)])
    assert record.ended_by.tolist() == [EndedBy.EXIT, EndedBy.NOTHING_SHOWN, EndedBy.EXIT]
    assert record.pages.tolist() == [1, 0, 1]
    assert mind.situations[0].visits.users.tolist() == [0, 2]


def test_an_unreadable_reply_ends_that_visit_alone_and_invents_nothing(visit, make_mind):
    record = visit(make_mind(pages=2, unreadable_users=(1,)))
    assert record.ended_by[1] == EndedBy.UNREADABLE
    assert record.pages.tolist() == [2, 1, 2]
    first = record.turns[0].turn
    assert not first.decision["click"][1].any()
    assert np.isnan(first.decision["rate"][1]).all()
    assert record.turns[1].turn.rows.tolist() == [0, 2]


def test_the_mind_is_told_what_came_before_row_by_row(visit, make_mind):
    mind = make_mind(pages=2, unreadable_users=(0,))
    visit(mind)
    second = mind.situations[1]
    assert second.visits.users.tolist() == [1, 2]
    (page,) = second.earlier
    assert page.rows.tolist() == [1, 2]
    assert page.page.items.tolist() == [[0, 1], [0, 1]]
    assert second.page.items.tolist() == [[2, 3], [2, 3]]
