"""The shipped conversing recommenders, in small conversations."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.conversation.attributes import Requirement
from groundlings.environments.conversation.messages import NO_WISH, REFUSAL, Briefing, named, read_move
from groundlings.environments.conversation.wording import sentence
from groundlings.recommenders.conversation.contract import ChatSystemContract, ToyTools, toy_attributes, toy_briefing
from groundlings.recommenders.conversation.registry import CHAT_SYSTEMS

DAIRY = Requirement("department", "==", "dairy")
CHEAP = Requirement("price", "<=", 2.0)


def built(name):
    return CHAT_SYSTEMS.load(name, at="system")()


class TestRandom(ChatSystemContract):
    def build(self):
        return built("random")


class TestPopularity(ChatSystemContract):
    def build(self):
        return built("popularity")

    def test_the_most_popular_comes_first_whatever_is_said(self):
        assert self.moves(toy_briefing(), sentence([DAIRY]), [])[0].item == "i7"


class TestListening(ChatSystemContract):
    def build(self):
        return built("listening")

    def test_what_is_said_holds_for_everything_it_names(self):
        items = {move.item for move in self.moves(toy_briefing(9), sentence([DAIRY]), []) if move.item}
        assert items == {"i0", "i2", "i4", "i6"}

    def test_nothing_that_the_user_has_had_is_named(self):
        briefing = toy_briefing(9, had=frozenset({"i0", "i4"}))
        assert {move.item for move in self.moves(briefing, sentence([DAIRY]), []) if move.item} == {"i2", "i6"}

    def test_it_abstains_where_nothing_is_left(self):
        nothing = sentence([DAIRY, Requirement("price", ">=", 8.0)])
        assert [move.kind for move in self.moves(toy_briefing(9), nothing, [])] == ["abstain"]


class TestAsking(ChatSystemContract):
    def build(self):
        return built("asking")

    def test_it_asks_about_every_field_first_and_again_about_what_was_not_answered(self):
        system = self.build()
        system.begin(toy_briefing())
        first = read_move(system.reply(sentence([CHEAP])), toy_attributes())
        assert first.fields == ("department", "price", "labels")  # a price was said, perhaps not all about it
        second = read_move(system.reply(named(NO_WISH, "department")), toy_attributes())
        assert second.fields == ("price", "labels")


class TestAskingPopular(ChatSystemContract):
    def build(self):
        return built("asking_popular")

    def test_of_what_fits_the_most_popular_comes_first(self):
        asked, named_first = self.moves(toy_briefing(), sentence([DAIRY]), [])
        assert (asked.kind, named_first.item) == ("ask", "i6")


class TestElimination(ChatSystemContract):
    def build(self):
        return built("elimination")

    def test_earlier_users_decide_what_it_names_first(self):
        shelf = toy_attributes()
        heard = ((Requirement("price", ">=", 6.0),),) * 20
        for seed in range(5):
            chance = np.random.default_rng(seed)
            briefing = Briefing(shelf, np.zeros(8), tuple(shelf.fields), 0, ToyTools(), chance, heard)
            assert self.moves(briefing, sentence([DAIRY]), [])[-1].item == "i6"  # the dairy item that costs 6 or more

    def test_a_refusal_with_a_reason_rules_out_what_is_alike_in_that_field(self):
        shelf, found = toy_attributes(), set()
        for seed in range(5):
            system = self.build()
            system.begin(toy_briefing(5, seed=seed))
            asked = read_move(system.reply("I am looking for something."), shelf)
            first = read_move(system.reply(" ".join(named(NO_WISH, field) for field in asked.fields)), shelf)
            second = read_move(system.reply(f"{REFUSAL} {named('The reason is', 'department')}"), shelf)
            found.add(shelf.rows[first.item] % 2 == shelf.rows[second.item] % 2)
        assert found == {False}


def test_an_unknown_system_is_named_with_those_there_are():
    with pytest.raises(Exception, match="elimination"):
        CHAT_SYSTEMS.load("eliminate", at="system")
