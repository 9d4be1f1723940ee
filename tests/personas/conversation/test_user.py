"""Users who converse: what they tell, when, what they accept, and that nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.conversation.attributes import Attributes, Requirement
from groundlings.environments.conversation.messages import GOODBYE, NO_WISH, REFUSAL, YES, Move, fields_in
from groundlings.environments.conversation.wording import requirements_in
from groundlings.environments.errors import DataError
from groundlings.personas.conversation.need import REVEALS, Need, Wish
from groundlings.personas.conversation.styles import STYLES
from groundlings.personas.conversation.user import ConversingUser

SHELF = Attributes(
    ("i0", "i1", "i2", "i3"),
    ("Zuurkool", "Appelmoes", "Hagelslag", "Drop"),
    {"price": [1.0, 2.0, 3.0, 4.0], "brand": ["X", "Y", "X", "Y"], "stock": [9.0, 9.0, 9.0, 0.0]},
)
CHEAP, OF_X, IN_STOCK = (
    Requirement("price", "<=", 3.0),
    Requirement("brand", "==", "X"),
    Requirement("stock", ">=", 1.0),
)


def user(style="patient", *wishes):
    need = Need.of(wishes or (Wish(CHEAP, "volunteer"), Wish(OF_X, "on_ask"), Wish(IN_STOCK, "hidden")), SHELF)
    return ConversingUser(need, STYLES[style], SHELF)


def ask(*fields):
    return Move("?", "ask", fields=fields)


def suggest(item):
    return Move("?", "suggest", item=item)


def test_each_wish_comes_to_light_in_its_own_way():
    person = user()
    assert requirements_in(person.open()) == (CHEAP,)
    assert requirements_in(person.reply(ask("brand"))) == (OF_X,)
    assert fields_in(person.reply(ask("stock")), NO_WISH) == ("stock",)


def test_a_hidden_wish_is_answered_like_none():
    with_one, without = user(), user("patient", Wish(CHEAP, "volunteer"))
    assert with_one.reply(ask("stock")) == without.reply(ask("stock"))


def test_acceptance_is_computed_on_all_wishes():
    person = user("patient", Wish(CHEAP, "volunteer"), Wish(IN_STOCK, "hidden"))
    assert person.reply(suggest("i0")) == YES
    assert person.reply(suggest("i3")) == f'{REFUSAL} The reason is "price".'
    hidden_alone = user("patient", Wish(IN_STOCK, "hidden"))
    assert hidden_alone.reply(suggest("i3")) == REFUSAL


def test_a_wish_that_is_told_and_not_judged_refuses_nothing():
    assert user("patient", Wish(OF_X, "on_ask", judged=False)).reply(suggest("i1")) == YES


def test_styles_change_what_is_said_and_never_what_is_accepted():
    opening = {style: requirements_in(user(style).open()) for style in STYLES}
    assert opening == {"patient": (CHEAP,), "terse": (CHEAP,), "expert": (CHEAP, OF_X), "vague": ()}
    for style in STYLES:
        assert [user(style).reply(suggest(item)) == YES for item in SHELF.item_ids] == [True, False, True, False]
    assert fields_in(user("terse").reply(ask("stock", "brand")), NO_WISH) == ("stock",)
    assert user("terse").reply(suggest("i1")) == REFUSAL


def test_patience_ends_the_conversation():
    person = user("terse")
    said = [person.reply(ask("brand")) for _ in range(STYLES["terse"].patience)]
    assert person.ending == "left"
    assert [text == GOODBYE for text in said] == [False] * (len(said) - 1) + [True]


def test_regret_is_what_the_best_suitable_item_would_have_been_worth_more():
    need = Need.of([Wish(CHEAP, "volunteer")], SHELF, utility=np.array([0.2, 0.9, 0.5, 1.0]))
    assert [round(need.regret(item), 9) for item in (1, 0, 3, None)] == [0.0, 0.7, 0.9, 0.9]
    impossible = Need.of([Wish(Requirement("price", ">=", 9.0), "volunteer")], SHELF)
    assert impossible.regret(None) == 0.0


wishes = st.lists(
    st.builds(Wish, st.sampled_from([CHEAP, OF_X, IN_STOCK]), st.sampled_from(REVEALS)),
    min_size=1,
    unique_by=lambda wish: wish.requirement,
)
moves = st.lists(st.one_of(st.sampled_from(SHELF.item_ids).map(suggest), st.sampled_from([*SHELF.fields]).map(ask)))


@given(wishes, moves, st.sampled_from([*STYLES]))
def test_no_title_no_id_and_no_hidden_requirement_is_ever_said(wanted, done, style):
    person = user(style, *wanted)
    text = " ".join([person.open(), *(person.reply(move) for move in done if person.ending is None)])
    assert not any(word in text for word in (*SHELF.titles, *SHELF.item_ids))
    assert {*requirements_in(text)} <= {wish.requirement for wish in wanted if wish.reveal != "hidden"}


def test_an_unknown_way_to_come_to_light_is_refused():
    with pytest.raises(DataError, match="expected one of volunteer, on_ask, hidden"):
        Wish(CHEAP, "secret")
