import asyncio

import numpy as np
import pytest

from groundlings.environments.decision import Decision, checked
from groundlings.environments.feed import feed_actions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.contract import MindContract
from groundlings.personas.mind import Situation
from groundlings.personas.minds.scripted import ScriptedMind, ScriptedOptions


class TestScriptedMind(MindContract):
    def make_mind(self):
        return ScriptedMind(ScriptedOptions(click=(0, 3), stars=4, pages=2, satisfaction=6))


class TestScriptedByARule(MindContract):
    def make_mind(self):
        return ScriptedMind(rule=lambda situation: Decision.of(situation.legal, situation.page))


def situation(number=1, may_go_on=True):
    agents = np.arange(6)
    return Situation(
        Sessions(agents, agents, 0, Draws.for_sessions(0, agents, 0)),
        Page(number, 0, np.tile(np.arange(3, dtype=np.int32), (6, 1))),
        feed_actions((1.0, 2.0, 3.0, 4.0, 5.0), np.full(6, may_go_on)),
        np.arange(6),
    )


def decide(number=1, may_go_on=True, **options):
    return asyncio.run(ScriptedMind(ScriptedOptions(**options)).decide(situation(number, may_go_on)))


def test_opens_rates_and_says_what_it_was_told():
    decision = decide(click=(0, 2, 99), stars=4, satisfaction=7)
    assert decision["click"].tolist() == [[True, False, True]] * 6
    assert np.array_equal(decision["rate"], np.tile([4, np.nan, 4], (6, 1)), equal_nan=True)
    assert np.all(decision["satisfaction"] == 7)


@pytest.mark.parametrize(("number", "goes_on"), [(1, True), (2, True), (3, False)])
def test_sees_as_many_pages_as_it_was_told(number, goes_on):
    assert np.all(decide(number, pages=3)["next_page"] == goes_on)


def test_misdeeds_are_taken_in_turn_and_noticed_by_the_site():
    asked = situation(may_go_on=False)
    mind = ScriptedMind(ScriptedOptions(misdeeds=("none", "illegal", "unreadable"), stars=5))
    decision = asyncio.run(mind.decide(asked))
    assert decision.unreadable.tolist() == [False, False, True] * 2
    assert not decision["click"][decision.unreadable].any()
    illegal = checked(decision, asked.page, asked.legal).illegal
    assert [(each.row, each.reason) for each in illegal] == [
        (row, reason) for row in (1, 4) for reason in ("the page has slots 0 to 2", "there is no next page")
    ]
