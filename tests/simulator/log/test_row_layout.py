"""Columns of sessions and impressions that follow from a record, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.offers import PRICE, PROMOTED
from groundlings.environments.page import Places
from groundlings.simulator.log import tables
from groundlings.simulator.log.row_layout import Cohort, Origin, block_of

ORIGIN = Origin(arm=10, agent=20, item=30, session=40, impression=50, event=60, call=70)


def column(rows, table, name):
    """A column of laid-out rows, NaN as None."""
    place = [each.name for each in table.columns].index(name)
    return [None if row[place] != row[place] else row[place] for row in rows.rows(nan_is_null=False)]


def laid_out(*records):
    return block_of([Cohort(record, 10, 1000, "v") for record in records], ORIGIN)


def changed(record, place, **parts):
    """A record whose turn at a place was served or decided in another way."""
    turns = list(record.turns)
    logged = turns[place]
    served = replace(logged.served, **parts.pop("served", {}))
    decision = logged.turn.decision
    decision = replace(decision.taking(**parts.pop("taking", {})), trace=replace(decision.trace, **parts))
    turns[place] = replace(logged, served=served, turn=replace(logged.turn, decision=decision))
    return replace(record, turns=tuple(turns))


def test_the_satisfaction_of_a_session_is_the_mean_of_the_pages_that_were_asked(session_of, make_mind):
    record = changed(session_of(make_mind(pages=2)), 0, taking={"satisfaction": np.array([4.0, np.nan, np.nan])})
    record = changed(record, 1, taking={"satisfaction": np.array([9.0, 8.0, np.nan])})
    sessions = laid_out(record).sessions
    assert column(sessions, tables.sessions, "satisfaction") == [6.5, 8.0, None]
    assert column(sessions, tables.sessions, "session_id") == [40, 41, 42]
    assert column(sessions, tables.sessions, "agent_id") == [20, 21, 22]


def test_an_impression_names_the_arm_whose_pick_it_is(session_of, make_mind):
    teams = np.array([[0, 1], [1, 0], [1, 1]])
    drafted = changed(session_of(make_mind(pages=1)), 0, served={"teams": teams})
    impressions = laid_out(drafted).impressions
    assert column(impressions, tables.impressions, "team_arm_id") == [10, 11, 11, 10, 11, 11]
    assert column(impressions, tables.impressions, "item_id") == [30, 31] * 3
    plain = laid_out(drafted, session_of(make_mind(pages=1))).impressions
    assert set(column(plain, tables.impressions, "team_arm_id")) == {None}


def test_a_slot_is_displayed_where_the_mind_saw_it_and_else_at_its_own_position(session_of, make_mind):
    record = changed(session_of(make_mind(pages=2)), 0, display=np.array([[1, 0], [0, 1], [1, 0]]))
    impressions = laid_out(record).impressions
    assert column(impressions, tables.impressions, "display_position") == [1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1]
    assert column(impressions, tables.impressions, "position") == [0, 1] * 6


def with_places(record, place):
    """A record whose page at a place has a carousel above a row without a name."""
    cells = np.array([[0, 1]] * 3)
    places = Places(cells, cells[:, ::-1] * 4, cells * 0, -cells, ("first",))
    turns = list(record.turns)
    page = replace(turns[place].turn.page, places=places)
    turns[place] = replace(turns[place], turn=replace(turns[place].turn, page=page))
    return replace(record, turns=tuple(turns))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_impression_says_in_which_row_it_stood_where_a_page_has_rows(session_of, make_mind):
    plain = session_of(make_mind(pages=2))
    names = ("row_name", "place_row", "place_slot")
    rows = [column(laid_out(with_places(plain, 0)).impressions, tables.impressions, name) for name in names]
    assert rows == [
        ["first", None, None, None] * 3,
        [0, 1, None, None] * 3,
        [4, 0, None, None] * 3,
    ]
    assert {type(value) for value in rows[1] + rows[2]} == {int, type(None)}, "a server takes no fractions"
    both = with_places(with_places(plain, 0), 1)
    assert column(laid_out(both).impressions, tables.impressions, "place_slot") == [4, 0] * 6
    for name in names:
        assert set(column(laid_out(plain).impressions, tables.impressions, name)) == {None}


def test_prices_that_were_shown_and_promotions_are_events_of_their_slots_alone(session_of, make_mind):
    record = session_of(make_mind(pages=2))
    prices = np.array([[2.5, np.nan], [3.0, 4.0], [np.nan, np.nan]])
    promoted = np.array([[True, False], [False, False], [False, True]])
    turns = list(record.turns)
    page = replace(turns[0].turn.page, further={PRICE: prices, PROMOTED: promoted})
    turns[0] = replace(turns[0], turn=replace(turns[0].turn, page=page))
    block = laid_out(replace(record, turns=tuple(turns)))
    named = ("kind", "session_id", "page", "impression_id", "value", "detail")
    events = list(zip(*(column(block.events, tables.events, name) for name in named), strict=True))
    shown = dict(zip(
        zip(*(column(block.impressions, tables.impressions, name) for name in ("session_id", "page", "position")),
            strict=True),
        column(block.impressions, tables.impressions, "impression_id"), strict=True,
    ))  # fmt: skip
    assert [event for event in events if event[0] in (PRICE, PROMOTED)] == [
        (PRICE, 40, 1, shown[40, 1, 0], 2.5, None),
        (PROMOTED, 40, 1, shown[40, 1, 0], None, None),
        (PRICE, 41, 1, shown[41, 1, 0], 3.0, None),
        (PRICE, 41, 1, shown[41, 1, 1], 4.0, None),
        (PROMOTED, 42, 1, shown[42, 1, 1], None, None),
    ]
    plain = laid_out(record).events
    assert not {PRICE, PROMOTED} & set(column(plain, tables.events, "kind"))


@pytest.mark.parametrize("nan_is_null", [True, False])
def test_rows_end_with_the_last_column_of_which_something_is_known(session_of, make_mind, nan_is_null):
    names = [each.name for each in tables.impressions.columns]
    plain = session_of(make_mind(pages=2))
    for record, last in ((plain, "display_position"), (with_places(plain, 0), "place_slot")):
        impressions = laid_out(record).impressions
        assert names[impressions.filled - 1] == last
        rows = list(impressions.rows(nan_is_null=nan_is_null, width=impressions.filled))
        assert {len(row) for row in rows} == {impressions.filled}
        whole = impressions.rows(nan_is_null=False)
        assert all(set(row[impressions.filled :]) <= {None} for row in whole)
    nothing = laid_out(session_of(make_mind(), seen=[(user, item) for user in range(3) for item in range(6)]))
    assert nothing.impressions.filled == len(names), "of no rows every column is kept"


@pytest.mark.parametrize(
    ("first", "second", "logged"),
    [
        ("deterministic", "exact", "exact"),
        ("estimated", "exact", "estimated"),
        ("exact", "exact", "exact"),
    ],
)
def test_a_session_has_the_kind_of_propensity_that_claims_least(session_of, make_mind, first, second, logged):
    record = changed(session_of(make_mind(pages=2)), 0, served={"propensity_kind": first})
    record = changed(record, 1, served={"propensity_kind": second})
    assert column(laid_out(record).sessions, tables.sessions, "pscore_kind") == [logged] * 3


def test_a_session_that_was_shown_nothing_has_deterministic_propensities_and_no_satisfaction(session_of, make_mind):
    record = session_of(make_mind(), seen=[(user, item) for user in range(3) for item in range(6)])
    block = laid_out(record)
    assert column(block.sessions, tables.sessions, "pscore_kind") == ["deterministic"] * 3
    assert column(block.sessions, tables.sessions, "satisfaction") == [None] * 3
    assert len(block.impressions) == 0


def test_prices_are_events_where_every_page_shows_them(session_of, make_mind):
    record = session_of(make_mind(pages=1))
    page = replace(record.turns[0].turn.page, further={PRICE: np.full((3, 2), 2.5)})
    turns = tuple(replace(each, turn=replace(each.turn, page=page)) for each in record.turns)
    events = laid_out(replace(record, turns=turns)).events
    assert column(events, tables.events, "kind").count(PRICE) == 6
