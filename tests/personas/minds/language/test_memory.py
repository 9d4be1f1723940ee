"""What agents keep, what comes back to them, and that neither outgrows its bounds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError
from groundlings.personas.memory import Memory, MemoryOptions, MemoryStore
from groundlings.personas.memory_relevance import LexicalEmbedder, load_embedder
from groundlings.personas.minds.language.lines import MEMORY_CHARACTERS
from groundlings.simulator.language.scripted import count_tokens, legal_reply

PROMPT_BUDGET_TOKENS = 700
"""A page of four items, memory and mood included; the figure that docs/language-agents.md promises."""


def kept(*memories: tuple[int, str, float], kind="visit") -> list[Memory]:
    return [Memory(0, day, kind, text, importance) for day, text, importance in memories]


def store_of(memories, **options) -> MemoryStore:
    store = MemoryStore(MemoryOptions(**options))
    for memory in memories:
        store.add(memory)
    return store


def test_the_score_is_the_sum_of_three_criteria_brought_to_one_scale():
    memories = kept((0, "Western Western", 1.0), (9, "Horror", 10.0), (10, "Drama", 4.0))
    scores = store_of([]).scores(memories, day=10, occasion="a Western")
    decay = 0.995 ** (24 * np.array([10, 1, 0]))
    recency = (decay - decay.min()) / (decay.max() - decay.min())
    np.testing.assert_allclose(scores, recency + np.array([1, 0, 0]) + np.array([0, 1, 1 / 3]))


@pytest.mark.parametrize(
    ("weight", "expected"), [("recency", "Drama"), ("relevance", "Western"), ("importance", "Horror")]
)
def test_each_criterion_can_decide_alone(weight, expected):
    memories = kept((0, "Western", 1.0), (5, "Horror", 10.0), (9, "Drama", 4.0))
    weights = {"recency": 0.0, "relevance": 0.0, "importance": 0.0, weight: 1.0}
    (recalled,) = store_of(memories, recalled=1, **weights).recall(0, 10, "an old Western")
    assert recalled.text == expected


def test_recalling_is_in_the_order_of_days_within_the_budget_and_changes_nothing():
    memories = kept(*((day, f"day {day} " + "x" * 90, 5.0) for day in range(8)))
    store = store_of(memories, recalled=5, characters=300)
    recalled = store.recall(0, 8, "x")
    assert [memory.day for memory in recalled] == [5, 6, 7]
    assert store.recall(0, 8, "x") == recalled
    assert store.kept(0) == tuple(memories)
    assert store.recall(1, 8, "x") == ()


def test_a_reflection_takes_the_place_of_the_sessions_it_was_made_of():
    store = store_of(kept((0, "one", 5), (1, "two", 5)))
    store.add(Memory(0, 1, "reflection", "both", 7.0))
    store.add(Memory(0, 2, "visit", "three", 5.0))
    assert [memory.text for memory in store.kept(0)] == ["both", "three"]


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=200), st.floats(1, 10)), max_size=40), st.text())
def test_no_memory_makes_a_prompt_longer_than_its_budget(told, occasion):
    store = MemoryStore(MemoryOptions(capacity=10, recalled=4, characters=250))
    for day, (agent, text, importance) in enumerate(told):
        store.add(Memory(agent, day, "visit", text, importance))
    for agent in range(4):
        assert len(store.kept(agent)) <= 10
        recalled = store.recall(agent, len(told), occasion)
        assert len(recalled) <= 4
        assert sum(len(memory.text) for memory in recalled) <= 250


@given(st.lists(st.text(max_size=80), min_size=1, max_size=6))
def test_lexical_vectors_have_length_one_or_nought(texts):
    lengths = np.linalg.norm(LexicalEmbedder().embed(texts), axis=1)
    assert np.all(np.isclose(lengths, 1) | (lengths == 0))


def test_an_embedder_is_named_by_module_and_class():
    assert isinstance(load_embedder("groundlings.personas.memory_relevance:LexicalEmbedder"), LexicalEmbedder)
    for wrong in ("nowhere.at_all:Class", "groundlings.personas.memory_relevance:Absent", "json:JSONDecoder", "json"):
        with pytest.raises(ConfigError, match=r"memory\.embedder"):
            load_embedder(wrong)


@pytest.mark.parametrize("options", [{}, {"reflection": {"every": 0}}, {"reflection": {"every": 1}}])
def test_a_hundred_sessions_do_not_outgrow_the_prompt_budget(language, toy_population, options):
    world = language(toy_population)

    def talkative(request):
        reply = json.loads(legal_reply(request))
        if "thought" in reply:
            reply["thought"] = "x" * 160
        return json.dumps(reply)

    mind, model = world.mind(talkative, memory={"recalled": 5, "characters": 600}, **options)
    longest = []
    for day in range(100):
        asked = len(model.requests)
        world.session(mind, pages=5, first=3 * day, day=day)
        prompts = [request for request in model.requests[asked:] if "open" in request.reply_schema["properties"]]
        longest.append(max(count_tokens(world.prompt(request)) for request in prompts))
    assert max(longest) <= PROMPT_BUDGET_TOKENS
    assert max(longest[50:]) <= max(longest[5:50]) + 40, "the second half is no longer than the first"


def test_a_session_leaves_a_bounded_line_of_what_mattered(language, population_of_three):
    world = language(population_of_three)
    mind, _ = world.mind(['{"open":{"2":5,"1":1},"feel":"delighted","satisfaction":10,"next":false}'])
    _, after = world.session(mind)
    (memory,) = after.memories
    assert memory.text == "1 page; opened Beta (5 stars), Alpha (1 star), mostly Drama; delighted at the end."
    assert memory.importance == 10
    assert len(memory.text) <= MEMORY_CHARACTERS


def test_what_comes_back_stays_for_the_session_so_that_prompts_begin_alike(language, toy_population):
    world = language(toy_population)
    mind, model = world.mind(legal_reply, reflection={"every": 0})
    for day in range(6):
        world.session(mind, first=9 * day, day=day)
    model.requests.clear()
    world.session(mind, pages=3, first=2, day=7)
    told = [world.prompt(request).split("\nThis visit so far")[0].split("\nYou are ")[0] for request in model.requests]
    assert "You remember of earlier visits" in told[0]
    assert len(set(told)) == 1
