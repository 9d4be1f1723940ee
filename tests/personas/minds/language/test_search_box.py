"""A language agent before a search box: what it reads, what it may answer, and what it remembers of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.decision import checked
from groundlings.environments.search_site import search_schema

SCHEMA = search_schema((1.0, 2.0, 3.0, 4.0, 5.0))
LAST = {"open": {}, "feel": "content", "satisfaction": 5, "next": False}


def reply(**said):
    return json.dumps({"open": {}, "feel": "curious", "satisfaction": 5, **said})


@pytest.fixture
def before(language, population_of_three):
    """Makes a page of a site with a search box, and decides about it."""
    agents = language(population_of_three)

    def page(items=(0, 1), *, source="search", number=1, go=False, asks=True, earlier=()):
        plain = agents.situation(items, number=number, go=go, earlier=earlier)
        shown = replace(plain.page, further={"source": np.array([source], dtype=object)})
        legal = LegalActions(SCHEMA, {"next_page": np.array([go]), "query": np.array([asks])})
        return replace(plain, page=shown, legal=legal)

    def decide(replies, asked):
        mind, model = agents.mind(replies)
        return agents.decide(mind, asked), [agents.prompt(request) for request in model.requests]

    page.decide, page.turn = decide, agents.turn
    return page


def test_a_query_is_an_action_and_its_results_are_named(before):
    box = before((NO_ITEM, NO_ITEM))
    decision, (prompt,) = before.decide([reply(query="war drama")], box)
    assert decision["query"].tolist() == ["war drama"]
    assert '"query":TEXT' in prompt
    assert "(a search box, and nothing else)" in prompt
    assert 'no page follows it, but you can search: leave out "next"' in prompt

    turn = before.turn(box, decision)
    found = before((0, 1), number=2, go=True, earlier=(turn,))
    second, (prompt,) = before.decide([reply(next=True)], found)
    assert "Results of your search for war drama:" in prompt
    assert "searched for war drama" in prompt
    assert second["query"].tolist() == [None]
    assert second["next_page"].tolist() == [True]

    nothing = before((NO_ITEM, NO_ITEM), number=2, earlier=(turn,))
    _, (prompt,) = before.decide([reply()], nothing)
    assert "No results for war drama." in prompt


def test_where_no_query_can_be_made_none_is_asked_for(before):
    page = before(source="feed", go=True, asks=False)
    _, (prompt,) = before.decide([json.dumps(LAST)], page)
    assert "Suggestions:" in prompt
    assert "query" not in prompt


@pytest.mark.parametrize("query", ["x" * 81, "two\nlines"])
def test_a_query_of_another_form_is_unreadable_and_none_is_made_up(before, query):
    decision, prompts = before.decide([reply(query=query)] * 2, before())
    assert decision.unreadable.all()
    assert "query: expected at most 80 characters on one line" in prompts[1]


@pytest.mark.parametrize(("query", "asks"), [(" ", True), ("war", False)])
def test_a_query_that_the_site_does_not_take_is_refused_by_it(before, query, asks):
    page = before(go=True, asks=asks)
    decision, _ = before.decide([reply(query=query, next=False)], page)
    found = checked(decision, page.page, page.legal)
    assert found.decision["query"].tolist() == [None]
    assert len(found.illegal) == 1
