"""Conversing recommenders as arms: a pure function of what was said, whatever is kept between turns."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.conversation.messages import read_move
from groundlings.environments.errors import ConfigError
from groundlings.recommenders.contract import TOY_SIZE, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.conversation.chat import ChatRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender

ODD = 'I want something where "genres" includes "Odd".'


def system_of(name="asking", **options):
    made = ChatRecommender(name, **options)
    made.fit(checkerboard(), toy_catalog())
    return made


def asked(recommender, *dialogue, users=(0, 1), shown=None):
    request = toy_request(checkerboard(), np.array(users), 1)
    request = replace(request, dialogue=(dialogue,) * len(users), shown=shown)
    if shown is not None:
        request = replace(request, seen=request.without(np.isin(np.arange(TOY_SIZE), shown)).seen)
    ranking = asyncio.run(recommender.rank(request))
    ranking.check(request, TOY_SIZE)
    return ranking


class TestChat(RecommenderContract):
    def build(self):
        return ChatRecommender("popularity", 0)

    def ask(self, recommender, users=None, size=5, day=0):
        request = toy_request(checkerboard(), self.users() if users is None else users, size, day=day)
        request = replace(request, dialogue=(("I am looking for something.",),) * len(request))
        ranking = asyncio.run(recommender.rank(request))
        ranking.check(request, TOY_SIZE)
        return ranking

    def test_lists_what_is_left_and_no_more(self):
        ranking = self.ask(self.fitted(), size=5)
        assert ((ranking.items != NO_ITEM).sum(axis=1) <= 1).all()

    def test_chance_is_declared(self):
        """Ties are broken by the session's own draws; what is said is certain once they are drawn."""
        assert self.ask(self.fitted()).propensity_kind == "deterministic"


def test_what_is_said_again_is_answered_again():
    """A system that has not heard the conversation is told all of it: the same answer as one that has."""
    kept, fresh = system_of(suggestions=3), system_of(suggestions=3)
    opening = asked(kept, ODD).replies[0]
    answer = f'{ODD} I have no wish about "genres".'
    first = asked(kept, ODD, opening, answer)
    assert first.replies == asked(fresh, ODD, opening, answer).replies
    assert first.items[0, 0] % 2 == 1
    named = first.items[:1]
    said = (ODD, opening, answer, first.replies[0], "No, that does not suit me.")
    again = [asked(each, *said, users=(0,), shown=named) for each in (kept, fresh, system_of(suggestions=3))]
    assert again[0].replies == again[1].replies == again[2].replies
    assert again[0].items[0, 0] not in (NO_ITEM, named[0, 0])


def test_a_page_without_words_is_refused():
    with pytest.raises(ConfigError, match="environment: conversation"):
        asyncio.run(system_of().rank(toy_request(checkerboard(), np.arange(2), 5)))


def test_nothing_may_be_around_it(tmp_path):
    from groundlings.recommenders.registry import check_presenting

    context = RecommenderContext(toy_catalog(), tuple("ab"), tmp_path)
    ruled = build_recommender("ruled", {"of": {"recommender": "chat"}, "rules": []}, context)
    with pytest.raises(ConfigError, match="would lose what it says"):
        check_presenting(ruled, "arms[0]")


def test_wrong_options_are_named():
    with pytest.raises(ConfigError, match="no conversing recommender 'askin'"):
        ChatRecommender("askin")
    with pytest.raises(ConfigError, match=r"questions\[0\]: found 'colour'"):
        system_of(questions=("colour",))
    moves = asked(system_of(questions=("genres",)), "Hello.").replies
    from groundlings.environments.conversation.attributes import Attributes

    assert read_move(moves[0], Attributes.of_catalog(toy_catalog())).fields == ("genres",)
