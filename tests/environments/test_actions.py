"""Actions as they are declared, said, laid out and checked, in an environment that is no feed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.actions import Action, Actions, ActionSchema, ActionSpec, Illegal, LegalActions, lay_out
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.decision import Decision, checked
from groundlings.environments.legality import legal_only
from groundlings.environments.page import Page

OPEN = ActionSpec("open", per="slot")
BUY = ActionSpec("buy_now", per="slot", needs="open")
PRICE = ActionSpec("price", per="slot", kind="number", within=(1, 10), needs="buy_now")
GRADE = ActionSpec("grade", per="slot", kind="number", values=(1, 2.5))
NOTE = ActionSpec("note", per="slot", kind="text")
ASK = ActionSpec("ask", per="page", kind="text")
LEAVE = ActionSpec("leave", per="page")
MOOD = ActionSpec("mood", per="page", kind="number", within=(0, 5), optional=True)
SHOP = ActionSchema((OPEN, BUY, PRICE, GRADE, NOTE, ASK, LEAVE, MOOD), interaction="open", strength="grade")
PAGE = Page(1, 0, np.array([[3, 4], [5, NO_ITEM], [6, 7]], dtype=np.int32))
NOBODY = np.zeros(3, dtype=np.bool_)


def said(*each):
    """Session by session, what is said: legal cells by action, and what was refused as plain tuples."""
    actions, stray = lay_out(SHOP, PAGE, [*each, *[()] * (3 - len(each))])
    return actions, stray


def refusals(found):
    return [(each.row, each.position, each.said, each.reason) for each in found]


def check(*each, unreadable=NOBODY, **available):
    return legal_only(said(*each)[0], np.asarray(unreadable), PAGE, LegalActions(SHOP, available))


def taken(actions):
    """(row, slot or None, action, value) of all that is done."""
    found = []
    for spec in SHOP.specs:
        cells = actions[spec.name]
        for place in np.argwhere(spec.taken(cells)).tolist():
            slot = place[1] if spec.per == "slot" else None
            found.append((place[0], slot, spec.name, cells[tuple(place)]))
    return found


@pytest.mark.parametrize("spec", SHOP.specs, ids=lambda spec: spec.name)
def test_an_idle_column_has_the_shape_of_its_cells_and_is_not_taken(spec):
    cells = spec.idle(PAGE)
    assert cells.shape == ((3, 2) if spec.per == "slot" else (3,))
    assert cells.dtype == {"flag": np.bool_, "number": np.float64, "text": np.object_}[spec.kind]
    assert not spec.taken(cells).any()
    assert spec.taken(cells).shape == cells.shape
    assert spec.taken(cells).dtype == np.bool_


def test_what_is_said_stands_in_its_cell_and_nowhere_else():
    actions, stray = said(
        [Action("open", 1), Action("note", 0, "dear")], [Action("grade", 0, 2.5), Action("mood", value=0.0)],
        [Action("ask", value=""), Action("leave")],
    )  # fmt: skip
    assert stray == ()
    assert taken(actions) == [
        (0, 1, "open", True), (1, 0, "grade", 2.5), (0, 0, "note", "dear"), (2, None, "ask", ""),
        (2, None, "leave", True), (1, None, "mood", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize("slot", [-1, 2, 99, None])
def test_an_action_on_no_slot_of_the_page_is_stray_and_names_the_slots_there_are(slot):
    actions, stray = said([], [Action("open", 0), Action("grade", slot, 1.0), Action("open", slot)])
    assert taken(actions) == [(1, 0, "open", True)]
    where = "" if slot is None else f"position={slot}"
    assert refusals(stray) == [
        (1, None, f"Grade({where}{', ' if where else ''}value=1.0)", "the page has slots 0 to 1"),
        (1, None, f"Open({where})", "the page has slots 0 to 1"),
    ]


def test_actions_are_worded_as_every_log_has_worded_them():
    said = (Action("click", 9), Action("rate", 9, 4.0), Action("buy_now", 0), Action("ask", value="why"))
    assert [str(each) for each in said] == [
        "Click(position=9)", "Rate(position=9, stars=4.0)", "BuyNow(position=0)", "Ask(value='why')"
    ]  # fmt: skip


def test_an_action_stays_where_what_it_needs_is_legal_on_the_same_slot():
    actions, refused = check(
        [Action("open", 0), Action("buy_now", 0), Action("price", 0, 2.0), Action("buy_now", 1),
         Action("price", 1, 3.0)],
        [Action("open", 1), Action("buy_now", 1)],
    )  # fmt: skip
    assert taken(actions) == [(0, 0, "open", True), (0, 0, "buy_now", True), (0, 0, "price", 2.0)]
    assert refusals(refused) == [
        (1, 1, "open", "the slot is empty"),
        (0, 1, "buy now", "it needs open on the same slot"),
        (1, 1, "buy now", "it needs open on the same slot"),
        (0, 1, "price 3", "it needs buy_now on the same slot"),
    ]


def test_an_action_stays_where_it_is_offered():
    nowhere = np.zeros((3, 2), dtype=np.bool_)
    some = nowhere.copy()
    some[0, 1] = True
    everybody = [[Action("grade", 0, 1.0), Action("grade", 1, 1.0), Action("leave")]] * 3
    actions, refused = check(*everybody, grade=some, leave=np.array([False, True, False]))
    assert taken(actions) == [(0, 1, "grade", 1.0), (1, None, "leave", True)]
    assert refusals(refused) == [
        (1, 1, "grade 1", "the slot is empty"),
        *((row, slot, "grade 1", "it is not offered") for row, slot in ((0, 0), (1, 0), (2, 0), (2, 1))),
        (0, None, "leave", "it is not offered"),
        (2, None, "leave", "it is not offered"),
    ]


def test_a_needed_action_that_is_not_offered_takes_its_followers_with_it():
    actions, refused = check([Action("open", 0), Action("buy_now", 0)], open=np.zeros((3, 2), dtype=np.bool_))
    assert taken(actions) == []
    assert [each.reason for each in refused] == ["it is not offered", "it needs open on the same slot"]


def test_reasons_of_a_declaration_come_before_those_of_everybody():
    own = ActionSpec(
        "own", per="slot", kind="number", values=(1.0,), needs="open",
        refusals={"needs": "open it", "offered": "sold out", "values": "one only"},
    )  # fmt: skip
    schema = ActionSchema((OPEN, own), interaction="open")
    all_of = [
        [Action("own", 0, 1.0)],
        [Action("open", 0), Action("own", 0, 1.0)],
        [Action("open", 1), Action("own", 1, 9)],
    ]
    offered = np.array([[True, True], [False, True], [True, True]])
    actions, _ = lay_out(schema, PAGE, all_of)
    _, refused = legal_only(actions, NOBODY, PAGE, LegalActions(schema, {"own": offered}))
    assert refusals(refused) == [
        (0, 0, "own 1", "open it"), (1, 0, "own 1", "sold out"), (2, 1, "own 9", "one only")
    ]  # fmt: skip


@given(st.floats(-3, 14))
def test_a_number_is_legal_within_its_ends_both_included(value):
    whole = [Action("open", 0), Action("buy_now", 0), Action("price", 0, value), Action("mood", value=value)]
    actions, refused = check(whole)
    assert (actions["price"][0, 0] == value) == (1 <= value <= 10)
    assert (actions["mood"][0] == value) == (0 <= value <= 5)
    reasons = [
        *(["price is 1 to 10"] if not 1 <= value <= 10 else []),
        *(["mood is 0 to 5"] if not 0 <= value <= 5 else []),
    ]
    assert [each.reason for each in refused] == reasons


@pytest.mark.parametrize("value", [1.0, 10.0])
def test_the_ends_of_a_range_are_legal(value):
    assert check([Action("open", 0), Action("buy_now", 0), Action("price", 0, value)])[1] == []


@given(st.lists(st.sampled_from([1.0, 2.0, 2.5, -1.0, 3.0]), min_size=3, max_size=3))
def test_each_place_keeps_its_own_legal_number(values):
    actions, refused = check(*([Action("grade", 0, value)] for value in values))
    for row, value in enumerate(values):
        assert (actions["grade"][row, 0] == value) == (value in (1.0, 2.5))
    assert refusals(refused) == [
        (row, 0, f"grade {value:g}", "grade is one of 1, 2.5")
        for row, value in enumerate(values)
        if value not in (1.0, 2.5)
    ]


def test_a_number_that_is_on_the_list_but_for_noise_becomes_the_number_of_the_list():
    cells = np.array([[1.0 + 1e-9, 2.5], [3.0, 1.0], [np.nan, 2.5 - 1e-9]])
    settled, legal = GRADE.settled(cells)
    assert legal.tolist() == [[True, True], [False, True], [False, True]]
    assert np.array_equal(settled, [[1.0, 2.5], [3.0, 1.0], [np.nan, 2.5]], equal_nan=True)
    assert cells[0, 0] != 1.0, "what the mind said stays as it was"
    assert GRADE.legal_values(cells).tolist() == legal.tolist()


def test_numbers_that_stand_on_the_list_already_are_the_same_cells():
    cells = np.array([[1.0, np.nan], [2.5, 1.0]])
    assert GRADE.settled(cells)[0] is cells


def test_minus_zero_becomes_zero_where_zero_is_on_the_list():
    cells = np.array([-0.0, 0.5, np.nan])
    settled, legal = ActionSpec("share", per="page", kind="number", values=(0.0, 0.5)).settled(cells)
    assert [str(number) for number in settled.tolist()] == ["0.0", "0.5", "nan"]
    assert legal.tolist() == [True, True, False]


def test_without_limits_any_finite_number_and_any_text_with_a_word_is_legal():
    cells = np.array([1e300, np.inf, np.nan])
    assert ActionSpec("size", per="page", kind="number").legal_values(cells).tolist() == [True, False, False]
    texts = np.array(["", " ", None, "why"], dtype=np.object_)
    assert ASK.legal_values(texts).tolist() == [False, False, True, True]
    assert LEAVE.legal_values(NOBODY) is None


ANYTHING = st.builds(
    lambda spec, slot, value, word: Action(
        spec.name, slot if spec.per == "slot" else None, {"flag": None, "number": value, "text": word}[spec.kind]
    ),
    st.sampled_from(SHOP.specs),
    st.integers(0, 1),
    st.sampled_from([0.0, 1.0, 2.5, 7.0, 20.0]),
    st.sampled_from(["", "word"]),
)


@given(
    st.lists(st.lists(ANYTHING, max_size=5), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.dictionaries(st.sampled_from([spec.name for spec in SHOP.specs]), st.integers(0, 63), max_size=3),
)
def test_all_that_is_said_is_either_done_or_refused_once_and_the_check_is_stable(each, unreadable, offered):
    available = {
        name: np.array([bits >> n & 1 for n in range(6)], dtype=np.bool_).reshape(3, 2)[
            :, : 2 if SHOP[name].per == "slot" else 1
        ]
        for name, bits in offered.items()
    }
    available = {name: where if SHOP[name].per == "slot" else where[:, 0] for name, where in available.items()}
    before = taken(said(*each)[0])
    actions, refused = check(*each, unreadable=unreadable, **available)
    done = taken(actions)
    assert set(done) <= {each for each in before if not unreadable[each[0]]}
    names = {spec.words: spec.name for spec in SHOP.specs}
    turned_down = [
        (one.row, one.position, next(names[words] for words in names if one.said.startswith(words))) for one in refused
    ]
    readable = sorted(((row, slot, name) for row, slot, name, _ in before if not unreadable[row]), key=str)
    assert sorted([*((row, slot, name) for row, slot, name, _ in done), *turned_down], key=str) == readable
    again, nothing = legal_only(actions, np.array(unreadable), PAGE, LegalActions(SHOP, available))
    assert nothing == []
    assert taken(again) == done


def test_an_unreadable_session_does_nothing_and_is_refused_nothing_beside_readable_ones():
    each = [Action("open", 0), Action("open", 1), Action("mood", value=99.0), Action("ask", value="why")]
    actions, refused = check(each, each, each, unreadable=[True, False, True])
    assert taken(actions) == [(1, 0, "open", True), (1, None, "ask", "why")]
    assert refusals(refused) == [(1, 1, "open", "the slot is empty"), (1, None, "mood", "mood is 0 to 5")]


def test_refusals_of_a_cohort_are_told_session_by_session_strays_first():
    actions, stray = said(
        [Action("mood", value=9.0)], [Action("open", 1), Action("open", 5)], [Action("buy_now", 0), Action("open", 5)]
    )
    found = checked(Decision(actions, NOBODY, stray=stray), PAGE, LegalActions(SHOP))
    assert [(each.row, each.said) for each in found.illegal] == [
        (0, "mood"), (1, "Open(position=5)"), (1, "open"), (2, "Open(position=5)"), (2, "buy now")
    ]  # fmt: skip


def test_two_refusals_are_in_order_too():
    actions, stray = said([Action("mood", value=9.0)], [Action("open", 7)])
    found = checked(Decision(actions, NOBODY, stray=stray), PAGE, LegalActions(SHOP))
    assert [each.row for each in found.illegal] == [0, 1]


def test_a_decision_without_columns_is_readable_and_idle_and_a_lost_one_is_neither():
    legal = LegalActions(SHOP)
    idle, lost = Decision.of(legal, PAGE), Decision.lost(legal, PAGE, [])
    assert idle.unreadable.tolist() == [False] * 3
    assert lost.unreadable.tolist() == [True] * 3
    assert taken(idle.actions) == taken(lost.actions) == []
    assert Decision.of(legal, PAGE, swim=None).get("swim") is None


def test_a_column_of_another_shape_or_of_an_undeclared_action_is_an_error():
    with pytest.raises(ValueError, match=r"open: a mind answered in shape \(3, 1\), the page has \(3, 2\)"):
        Actions.of(SHOP, PAGE, {"open": np.zeros((3, 1), dtype=np.bool_)})
    with pytest.raises(ValueError, match=r"leave: a mind answered in shape \(3, 2\), the page has \(3,\)"):
        Actions.of(SHOP, PAGE, {"leave": np.zeros((3, 2), dtype=np.bool_)})
    with pytest.raises(ValueError, match="not declared by this environment: swim, fly"):
        Actions.of(SHOP, PAGE, {"swim": NOBODY, "leave": NOBODY, "fly": NOBODY})


def test_some_sessions_actions_keep_their_rows():
    actions, _ = said([Action("leave")], [Action("open", 0)], [Action("grade", 1, 1.0)])
    assert len(actions) == 3
    some = actions.take(np.array([2, 0]))
    assert len(some) == 2
    assert taken(some) == [(0, 1, "grade", 1.0), (1, None, "leave", True)]
    changed = actions.replaced({"leave": ~NOBODY})
    assert changed["leave"].all()
    assert changed["open"] is actions["open"]
    assert actions.get("swim") is None
    assert actions.get("leave") is actions["leave"]


def test_what_is_offered_is_what_the_environment_says_or_else_every_item_and_every_session():
    where = np.array([[True, False], [False, False], [False, True]])
    legal = LegalActions(SHOP, {"buy_now": where})
    assert legal.offers("buy_now", PAGE).tolist() == where.tolist()
    assert legal.offers("open", PAGE).tolist() == [[True, True], [True, False], [True, True]]
    assert legal.offers("leave", PAGE).tolist() == [True] * 3
    assert legal.take(np.array([2])).offers("buy_now", PAGE).tolist() == [[False, True]]
    assert legal.take(np.array([2])).schema is SHOP
    assert legal.values("grade") == (1, 2.5)
    assert legal.values("swim") == legal.values("open") == ()


def test_a_mind_lacks_what_it_must_do_and_cannot():
    assert SHOP.beyond(["open", "buy_now", "price", "grade", "ask"]) == ("note", "leave")
    assert SHOP.beyond([*SHOP.names, "swim"]) == ()
    assert "mood" in SHOP
    assert "swim" not in SHOP
    assert SHOP.names == ("open", "buy_now", "price", "grade", "note", "ask", "leave", "mood")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ActionSpec("Buy", per="slot"), "'Buy': a name has lower-case"),
        (lambda: ActionSpec("9lives", per="slot"), "a name has lower-case"),
        (lambda: ActionSpec("a b", per="slot"), "a name has lower-case"),
        (lambda: ActionSpec("buy", per="slot", values=(1.0,)), "buy: only a number"),
        (lambda: ActionSpec("buy", per="slot", kind="bool"), "buy: kind is 'bool', expected one of flag, number, text"),
        (lambda: ActionSpec("buy", per="item"), "buy: per is 'item', expected one of slot, page"),
        (lambda: ActionSpec("buy", per="slot", kind="text", within=(1, 2)), "buy: only a number"),
        (lambda: ActionSchema((OPEN, OPEN), interaction="open"), "action open is declared twice"),
        (lambda: ActionSchema((BUY, OPEN), interaction="open"), "buy_now needs open, which is no action per"),
        (lambda: ActionSchema((OPEN, LEAVE, ActionSpec("x", per="slot", needs="leave")), "open"), "x needs leave"),
        (lambda: ActionSchema((OPEN, ActionSpec("x", per="page", needs="open")), "open"), "x needs open"),
        (lambda: ActionSchema((OPEN,), interaction="buy"), "interaction: buy is no declared flag per slot"),
        (lambda: ActionSchema((OPEN, LEAVE), interaction="leave"), "interaction: leave is no declared flag per slot"),
        (lambda: ActionSchema((OPEN, GRADE), interaction="grade"), "interaction: grade is no declared flag"),
        (lambda: ActionSchema((OPEN,), "open", strength="stars"), "strength: stars is no declared number per slot"),
        (lambda: ActionSchema((OPEN, MOOD), "open", strength="mood"), "strength: mood is no declared number per slot"),
        (lambda: ActionSchema((OPEN,), "open", strength="open"), "strength: open is no declared number per slot"),
    ],
)  # fmt: skip
def test_a_declaration_that_makes_no_sense_is_an_error_that_names_it(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


def test_people_say_what_they_think_by_a_rating_or_else_by_a_like():
    rate, like = ActionSpec("rate", per="slot", kind="number"), ActionSpec("like", per="slot", kind="number")
    assert ActionSchema((OPEN, like, rate), "open").opinion == "rate"
    assert ActionSchema((OPEN, like), "open").opinion == "like"
    assert ActionSchema((OPEN, GRADE), "open").opinion is None


def test_a_schema_is_shown_and_compared_by_what_was_declared():
    assert "_by_name" not in repr(SHOP)
    assert ActionSchema((OPEN, GRADE), "open") == ActionSchema((OPEN, GRADE), "open")
    assert ActionSchema((OPEN, GRADE), "open") != ActionSchema((OPEN, GRADE), "open", "grade")


def test_one_refusal_is_a_value():
    assert check([Action("mood", value=6.0)])[1] == [Illegal(0, None, "mood", "mood is 0 to 5")]


def test_some_sessions_decisions_keep_their_actions_and_whether_they_could_be_read():
    actions, _ = said([Action("leave")], [Action("open", 0)])
    some = Decision(actions, np.array([False, True, False])).take(np.array([1, 0]))
    assert some.unreadable.tolist() == [True, False]
    assert taken(some.actions) == [(0, 0, "open", True), (1, None, "leave", True)]
