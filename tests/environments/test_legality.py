"""What a page's check refuses: a draw from no probability, and a number that is on no list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.decision import Decision, checked
from groundlings.environments.errors import ConfigError
from groundlings.environments.page import Page
from groundlings.environments.trace import Chance, Trace

OPEN = ActionSpec("open", per="slot")
BUY = ActionSpec("buy", per="slot", needs="open")
GRADE = ActionSpec("grade", per="slot", kind="number", values=(1.0, 2.5))
PRICE = ActionSpec("price", per="slot", kind="number")
STAY = ActionSpec("stay", per="page")
SHOP = ActionSchema((OPEN, BUY, GRADE, PRICE, STAY), interaction="open", strength="grade")
PAGE = Page(4, 6, np.array([[3, 4], [5, NO_ITEM], [6, 7]], dtype=np.int32))
EMPTY = (1, 1)


def drawn(action, cells, unreadable=(False,) * 3, **available):
    """Check a decision whose action was drawn from 0.5 but for some cells, each place -> (probability, draw)."""
    shape = PAGE.items.shape if SHOP[action].per == "slot" else PAGE.items.shape[:1]
    chance = Chance(np.full(shape, 0.5), np.full(shape, 0.5))
    for place, (probability, draw) in cells.items():
        chance.probability[place], chance.draw[place] = probability, draw
    legal = LegalActions(SHOP, available)
    decision = replace(Decision.of(legal, PAGE, Trace({action: chance})), unreadable=np.array(unreadable))
    return checked(decision, PAGE, legal)


def given(action, *numbers, **available):
    """What is said of numbers on the first slot, session by session, that the check refuses."""
    cells = np.full(PAGE.items.shape, np.nan)
    cells[: len(numbers), 0] = numbers
    legal = LegalActions(SHOP, available)
    found = checked(Decision.of(legal, PAGE, **{action: cells}), PAGE, legal)
    return [(each.row, each.said, each.reason) for each in found.illegal]


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_what_never_and_what_always_happens_are_probabilities(probability):
    everywhere = dict.fromkeys(np.ndindex(3, 2), (probability, 0.5))
    assert drawn("open", everywhere).illegal == ()


NO_CHANCE = [(np.nan, 0.25), (-0.5, 0.25), (1.5, 0.25), (0.75, np.nan)]


@pytest.mark.parametrize(("probability", "draw"), NO_CHANCE)
def test_a_draw_from_no_probability_is_refused_with_the_first_slot_that_it_is_about(probability, draw):
    found = rf"mind: P\(open\) for slot 2 of page 4 is {probability:g}, held against the draw {draw:g}; expected a prob"
    with pytest.raises(ConfigError, match=found):
        drawn("open", {(0, 1): (probability, draw), (2, 0): (7.0, 0.0)})


@pytest.mark.parametrize(("probability", "draw"), NO_CHANCE)
def test_a_draw_from_no_probability_is_refused_for_a_page_too(probability, draw):
    found = rf"mind: P\(stay\) of page 4 is {probability:g}, held against the draw {draw:g}; expected a prob"
    with pytest.raises(ConfigError, match=found):
        drawn("stay", {1: (probability, draw), 2: (7.0, 0.0)})


@pytest.mark.parametrize(("probability", "draw"), NO_CHANCE)
def test_what_could_not_be_done_needs_no_probability(probability, draw):
    none = (probability, draw)
    assert drawn("open", {EMPTY: none}).illegal == ()
    assert drawn("open", {(0, 0): none, (0, 1): none}, unreadable=(True, False, False)).illegal == ()
    assert drawn("stay", {1: none}, unreadable=(False, True, False)).illegal == ()
    assert drawn("open", {(2, 0): none}, open=np.array([[1, 1], [1, 1], [0, 1]], dtype=np.bool_)).illegal == ()
    assert drawn("stay", {0: none}, stay=np.array([False, True, True])).illegal == ()


def test_an_action_that_follows_another_may_have_no_probability_where_that_was_not_done():
    assert drawn("buy", dict.fromkeys(np.ndindex(3, 2), (np.nan, np.nan))).illegal == ()


def test_what_is_offered_to_some_needs_a_probability_for_them():
    with pytest.raises(ConfigError, match=r"P\(stay\)"):
        drawn("stay", {2: (np.nan, 0.5)}, stay=np.array([False, True, True]))


def test_a_refused_number_never_looks_like_one_of_its_list():
    why = "grade is one of 1, 2.5"
    assert given("grade", 1.000003, 2.500003, 3.0) == [
        (0, "grade 1.000003", why), (1, "grade 2.500003", why), (2, "grade 3", why)
    ]  # fmt: skip


def test_a_legal_number_that_is_refused_for_another_reason_is_worded_as_the_list_has_it():
    nowhere = np.zeros(PAGE.items.shape, dtype=np.bool_)
    assert given("grade", 1.0, 2.5, grade=nowhere) == [
        (0, "grade 1", "it is not offered"), (1, "grade 2.5", "it is not offered")
    ]  # fmt: skip


def test_a_number_that_nothing_limits_is_finite():
    assert given("price", -1e300, np.inf, 0.0) == [(1, "price inf", "price is a finite number")]


@pytest.mark.parametrize(
    ("action", "cells", "said"),
    [
        ("open", [[True, False]] * 3, r"mind: open is a list; expected an array of shape \(3, 2\)"),
        ("open", np.ones((3, 3), dtype=np.bool_), r"mind: open has the shape \(3, 3\), and page 4 has \(3, 2\)"),
        ("stay", np.ones((3, 2), dtype=np.bool_), r"mind: stay has the shape \(3, 2\), and page 4 has \(3,\)"),
        ("open", np.full((3, 2), 0.5), "mind: open holds float64 values; expected True or False"),
        ("grade", np.ones((3, 2), dtype=np.bool_), "mind: grade holds bool values; expected numbers, NaN"),
        ("unreadable", np.zeros(3), "mind: unreadable holds float64 values; expected True or False"),
    ],
)
def test_a_column_of_another_shape_or_kind_is_no_decision_about_the_page(action, cells, said):
    legal = LegalActions(SHOP)
    decision = Decision.of(legal, PAGE)
    if action == "unreadable":
        decision = replace(decision, unreadable=cells)
    else:
        decision.actions.columns[action] = cells
    with pytest.raises(ConfigError, match=said):
        checked(decision, PAGE, legal)


@pytest.mark.parametrize("kind", [np.bool_, np.int64])
def test_flags_may_be_written_as_numbers(kind):
    legal = LegalActions(SHOP)
    decision = Decision.of(legal, PAGE)
    decision.actions.columns["open"] = np.array([[1, 0], [0, 0], [0, 1]], dtype=kind)
    done = checked(decision, PAGE, legal).decision
    assert done["open"].astype(bool).tolist() == [[True, False], [False] * 2, [False, True]]


def test_what_is_no_decision_is_named():
    with pytest.raises(ConfigError, match=r"mind: decide gave dict; expected a Decision, as Decision\.of makes it"):
        checked({}, PAGE, LegalActions(SHOP))
