"""Reasons, optional stars, turned slots, thoughts and interviews."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from groundlings.environments.decision import checked
from groundlings.environments.trace import Remark
from groundlings.personas.minds.language.mind import LanguageOptions
from groundlings.simulator.language.scripted import legal_reply

REPLY = {"open": {"2": 4}, "feel": "curious", "satisfaction": 7, "next": True}


@pytest.fixture
def world(language, population_of_three):
    return language(population_of_three)


def said(**changes) -> str:
    order = ("open", "why", "feel", "satisfaction", "next")
    reply = {**REPLY, **changes}
    return json.dumps({key: reply[key] for key in order if key in reply})


def test_reasons_are_kept_for_what_was_opened_and_what_was_not(world):
    mind, model = world.mind([said(why={"2": "a war film", "3": "seen it"})], reasons=True)
    decision = world.decide(mind, world.situation())
    assert decision.trace.remarks == (Remark(0, 1, "reason", "a war film"), Remark(0, 2, "reason", "seen it"))
    assert '"why":{"NUMBER":TEXT}' in world.prompt(model.requests[0])
    assert decision["click"].tolist() == [[False, True, False, False]]


def test_a_reason_for_a_slot_that_is_not_there_is_refused_and_told(world):
    mind, _ = world.mind([said(why={"9": "hm"})], reasons=True)
    asked = world.situation()
    decision = world.decide(mind, asked)
    (offence,) = checked(decision, asked.page, asked.legal).illegal
    assert offence.said == "reason for 9"
    assert decision.trace.remarks == ()


@pytest.mark.parametrize("reply", [said(), said(why={"2": "x" * 61}), said(why={"two": "x"}), said(why={"2": "a\nb"})])
def test_reasons_of_another_shape_are_unreadable(world, reply):
    mind, _ = world.mind([reply, reply], reasons=True)
    assert world.decide(mind, world.situation()).unreadable[0]


def test_an_opened_item_may_go_without_stars_where_that_is_allowed(world):
    mind, model = world.mind([said(open={"1": None, "2": 3})], stars_optional=True)
    decision = world.decide(mind, world.situation())
    assert decision["click"].tolist() == [[True, True, False, False]]
    assert np.isnan(decision["rate"][0, 0])
    assert decision["rate"][0, 1] == 3
    assert "or null for none" in world.prompt(model.requests[0])


def test_turned_slots_are_read_back_to_their_own_places(language, toy_population):
    world = language(toy_population)
    displays = set()
    for day in range(12):
        mind, model = world.mind([said(open={"1": 5})], rotate_slots=True)
        decision = world.decide(mind, world.situation((5, 6, 7, -1), day=day))
        display = decision.trace.display[0].tolist()
        displays.add(tuple(display))
        assert sorted(display[:3]) == [0, 1, 2]
        assert display[3] == 3
        first = display.index(0)
        assert decision["click"][0].tolist() == [slot == first for slot in range(4)]
        titles = [toy_population.catalog.titles[item] for item in (5, 6, 7)]
        assert f"1. {titles[first]}" in world.prompt(model.requests[0])
    assert displays == {(0, 1, 2, 3), (2, 0, 1, 3), (1, 2, 0, 3)}


def test_slots_are_turned_alike_on_all_pages_of_a_session_and_not_at_all_by_default(language, toy_population):
    world = language(toy_population)
    mind, _ = world.mind(legal_reply, rotate_slots=True)
    decisions, _ = world.session(mind, pages=3)
    assert len({tuple(decision.trace.display[0]) for decision in decisions}) == 1
    plain, _ = world.mind(legal_reply)
    assert world.decide(plain, world.situation()).trace.display.tolist() == [[0, 1, 2, 3]]


def test_a_thought_is_asked_for_on_schedule_and_comes_back_as_one(world):
    def reply(request):
        thought = {"thought": "Too much war here.", "importance": 9}
        return json.dumps(thought) if "thought" in request.reply_schema["properties"] else said()

    mind, model = world.mind(reply, reflection={"every": 3})
    kinds = []
    for day in range(7):
        _, after = world.session(mind, day=day)
        kinds.append([memory.kind for memory in after.memories])
        assert len(after.calls) == (1 if day in (2, 5) else 0)
    assert kinds == [["visit"]] * 2 + [["visit", "reflection"]] + [["visit"]] * 2 + [["visit", "reflection"], ["visit"]]
    asked = [world.prompt(request) for request in model.requests if "thought" in request.reply_schema["properties"]]
    assert asked[0].count("1 page; opened Beta") == 3
    assert "Day 3 (a thought): Too much war here." in asked[1]
    world.session(mind, day=7)
    assert "Day 6 (a thought): Too much war here." in world.prompt(model.requests[-1])


def test_a_thought_that_cannot_be_read_is_none(world):
    mind, _ = world.mind([said(), "hm", "hm"], reflection={"every": 1})
    _, after = world.session(mind)
    assert [memory.kind for memory in after.memories] == ["visit"]
    assert [call.status for call in after.calls] == ["reasked", "unreadable"]


def test_a_mind_that_is_given_its_memories_goes_on_as_if_nothing_had_happened(language, toy_population):
    world = language(toy_population)
    first, model = world.mind(legal_reply, reflection={"every": 3})
    memories = []
    for day in range(8):
        _, after = world.session(first, pages=2, first=day, day=day)
        memories += after.memories
    again, other = world.mind(legal_reply, reflection={"every": 3})
    again.remember(memories)
    _, expected = world.session(first, pages=2, first=5, day=9)
    _, found = world.session(again, pages=2, first=5, day=9)
    assert found == expected
    assert other.requests == model.requests[-len(other.requests) :]


def test_an_interview_asks_the_same_agent_with_all_it_remembers(world):
    def reply(request):
        asked = request.reply_schema["properties"]
        return json.dumps({number: f"Answer {number}." for number in asked}) if "1" in asked else said()

    questions = ["What was missing?", "Would you come back?"]
    mind, model = world.mind(reply, interview={"questions": questions}, reflection={"every": 0})
    world.session(mind)
    _, after = world.session(mind, day=1)
    assert [(each.question, each.answer, each.call) for each in after.answers] == [
        (questions[0], "Answer 1.", 0), (questions[1], "Answer 2.", 0),
    ]  # fmt: skip
    told = world.prompt(model.requests[-1])
    for part in (
        "You liked Alpha",
        "Day 1: 1 page",
        "Page 1: opened Beta",
        "a little tired",
        "2. Would you come back?",
    ):
        assert part in told
    assert after.calls[0].template == "interview-1+agent-1"


def test_answers_that_cannot_be_read_are_none(world):
    mind, _ = world.mind([said(), '{"1":"yes"}', '{"1":7,"2":"x"}'], interview={"questions": ["a?", "b?"]})
    _, after = world.session(mind)
    assert [each.answer for each in after.answers] == [None, None]
    assert after.answers[0].call == 1


def test_a_session_without_a_readable_page_is_not_thought_over(world):
    mind, model = world.mind(["no", "no"], interview={"questions": ["a?"]})
    asked = world.situation()
    turn = world.turn(asked, world.decide(mind, asked))
    after = asyncio.run(mind.look_back(asked.sessions, (turn,)))
    assert (after.memories, after.answers, after.calls) == ((), (), ())
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"reflection": {"every": 0}}, 3 * 5),
        ({"reflection": {"every": 2}, "interview": {"questions": ["a?"]}}, 3 * 5 + 2 + 5),
        ({"reflection": {"every": 0}, "decision": "graded"}, 3 * 5 * (2 * 4 + 2)),
    ],
)
def test_no_session_takes_more_calls_than_was_said(language, toy_population, options, calls):
    world = language(toy_population)
    mind, model = world.mind(legal_reply, **options)
    assert LanguageOptions(**options).calls_at_most(sessions=5, pages=15, slots=4) == calls
    for day in range(5):
        world.session(mind, pages=3, first=day, day=day)
    assert len(model.requests) <= calls
    assert len(model.requests) == calls or options.get("decision") == "graded"
