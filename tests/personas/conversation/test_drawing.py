"""Needs drawn from histories: something meets them where it should, and they tell nothing of single items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.conversation.attributes import Attributes, all_met
from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.personas.conversation.drawing import NeedDrawer
from groundlings.personas.conversation.styles import STYLES
from groundlings.personas.conversation.user import ConversingUser

N = 60
SHELF = Attributes(
    tuple(f"sku{item}" for item in range(N)),
    tuple(f"Dairy brand {item}" for item in range(N)),
    {
        "department": [("dairy", "bakery", "tea")[item % 3] for item in range(N)],
        "price": [None if item % 7 == 0 else float(item) for item in range(N)],
        "labels": [("organic",) if item % 2 else ("organic", "vegan") for item in range(N)],
    },
)


def drawn(seed, history=(1, 5, 9, 20), unanswerable=0.0, wishes=3, reveal=(1, 1, 1)):
    drawer = NeedDrawer(SHELF, wishes, reveal, unanswerable)
    had = np.array(history)
    return drawer.draw(had, had, np.linspace(0, 1, N), np.random.default_rng(seed))


@given(seed=st.integers(0, 2**32), history=st.sets(st.integers(0, N - 1), min_size=1, max_size=9))
@settings(max_examples=25, deadline=None)
def test_nothing_that_was_had_suits_again_and_what_suits_meets_every_wish(seed, history):
    need = drawn(seed, sorted(history))
    met = all_met([wish.requirement for wish in need.wishes], SHELF)
    met[sorted(history)] = False
    np.testing.assert_array_equal(need.suitable, met)
    kinds = [(wish.requirement.field, wish.requirement.op) for wish in need.wishes]
    assert len(kinds) == len(set(kinds))
    assert need.wishes[0].reveal == "volunteer"


@given(seed=st.integers(0, 2**32), style=st.sampled_from(sorted(STYLES)))
@settings(max_examples=25, deadline=None)
def test_no_title_stands_in_what_is_said_first(seed, style):
    said = ConversingUser(drawn(seed), STYLES[style], SHELF).open()
    assert TitlesNamed(SHELF.titles).named(said) == 0
    assert not any(item_id in said for item_id in SHELF.item_ids)


def test_a_word_that_is_a_title_too_is_no_wish():
    makers = [("Dairy brand 7", "Acme")[item % 2] for item in range(N)]
    labels = [("organic", "dairy BRAND 8") for _ in range(N)]
    shelf = replace(SHELF, fields={"maker": makers, "labels": labels})
    had = np.arange(8)
    needs = [
        NeedDrawer(shelf, 3, (1, 0, 0), 0.0).draw(had, had, np.linspace(0, 1, N), np.random.default_rng(seed))
        for seed in range(20)
    ]
    assert {wish.requirement.value for need in needs for wish in need.wishes} == {"Acme", "organic"}


@given(seed=st.integers(0, 2**32), unanswerable=st.sampled_from([0.0, 1.0]))
@settings(max_examples=20, deadline=None)
def test_a_need_has_a_wish_although_nothing_is_known_of_most_items(seed, unanswerable):
    """Item 5 alone has a cell: a need drawn from another one would have no wish, and anything would meet it."""
    shelf = replace(SHELF, fields={"department": [("dairy" if item == 5 else None) for item in range(N)]})
    drawer, had = NeedDrawer(shelf, 3, (1, 1, 1), unanswerable), np.array([1, 5, 9])
    need = drawer.draw(had, had, np.linspace(0, 1, N), np.random.default_rng(seed))
    assert [wish.requirement.value for wish in need.wishes][:1] == ["dairy"] or need.wishes[0].requirement.op == "!="
    assert drawer.bearing(had).tolist() == [5]


def test_most_needs_have_an_answer_or_none_as_asked():
    assert np.mean([drawn(seed).suitable.any() for seed in range(40)]) > 0.9
    assert np.mean([drawn(seed, unanswerable=1.0, wishes=5).suitable.any() for seed in range(40)]) < 0.1


def test_weights_say_how_wishes_come_to_light():
    tags = {wish.reveal for seed in range(20) for wish in drawn(seed, reveal=(0, 0, 1)).wishes[1:]}
    assert tags == {"hidden"}
