"""Language agents in cohorts: each is asked what it would be asked alone, and what it says stays its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.decision import checked
from groundlings.environments.errors import ProviderError
from groundlings.personas.contract import MindContract, take
from groundlings.personas.mind import PageTurn
from groundlings.personas.minds.language.mind import LanguageMind, LanguageOptions
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply


@pytest.fixture
def mind_of(toy_population):
    """`mind_of(size, rule, **options)`: a mind in cohorts of a size, and the model that it asks."""

    def made(size, rule=legal_reply, **options):
        model = ScriptedModel(rule)
        mind = LanguageMind(toy_population, model, LanguageOptions(**options), Sampling(0.7, 99), cohort_size=size)
        return mind, model

    return made


class TestLanguageMindInCohorts(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, mind_of):
        self.make_mind = lambda: mind_of(5)[0]


class TestGradedMindInCohorts(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, mind_of):
        self.make_mind = lambda: mind_of(5, decision="graded")[0]


def some_are_lost(request):
    """Every third question has no reply that could be read."""
    return "?" if request.seed % 3 == 0 else legal_reply(request)


def session_of(mind, situation):
    """Two pages of everybody, the second the first once more, and what stays of them."""
    turns, decisions = (), []
    for number in (1, 2):
        page = replace(situation.page, number=number)
        decisions.append(asyncio.run(mind.decide(replace(situation, page=page, turns=turns))))
        done = checked(decisions[-1], page, situation.legal).decision
        turns = (*turns, PageTurn(situation.rows, page, done))
    return decisions, asyncio.run(mind.look_back(situation.sessions, turns))


@pytest.mark.parametrize("decision", ["verdict", "graded"])
def test_a_cohort_is_its_sessions_one_by_one_with_their_words_calls_and_memories(mind_of, decision):
    options = {
        "decision": decision,
        "reasons": decision == "verdict",
        "interview": {"questions": ["What was missing?"]},
    }
    whole, _ = mind_of(12, some_are_lost, **options)
    situation = MindContract().situation()
    decisions, after = session_of(whole, situation)
    lost = 0
    for row in range(12):
        single, _ = mind_of(1, some_are_lost, **options)
        alone, own = session_of(single, replace(take(situation, np.array([row])), rows=np.array([0])))
        for mine, all_of_them in zip(alone, decisions, strict=True):
            lost += int(mine.unreadable[0])
            assert mine.unreadable[0] == all_of_them.unreadable[row]
            for name in mine.actions.schema.names:
                assert np.array_equal(mine[name][0], all_of_them[name][row], equal_nan=mine[name].dtype.kind == "f")
            trace, theirs = mine.trace, all_of_them.trace
            assert (trace.feelings or (None,))[0] == (theirs.feelings or (None,) * 12)[row]
            assert trace.moods == theirs.moods[row : row + 1]
            assert [each.text for each in trace.remarks] == [each.text for each in theirs.remarks if each.row == row]
            assert [call.request for call in trace.calls] == [call.request for call in theirs.calls if call.row == row]
        assert [each for each in after.memories if each.agent == row] == list(own.memories)
        answers = [each for each in after.answers if each.row == row]
        assert [each.answer for each in answers] == [each.answer for each in own.answers]
        assert all(after.calls[each.call].row == row for each in answers)
    assert 0 < lost < 24


def test_a_session_that_ended_earlier_remembers_its_own_pages(mind_of):
    mind, _ = mind_of(12)
    situation, stayed = MindContract().situation(), np.arange(0, 12, 2)
    turns = ()
    for number, rows in ((1, np.arange(12)), (2, stayed)):
        here = take(situation, rows)
        here = replace(here, page=replace(here.page, number=number), rows=rows, turns=turns)
        done = checked(asyncio.run(mind.decide(here)), here.page, here.legal).decision
        turns = (*turns, PageTurn(rows, here.page, done))
    after = asyncio.run(mind.look_back(situation.sessions, turns))
    assert [each.agent for each in after.memories] == situation.sessions.agents.tolist()
    assert [int(each.text.split()[0]) for each in after.memories] == [2, 1] * 6


class Failing:
    """A model of which the first question fails, and the others are answered when `goes_on` is set."""

    name = "failing"

    def __init__(self):
        self.goes_on = asyncio.Event()
        self.asked = self.answered = 0

    async def ask(self, request):
        self.asked += 1
        if self.asked == 1:
            raise ProviderError("the server is gone")
        await self.goes_on.wait()
        self.answered += 1
        return await ScriptedModel(legal_reply).ask(request)


def test_where_one_session_fails_the_others_of_its_cohort_are_ended(mind_of):
    mind, _ = mind_of(12)

    async def answered():
        model = Failing()
        mind.ask_through(model)
        with pytest.raises(ProviderError, match="gone"):
            await mind.decide(MindContract().situation())
        model.goes_on.set()
        await asyncio.sleep(0.001)
        return model.asked, model.answered

    assert asyncio.run(answered()) == (12, 0)
