from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import Sampling
from groundlings.environments.decision import checked
from groundlings.environments.errors import ProviderError, UnanswerablePrompt, UnreadableReply
from groundlings.environments.feed import feed_actions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.split import split_history
from groundlings.personas.mind import PageTurn, Situation
from groundlings.personas.minds.language.mind import LanguageMind, LanguageOptions
from groundlings.personas.minds.language.reply_schema import read_reply, reply_schema
from groundlings.personas.minds.language.text import item_line, one_line
from groundlings.personas.population import build_population
from groundlings.personas.prompts import load_prompt, worded_prompt
from groundlings.simulator.language.scripted import ScriptedModel, count_tokens, legal_reply

STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
LEGAL = '{"open":{"2":4},"feel":"curious","satisfaction":7,"next":true}'

# A text may change only together with its version: past logs say "verdict-1" and must mean one text by it.
KNOWN_PROMPTS = {
    "agent-1": "1d6e3e470ff01c8a3805e32ecd370f1b7952f8753fd53c1987e1e9ba84eefd38",
    "verdict-1": "590cd007894aa985d3aac537a2a05cefd3ba887b06329675acd8638bf99e954d",
    "graded-1": "77c9ad98cff1897eed5c9c71fa459d119a35b6791bc0de0920456f1be9220895",
    "reflection-1": "074d6dbddbe350ddb9502e1202ff272147682cfbdd0c5a7d18b1bde0bb9a337d",
    "plain-1": "e19490e5dbc18ca55945f1cf51fbad950296b12f738dea3b5aa1d6d268266f5e",
    "story-1": "3ad36fefd85316f5ecbdf83a23790674ecd37587a75148d6e33c3b2114af518b",
    "interview-1": "c9fd5632c8654ef29ec9052cb516e7fad24300cbe3e6c29fc6e90c6ed88faae9",
    "talk-1": "2a65856f6443285e47760fccd75c3a658fdc4791324c037f0df79a63e555ccf4",
    "social-2": "d278bdcbc8e1f3af404a5523d28507d4aa7f98063af46c5aace1067936c488ab",
    "latest-1": "cc75c80f826a059d0d377f5077e8e0cd170dd4ac7305fca848da59acea5e1479",
    "popularity-1": "e2e3773d79187e5643d396d147eb6ff39c5e8aa3a7a58cae75c312d729cecc8f",
    "noted-1": "0c0980e804df305028fd6c96648ac2fc79353ac26e36ac11bb988426260b9c86",
}


@pytest.fixture
def population(three_people):
    split = split_history(three_people.interactions, "per_user_temporal", 0.01)
    return build_population(three_people, split.train, size="all", seed=1)


def situation(population, items=(0, 1, 2, 3), *, agent=0, number=1, go=True, stars=STARS, day=0, earlier=(), root=7):
    agents = np.array([agent])
    sessions = Sessions(agents, population.users[agents], day, Draws.for_sessions(root, agents, day))
    page = Page(number, (number - 1) * len(items), np.array([items], dtype=np.int32))
    return Situation(sessions, page, feed_actions(stars, np.array([go])), np.arange(1), earlier)


def mind_of(population, replies, **options):
    model = ScriptedModel(replies)
    return LanguageMind(population, model, LanguageOptions(**options), Sampling(0.7, 99)), model


def decide(mind, asked):
    return asyncio.run(mind.decide(asked))


def after_check(decision, asked):
    return checked(decision, asked.page, asked.legal)


def prompt_of(model, place=-1):
    return "\n".join(message.content for message in model.requests[place].messages)


def test_a_legal_reply_becomes_its_decision(population):
    mind, _model = mind_of(population, [LEGAL])
    asked = situation(population)
    decision = decide(mind, asked)
    assert decision["click"].tolist() == [[False, True, False, False]]
    assert decision["rate"][0, 1] == 4
    assert np.isnan(decision["rate"]).sum() == 3
    assert (decision["next_page"][0], decision["satisfaction"][0], decision.trace.feelings) == (True, 7, ("curious",))
    assert after_check(decision, asked).illegal == ()
    (call,) = decision.trace.calls
    assert (call.status, call.template, call.prompt_hash) == (
        "ok",
        "verdict-1+agent-1",
        load_prompt("verdict", "agent").sha256,
    )
    assert (call.request.temperature, call.request.max_tokens) == (0.7, 99)
    assert call.reply.text == LEGAL


@pytest.mark.parametrize(
    ("reply", "illegal"),
    [
        ('{"open":{"9":4},"feel":"bored","satisfaction":7,"next":false}', {"slots 0 to 3"}),
        ('{"open":{"0":4},"feel":"bored","satisfaction":7,"next":false}', {"slots 0 to 3"}),
        ('{"open":{"2":7},"feel":"bored","satisfaction":7,"next":false}', {"stars are"}),
        ('{"open":{"4":3},"feel":"bored","satisfaction":7,"next":false}', {"empty", "only an opened"}),
        ('{"open":{},"feel":"bored","satisfaction":11,"next":false}', {"1 to 10"}),
        ('{"open":{},"feel":"bored","satisfaction":5,"next":true}', {"no next page"}),
    ],
)
def test_what_the_page_does_not_offer_is_readable_and_refused_by_the_site(population, reply, illegal):
    asked = situation(population, (0, 1, 2, -1), go=False)
    mind, model = mind_of(population, [reply])
    decision = decide(mind, asked)
    assert not decision.unreadable[0]
    assert len(model.requests) == 1
    reasons = {each.reason for each in after_check(decision, asked).illegal}
    assert all(any(part in reason for reason in reasons) for part in illegal)


def test_an_unreadable_reply_is_asked_for_once_more_with_its_error(population):
    mind, model = mind_of(population, ["I would watch Beta!", LEGAL])
    decision = decide(mind, situation(population))
    assert [call.status for call in decision.trace.calls] == ["reasked", "ok"]
    assert decision["click"][0, 1]
    first, second = model.requests
    assert second.messages[:2] == first.messages
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].content == "I would watch Beta!"
    assert "it is not JSON" in second.messages[3].content
    assert first.seed != second.seed


def test_a_page_that_stays_unreadable_is_lost_and_nothing_is_made_up(population):
    mind, _model = mind_of(population, ["no", "still no", LEGAL])
    decision = decide(mind, situation(population))
    assert [call.status for call in decision.trace.calls] == ["reasked", "unreadable"]
    assert decision.unreadable.tolist() == [True]
    assert not decision["click"].any()
    assert np.isnan(decision["rate"]).all()
    assert not decision["next_page"].any()
    assert np.isnan(decision["satisfaction"]).all()


@pytest.mark.parametrize("before", [[], ["no"]])
def test_a_refused_question_is_not_asked_again_and_loses_the_page(population, before):
    mind, model = mind_of(population, before)
    asked, say = model.ask, iter(before)

    async def refusing(request):
        if next(say, None) is None:
            raise UnanswerablePrompt("refused", what="flagged for violence", attempts=2)
        return await asked(request)

    model.ask = refusing
    decision = decide(mind, situation(population))
    assert [call.status for call in decision.trace.calls] == [*["reasked"] * len(before), "unanswerable"]
    assert decision.unanswerable == ("flagged for violence",)
    assert decision.unreadable.tolist() == [True]
    assert not decision["click"].any()


def test_a_provider_that_fails_is_no_unreadable_reply(population):
    mind, _ = mind_of(population, [])
    with pytest.raises(ProviderError):
        decide(mind, situation(population))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        LEGAL[:-1],
        LEGAL + LEGAL,
        "Sure! " + LEGAL,
        LEGAL.replace('"2":4', '"two":4'),
        LEGAL.replace('"2":4', '"2":"4"'),
        LEGAL.replace('"2":4', '"2":true'),
        LEGAL.replace('"2":4', '"2":NaN'),
        LEGAL.replace('"2":4', '"2":4,"2":5'),
        LEGAL.replace('"2":4', '"٢":4'),
        LEGAL.replace('{"2":4}', "[[2,4]]"),
        LEGAL.replace('{"2":4}', "[2]"),
        LEGAL.replace("7", "7.5"),
        LEGAL.replace("7", "9" * 400),
        LEGAL.replace("7", "-" + "9" * 400),
        LEGAL.replace("7", "1e400"),
        LEGAL.replace("7", '"7"'),
        LEGAL.replace("7", "true"),
        LEGAL.replace("true", "1"),
        LEGAL.replace(',"next":true', ""),
        LEGAL.replace("curious", "\\ud800"),
        LEGAL.replace("curious", "a\\nb"),
        LEGAL.replace("curious", "x" * 200),
        LEGAL.replace("}", ',"why":"it is good"}'),
        LEGAL[:-1] + ',"why":{"2":"it is good"}}',
        LEGAL.replace('"2":4', '"2":null'),
        "[" * 100_000,
    ],
)
def test_another_shape_is_unreadable(text):
    with pytest.raises(UnreadableReply) as caught:
        read_reply(text, takes_stars=True, may_go_on=True)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        LEGAL,
        LEGAL.replace("7", "7.0"),
        LEGAL.replace("4", "4.0"),
        f"\n {LEGAL}\n",
        f"```json\n{LEGAL}\n```",
        json.dumps(json.loads(LEGAL), indent=2),
    ],
)
def test_white_space_one_fence_and_decimals_of_whole_numbers_are_no_part_of_a_reply(text):
    reply = read_reply(text, takes_stars=True, may_go_on=True)
    assert (reply.open, reply.feel, reply.satisfaction, reply.next) == ({"2": 4}, "curious", 7, True)


@given(
    shown=st.lists(st.booleans(), min_size=1, max_size=8).filter(any),
    stars=st.sampled_from([STARS, tuple(n / 2 for n in range(1, 11)), ()]),
    go=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_reply_that_the_schema_allows_is_read_and_legal(toy_population, shown, stars, go, seed):
    """Schema, parser and the site's check are held together here."""
    items = tuple(place if is_shown else -1 for place, is_shown in enumerate(shown))
    asked = situation(toy_population, items, go=go, stars=stars, root=seed)
    mind, model = mind_of(toy_population, legal_reply)
    decision = decide(mind, asked)
    assert not decision.unreadable.any()
    assert len(model.requests) == 1
    assert after_check(decision, asked).illegal == ()
    said = json.loads(decision.trace.calls[0].reply.text)
    assert sorted(int(slot) - 1 for slot in said["open"]) == np.flatnonzero(decision["click"][0]).tolist()
    assert ("next" in said) == go


@given(st.text(max_size=60), st.integers(0, 2**32))
def test_no_reply_whatever_makes_a_mind_fail(toy_population, text, seed):
    broken = list(LEGAL)
    rng = random.Random(seed)
    for _ in range(rng.randint(0, 4)):
        broken[rng.randrange(len(broken))] = rng.choice('{}[]",:0123456789xé\\')
    for reply in (text, "".join(broken)):
        asked = situation(toy_population)
        decision = decide(mind_of(toy_population, [reply, reply])[0], asked)
        result = after_check(decision, asked).decision
        assert not (result.unreadable.any() and (result["click"].any() or result["next_page"].any()))


def test_the_schema_names_what_is_shown_and_legal():
    schema = reply_schema([1, 3], (1.0, 1.5), may_go_on=False, feelings=("fine", "bored"))
    assert schema["properties"]["open"]["properties"] == {"1": {"enum": [1, 1.5]}, "3": {"enum": [1, 1.5]}}
    assert schema["required"] == ["open", "feel", "satisfaction"]


def test_a_prompt_goes_from_what_all_share_to_what_one_page_has(population):
    mind, model = mind_of(population, [LEGAL] * 3)
    decide(mind, situation(population, agent=0))
    decide(mind, situation(population, agent=1))
    assert model.requests[0].messages[0] == model.requests[1].messages[0]
    told = model.requests[0].messages[1].content
    order = [
        told.index(part) for part in ("You liked Alpha; Beta", "<page>", "1. Alpha (1991), Drama", "4. Delta (1994)")
    ]
    assert order == sorted(order)
    assert "Gamma" in told[: told.index("<page>")], "what a person dislikes is part of them"
    assert "30" not in told, "demographics stay out unless asked for"
    decide(mind_of(population, [LEGAL], demographics=True)[0], situation(population))
    assert "age 30" in prompt_of(_last_model(population), 0)


def _last_model(population):
    mind, model = mind_of(population, [LEGAL], demographics=True)
    decide(mind, situation(population))
    return model


def test_the_prompt_of_a_page_is_short(toy_population):
    mind, model = mind_of(toy_population, legal_reply)
    for agent in range(20):
        decide(mind, situation(toy_population, agent=agent))
    assert max(sum(count_tokens(message.content) for message in request.messages) for request in model.requests) <= 350


def test_seeds_depend_on_who_when_and_which_page_and_on_nothing_else(toy_population):
    def seed(**options):
        items = options.pop("items", (0, 1, 2, 3))
        mind, model = mind_of(toy_population, legal_reply)
        decide(mind, situation(toy_population, items, **options))
        return model.requests[0].seed

    base = seed()
    assert seed() == seed(items=(7, 8)) == base
    assert len({base, seed(agent=1), seed(day=1), seed(number=2), seed(root=8)}) == 5
    assert 0 <= base < 2**31


def _turn(asked, decision):
    return PageTurn(np.array([0]), asked.page, after_check(decision, asked).decision)


def test_earlier_pages_of_the_session_are_told_and_bounded(population):
    mind, model = mind_of(population, lambda request: LEGAL, memory={"pages": 2})
    earlier = ()
    for number in range(1, 6):
        asked = situation(population, number=number, earlier=earlier)
        earlier = (*earlier, _turn(asked, decide(mind, asked)))
    told = model.requests[-1].messages[1].content
    assert "Page 4: opened Beta (4 stars); felt curious; satisfaction 7 of 10." in told
    assert "Page 3:" in told
    assert "Page 2:" not in told
    assert "Pages 1 to 2: opened 2 of 8." in told
    assert "visit so far" not in model.requests[0].messages[1].content


def lived(mind, model_day):
    """One session of one page: what was asked, and what the mind is left with."""
    decision = decide(mind, model_day)
    after = asyncio.run(mind.look_back(model_day.sessions, (_turn(model_day, decision),)))
    mind.remember(after.memories)
    return decision, after


def test_earlier_sessions_come_back_in_a_bounded_number_of_lines(population):
    mind, model = mind_of(population, lambda request: LEGAL, memory={"recalled": 3}, reflection={"every": 0})
    for day in range(10):
        lived(mind, situation(population, day=day))
    decide(mind, situation(population, day=10))
    told = prompt_of(model)
    assert "today being day 11" in told
    assert "Day 10: 1 page; opened Beta (4 stars), mostly Drama; curious at the end." in told
    assert told.count("\nDay ") == 3
    decide(mind, situation(population, agent=1))
    assert "Day " not in prompt_of(model), "nobody remembers another's sessions"


def test_an_unreadable_page_leaves_no_memory(population):
    mind, model = mind_of(population, ["no", "no", LEGAL])
    _, after = lived(mind, situation(population))
    assert after.memories == ()
    decide(mind, situation(population, day=1))
    assert "Day" not in prompt_of(model)


@given(st.text(), st.integers(1, 80))
def test_shown_text_is_one_clean_bounded_line(text, most):
    shown = one_line(text, most)
    assert len(shown) <= most
    assert shown == shown.strip()
    assert not set("<>`\n\r\x00") & set(shown)
    assert one_line(shown, most) == shown


def test_an_item_is_shown_with_what_is_known_of_it(population):
    assert item_line(population.catalog[1], 80, 80) == "Beta (1992), Drama/War"
    assert item_line(population.catalog[2], 80, 80) == "Gamma, Comedy"
    assert item_line(replace(population.catalog[3], text="A long walk."), 80, 6) == "Delta (1994): A lon…"


def test_a_mind_says_what_it_is(population):
    mind, _ = mind_of(population, [], memory={"recalled": 1})
    said = mind.describe()
    assert json.loads(json.dumps(said)) == said
    assert (said["kind"], said["model"]) == ("language", "scripted")
    assert said["options"]["memory"]["recalled"] == 1
    assert said["prompts"]["verdict-1+agent-1"] == load_prompt("verdict", "agent").sha256
    assert "reflection-1+agent-1" in said["prompts"]
    assert "interview-1+agent-1" not in said["prompts"], "nobody is interviewed unless questions are given"


@pytest.mark.parametrize("name", [name.rpartition("-")[0] for name in KNOWN_PROMPTS])
def test_a_changed_prompt_has_a_new_version(name):
    prompt = load_prompt(name)
    assert KNOWN_PROMPTS.get(prompt.name) == prompt.sha256, f"raise `version` in {name}.md and note the new hash here"


@pytest.mark.parametrize("wording", ["plain", "story"])
@pytest.mark.parametrize("kind", ["verdict", "graded"])
def test_other_words_ask_for_the_same_with_the_same_values(wording, kind):
    known, other = load_prompt(kind, "agent"), worded_prompt(wording, kind, "agent")
    assert worded_prompt("standard", kind, "agent") == known
    assert set(other.sections) == set(known.sections)
    for name, text in known.sections.items():
        assert set(other.sections[name].get_identifiers()) == set(text.get_identifiers()), name
    assert other.sections["shared"].template != known.sections["shared"].template
    assert (other.name, other.sha256 != known.sha256) == (f"{kind}-1+agent-1+{wording}-1", True)
