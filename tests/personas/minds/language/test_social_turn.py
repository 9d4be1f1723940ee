"""What a language agent is asked before a site, what it says to whom, and what those remember of it."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import checked
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.social_turns import SocialTurns, Told
from groundlings.environments.ties import Ties
from groundlings.personas.memory import Memory, MemoryOptions, MemoryStore
from groundlings.personas.mind import PageTurn, Shown, Situation
from groundlings.personas.minds.language.hearsay import Hearsay
from groundlings.personas.minds.language.mind import LanguageMind, LanguageOptions
from groundlings.personas.social.turn_options import LanguageTies
from groundlings.simulator.language.scripted import ScriptedModel

SITE = SocialTurns(PaginatedFeed(2, 2, RatingScale()))
VISIT, CHAT, POST = '{"do":"visit"}', '{"do":"chat 1"}', '{"do":"post"}'
SAY = '{"about":1,"say":"You would like it."}'


@pytest.fixture
def population(toy_population):
    return toy_population


@pytest.fixture
def mind_of(population, tmp_path):
    """Agents 0 and 1 know each other, and 1 and 2."""
    ids = population.people.user_ids
    (tmp_path / "ties.csv").write_text(f"user,friend\n{ids[0]},{ids[1]}\n{ids[1]},{ids[2]}\n")

    def made(replies, **options):
        model = ScriptedModel(replies)
        options = LanguageOptions.model_validate({"social": {"ties": "ties.csv", "turns": {}}, **options})
        return LanguageMind(population, model, options, Sampling(0.7, 99), tmp_path), model

    return made


def took(population, *rows):
    users, items, stars = (np.array(column) for column in zip(*rows, strict=True))
    train = population.train
    seconds = np.zeros(len(rows), dtype=np.int64)
    return Interactions.of(users, items, stars, seconds, n_users=train.n_users, n_items=train.n_items, synthetic=True)


def lived(mind, population, day, *rows, told=()):
    """A day passes in which agents take items: agent, item, stars."""
    mind.notice(day, took(population, *rows), Shown(*2 * (np.zeros(0, dtype=np.int64),)))
    mind.hear(day, told)


def turn(population, agent=0, day=1, root=7):
    agents = np.array([agent])
    sessions = Sessions(agents, population.users[agents], day, Draws.for_sessions(root, agents, day))

    async def observed():
        return await SITE.observe(await SITE.open(sessions, population.train.matrix[agents], None), None)

    seen = asyncio.run(observed())
    return Situation(sessions, seen.page, seen.legal, seen.rows)


def decided(mind, asked):
    decision = checked(asyncio.run(mind.decide(asked)), asked.page, asked.legal)
    assert decision.illegal == ()
    return decision.decision


def prompt_of(model, place=-1):
    return model.requests[place].messages[1].content


def test_who_enters_is_asked_once_and_says_nothing(mind_of, population):
    mind, model = mind_of([VISIT])
    decision = decided(mind, turn(population))
    assert decision["enter"].tolist() == [True]
    assert decision["say"].tolist() == [None]
    assert len(model.requests) == 1


def test_nothing_can_be_told_before_anything_was_taken_or_heard(mind_of, population):
    mind, model = mind_of([VISIT])
    decided(mind, turn(population, day=0))
    assert set(model.requests[0].reply_schema["properties"]["do"]["enum"]) == {"visit", "nothing"}
    assert "chat" not in prompt_of(model)


def test_what_can_be_done_stands_in_another_order_for_each(mind_of, population):
    mind, model = mind_of([VISIT] * 24)
    lived(mind, population, 0, (0, 3, 5.0))
    for root in range(24):
        decided(mind, turn(population, root=root))
    orders = [tuple(line.split(":")[0] for line in prompt_of(model, place).split("\n")[-5:-1]) for place in range(24)]
    assert {order[0] for order in orders} == {"visit", "chat N", "post", "nothing"}
    assert {frozenset(order) for order in orders} == {frozenset(orders[0])}


def test_a_chat_is_about_what_was_taken_and_reaches_one_friend_the_next_day(mind_of, population):
    ids, catalog = population.people.user_ids, population.catalog
    mind, model = mind_of([CHAT, SAY, VISIT])
    lived(mind, population, 0, (0, 3, 5.0))
    decision = decided(mind, turn(population))
    assert f"1. person {ids[1]}" in prompt_of(model, 0)
    assert f"1. {catalog.titles[3]}: you gave it 5 stars on day 1" in prompt_of(model, 1)
    told = Told.of(0, {name: decision[name][0] for name in ("post", "to", "about", "say")})
    assert told == Told(0, (ids[1],), catalog.item_ids[3], "You would like it.", posted=False)
    assert (decision["chat"][0], np.isnan(decision["post"][0])) == (1.0, True)

    lived(mind, population, 1, (2, 0, 3.0), told=[told])
    decided(mind, turn(population, agent=1, day=2))
    assert f"Day 2: person {ids[0]} told you of {catalog.titles[3]}: You would like it." in prompt_of(model)


def test_a_post_reaches_all_friends_and_can_be_passed_on_with_who_said_it(mind_of, population):
    ids, catalog = population.people.user_ids, population.catalog
    mind, model = mind_of([POST, SAY, CHAT, SAY])
    lived(mind, population, 0, (1, 2, np.nan))
    decision = decided(mind, turn(population, agent=1))
    assert json.loads(decision["to"][0]) == [ids[0], ids[2]]
    assert decision["post"][0] == 2.0
    (kept,) = asyncio.run(
        mind.look_back(turn(population, agent=1).sessions, (PageTurn(np.arange(1), turn(population).page, decision),))
    ).memories
    assert (kept.kind, kept.text) == (
        "said",
        f"You told all people you know of {catalog.titles[2]}: You would like it.",
    )

    lived(mind, population, 1, (1, 0, 3.0), told=[Told(1, (ids[0], ids[2]), catalog.item_ids[2], "Fine", posted=True)])
    decided(mind, turn(population, agent=2, day=2))
    assert f"1. {catalog.titles[2]}: person {ids[1]} told you of it on day 2" in prompt_of(model, -1)


def test_what_is_too_old_is_told_no_more(mind_of, population):
    mind, model = mind_of([VISIT, VISIT], social={"ties": "ties.csv", "days": 2, "turns": {}})
    lived(mind, population, 0, (0, 3, 5.0))
    for day, talks in ((2, True), (3, False)):
        decided(mind, turn(population, day=day))
        assert ("post" in model.requests[-1].reply_schema["properties"]["do"]["enum"]) is talks


def test_what_can_be_told_no_more_is_dropped_and_who_told_last_stays_known(population):
    users = population.users[:3]
    ties = Ties.of(users[[0, 0]], users[[1, 2]], population.train.n_users)
    hearsay = Hearsay(population, ties, 2, MemoryStore(MemoryOptions()), 40)
    names, item_ids = population.people.user_ids, population.catalog.item_ids
    for teller, day in ((1, 0), (2, 9), (1, 9), (2, 10)):
        hearsay.hear(day, [Told(teller, (names[users[0]],), item_ids[day], "x", posted=False)])
    assert [topic.item for topic in hearsay.topics(0, 0, 5)] == [10, 9]
    draws = Draws.for_sessions(7, np.array([0]), 11)
    assert hearsay.friends(0, draws, 5) == users[[2, 1]].tolist()


@pytest.mark.parametrize(
    "replies",
    [["soon"] * 2, ['{"do":"chat 9"}'] * 2, [CHAT, '{"about":2,"say":"x"}', '{"about":1,"say":" "}']],
    ids=["no JSON", "a stranger", "an item that was not offered, then no words"],
)
def test_a_turn_that_cannot_be_read_is_lost_and_nobody_hears_anything(mind_of, population, replies):
    mind, _ = mind_of(replies)
    lived(mind, population, 0, (0, 3, 5.0))
    decision = decided(mind, turn(population))
    assert decision.unreadable.tolist() == [True]
    assert decision["say"].tolist() == [None]
    assert [call.status for call in decision.trace.calls][-1] == "unreadable"
    assert len(decision.trace.calls) == len(replies)


def test_the_site_is_asked_about_as_without_a_turn(mind_of, population):
    """Same page, same words, same sampling seed: only what was said may make a difference."""
    reply = '{"open":{"1":4},"feel":"curious","satisfaction":7,"next":false}'
    (mind, model), (plain, alone) = mind_of([VISIT, reply]), mind_of([reply], social=None)

    def visited(site, asked_first):
        sessions = turn(population, day=0).sessions
        return asyncio.run(_visited(site, sessions, population, asked_first))

    visited(SITE, mind)
    visited(SITE.site, plain)
    assert model.requests[-1] == alone.requests[-1]


async def _visited(site, sessions, population, mind):
    from groundlings.environments.ranking import top_items

    async def rank(request):
        return top_items(-np.arange(float(population.train.n_items))[None], request)

    state, turns = await site.open(sessions, population.train.matrix[sessions.users], rank), ()
    while (seen := await site.observe(state, rank)) is not None:
        decision = await mind.decide(Situation(sessions, seen.page, seen.legal, seen.rows, turns))
        turns = (*turns, PageTurn(seen.rows, seen.page, decision))
        state = site.apply(state, seen, decision)


def test_mentions_by_chance_beside_turns_are_refused():
    with pytest.raises(ValueError, match=r"mention: found 0\.5 beside `turns`"):
        LanguageTies.model_validate({"ties": "t.csv", "mention": 0.5, "turns": {}})
    assert LanguageTies.model_validate({"ties": "t.csv", "turns": {}}).mention == 0
    assert LanguageTies.model_validate({"ties": "t.csv"}).mention == 1


def test_memories_come_back_the_same_in_whatever_order_they_were_handed_over():
    """A resumed run hands over all own memories first, and then what was heard, day by day."""
    own = [Memory(0, day, "visit", f"visit {day}", 5.0) for day in range(4)]
    heard = [Memory(0, day, "heard", f"heard {day}", 5.0) for day in range(3)]
    live, resumed = MemoryStore(MemoryOptions()), MemoryStore(MemoryOptions())
    for memory in sorted((*own, *heard), key=lambda each: (each.day, each.kind != "visit")):
        live.add(memory)
    for memory in (*own, *heard):
        resumed.add(memory)
    assert live.kept(0) == resumed.kept(0)
    assert live.recall(0, 4, "heard 1") == resumed.recall(0, 4, "heard 1")
