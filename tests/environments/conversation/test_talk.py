"""The conversation as an environment: who speaks when, what is recorded of a system, and how conversations end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.contract import N_ITEMS, EnvironmentContract
from groundlings.environments.conversation.messages import Move
from groundlings.environments.conversation.talk import Conversation
from groundlings.environments.conversation.titles_named import TitlesNamed
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import top_items
from groundlings.environments.sessions import Sessions
from groundlings.recommenders.contract import toy_catalog


def shelf():
    """The contract's forty items."""
    small = toy_catalog()
    numbers = range(N_ITEMS)
    return replace(
        small,
        item_ids=tuple(f"i{item}" for item in numbers),
        titles=tuple(f"Item number {item}" for item in numbers),
        years=np.full(N_ITEMS, 1999.0),
        genres=(("Bread",),) * N_ITEMS,
        texts=(),
    )


class TestConversation(EnvironmentContract):
    def make_environment(self):
        return Conversation(turns=6, catalog=shelf())


async def played(replies, acts, turns=6):
    """One session: what the system writes in turn, and the columns of what the user does on each page."""
    world = Conversation(turns=turns, catalog=shelf())
    one = np.arange(1)
    state = await world.open(Sessions(one, one, 0, Draws.for_sessions(7, one, 0)), sp.csr_array((1, N_ITEMS)), None)
    left, requests = [*replies], []

    async def rank(request):
        requests.append(request)
        written = left.pop(0)
        if written is None:
            return top_items(-np.arange(float(N_ITEMS))[None], request)
        listed = np.array([[NO_ITEM]], dtype=np.int32)
        for item in range(N_ITEMS):
            if f'"i{item}"' in written and not request.was_seen(np.array([[item]]))[0, 0]:
                listed[0, 0] = item
        blank = top_items(np.full((1, N_ITEMS), -np.inf), request)
        return replace(blank, items=listed, replies=(written,))

    done, told = [], []
    while (seen := await world.observe(state, rank)) is not None:
        doing = {name: np.array(cells) for name, cells in acts[len(done)].items()}
        if "say" in doing:
            doing["say"] = doing["say"].astype(object)
        decision = world.book(seen, Decision.of(seen.legal, seen.page, **doing))
        done.append(decision)
        told.append((seen.page.further["system_says"][0], seen.page.further["breaks_off"][0]))
        state = world.apply(state, seen, decision)
    return state.ended_by[0], done, requests, told


def talk(*arguments, **named):
    return asyncio.run(played(*arguments, **named))


OPENED = {"say": ["Something with bread."], "next_page": [True]}
WENT_ON = {"say": ["No."], "next_page": [True], "refuse": [[True]]}
ACCEPTED = {"say": ["Yes."], "accept": [[True]]}


def test_the_system_hears_all_that_was_said_and_its_acts_are_recorded():
    asks = Move("What year?", "ask", fields=("year",)).as_json()
    names = Move("Item number 3?", "suggest", item="i3").as_json()
    ended, done, requests, told = talk([asks, names], [OPENED, {"say": ["1999"], "next_page": [True]}, ACCEPTED])
    assert ended == EndedBy.EXIT
    assert requests[0].dialogue == (("Something with bread.",),)
    assert requests[1].dialogue == (("Something with bread.", asks, "1999"),)
    assert requests[1].queries == ("1999",)
    assert [words for words, _ in told] == [None, "What year?", "Item number 3?"]
    assert done[1]["asks"][0] == 1
    assert done[2]["accept"].all()


def test_a_recommender_that_does_not_converse_names_its_list_item_by_item():
    ended, done, requests, _ = talk([None, None], [OPENED, WENT_ON, ACCEPTED])
    assert ended == EndedBy.EXIT
    assert requests[1].was_seen(np.array([[0]])).all(), "what was named is not asked for again"
    assert [decision["refuse"].any() for decision in done] == [False, True, False]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("Try Item number 3!", "not JSON"),
        ('{"say": "This?", "suggest": "i99"}', "expected the id of an item"),
        ('{"say": "This?", "suggest": "i3"}', "named before"),
    ],
)
def test_a_text_that_is_no_move_is_recorded_and_ends_the_conversation(written, fault):
    first = Move("This?", "suggest", item="i3").as_json()
    ended, _, _, told = talk([first, written], [OPENED, WENT_ON, {}])
    assert ended == EndedBy.LAST_PAGE
    assert told[2][0] == written
    assert fault in told[2][1]


def test_an_abstention_and_a_recommendation_are_final():
    abstains = Move("Nothing.", "abstain").as_json()
    ended, done, *_ = talk([abstains], [OPENED, {}])
    assert (ended, done[1]["abstains"].tolist()) == (EndedBy.LAST_PAGE, [True])
    recommends = Move("Take it.", "recommend", item="i5").as_json()
    ended, done, *_ = talk([recommends], [OPENED, {"refuse": [[True]]}])
    assert (ended, done[1]["recommends"].tolist()) == (EndedBy.LAST_PAGE, [True])


def test_a_title_that_was_not_shown_is_counted():
    guesses = {**OPENED, "say": ["Is there item NUMBER 7, or like Item number 3?"]}
    _, done, *_ = talk([None, None], [guesses, {**WENT_ON, "say": ["Not Item number 0."]}, ACCEPTED])
    assert [decision["titles_not_shown"][0] for decision in done] == [2, 0, 0]


def test_titles_of_one_word_are_not_looked_for():
    assert TitlesNamed(["Drama", "The Third Man"]).named("drama, as in the third man, please") == 1
