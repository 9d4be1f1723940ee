"""The recommender `llm_chat` keeps the contract: one question a turn, grounded names, everything counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.chat import Sampling
from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import Move, read_move
from groundlings.environments.errors import BudgetExhausted, ConfigError, UnreadableReply
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import TOY_SIZE, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.llm_chat import LlmChat, read_turn, shown_in
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

SAMPLING = Sampling(0.7, 16)
HASHES = {"llm_chat-1": "018bf285d2c76eb05a0a8e54b8ba007aafddabc71862fc1f132294a4e4b11f93"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""
ODD = 'I want something where "genres" includes "Odd".'


def turn(do, what=""):
    return json.dumps({"do": do, "what": what})


def made(reply, **options):
    one = LlmChat(PopularRecommender(), ScriptedModel(lambda _: reply), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def ask(one, *dialogue, users=(19,)):
    request = toy_request(checkerboard(), np.array(users), 1)
    request = replace(request, dialogue=(dialogue or (ODD,),) * len(users))
    ranking = asyncio.run(one.rank(request))
    ranking.check(request, TOY_SIZE)
    return ranking


def moved(reply, *dialogue, **options):
    return read_move(ask(made(reply, **options), *dialogue).replies[0], Attributes.of_catalog(toy_catalog()))


class TestLlmChat(RecommenderContract):
    def build(self):
        return LlmChat(PopularRecommender(), ScriptedModel(lambda _: "?"), SAMPLING, fallback="candidates")

    def ask(self, recommender, users=None, size=5, day=0):
        request = toy_request(checkerboard(), self.users() if users is None else users, size, day=day)
        request = replace(request, dialogue=((ODD,),) * len(request))
        ranking = asyncio.run(recommender.rank(request))
        ranking.check(request, TOY_SIZE)
        return ranking

    def test_lists_what_is_left_and_no_more(self):
        assert ((self.ask(self.fitted()).items != NO_ITEM).sum(axis=1) <= 1).all()


def test_it_asks_suggests_and_gives_up_in_words_of_its_own():
    assert moved(turn("ask", "genres")) == Move("What do you wish about genres?", "ask", fields=("genres",))
    assert moved(turn("suggest", "item 3")) == Move("Would Item 3 suit you?", "suggest", item="i3")
    assert moved(turn("give up", "Item 3")).kind == "abstain"


def test_the_model_reads_all_that_was_said_and_what_the_catalogue_says():
    one = made(turn("suggest", "Item 3"), candidates=2)
    opened = Move("What do you wish about genres?", "ask", fields=("genres",)).as_json()
    ranking = ask(one, "Hello\n# please", opened, ODD)
    (request,) = one._asker.model.requests
    told = request.messages[-1].content
    assert "User: Hello # please\nYou: What do you wish about genres?\nUser: I want something where" in told
    assert shown_in(told)[0] == [], "a field is asked about once"
    assert len(shown_in(told)[1]) == 2
    assert "Item 2 <genres: Even>" in told or "Item 3 <genres: Odd>" in told
    assert request.reply_schema["properties"]["do"]["enum"] == ["suggest", "give up"]
    assert [call.template for call in ranking.calls] == ["llm_chat-1"]


@pytest.mark.parametrize("reply", ["As you like.", turn("suggest", "Heat"), turn("ask", "colour")])
def test_what_is_no_move_breaks_off_unless_the_file_names_a_fallback(reply):
    with pytest.raises(UnreadableReply):
        moved(reply)
    assert reply in ask(made(reply)).replies[0]
    counts = checkerboard().item_counts
    most_popular = min(range(TOY_SIZE), key=lambda item: (-counts[item], item))
    assert moved(reply, fallback="candidates").item == f"i{most_popular}"


def test_a_reply_that_no_log_takes_is_logged_as_escapes():
    (written,) = ask(made("\x00 \ud800")).replies
    assert "\x00" not in written
    written.encode()


def test_at_a_grocer_s_it_asks_about_what_products_have(repeat_shop):
    prices = np.arange(len(repeat_shop.catalog)) / 4
    catalog = replace(repeat_shop.catalog, features={"price": prices})
    one = LlmChat(PopularRecommender(), ScriptedModel(lambda _: turn("ask", "price")), SAMPLING, candidates=3)
    one.fit(repeat_shop.interactions, catalog)
    request = toy_request(repeat_shop.interactions, np.array([4]), 1)
    request = replace(request, dialogue=(("Hello",),))
    (reply,) = asyncio.run(one.rank(request)).replies
    assert read_move(reply, Attributes.of_catalog(catalog)).fields == ("price",)
    (asked,) = one._asker.model.requests
    fields, names = shown_in(asked.messages[-1].content)
    assert set(fields) == {"genres", "price"}
    assert all(name.startswith("Product ") for name in names)
    assert "film" not in asked.messages[0].content


def test_nothing_left_is_said_without_a_question():
    request = toy_request(checkerboard(), np.array([0]), 1)
    request = replace(request, dialogue=((ODD,),), seen=request.without(np.ones(TOY_SIZE, dtype=np.bool_)).seen)
    ranking = asyncio.run(made("?").rank(request))
    assert not ranking.calls
    assert json.loads(ranking.replies[0])["abstain"] is True


def test_candidates_drawn_by_lot_are_refused():
    with pytest.raises(ConfigError, match="draws lots"):
        LlmChat(RandomOrderRecommender(), ScriptedModel(["?"]), SAMPLING)


@pytest.mark.parametrize("text", ["", "[]", turn("buy", "x"), '{"do":"ask","what":1}', '{"what":"","do":"give up"}'])
def test_replies_of_another_form_are_unreadable(text):
    with pytest.raises(UnreadableReply):
        read_turn(text, ["genres"], ["Item 1"])


def test_a_prompt_has_its_version():
    text = files("groundlings.recommenders.language").joinpath("llm_chat.md").read_bytes()
    assert HASHES == {f"llm_chat-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def fickle(request):
    """Asks about the first field, then suggests the last candidate; what it is named tells when it makes up one."""
    fields, names = shown_in(request.messages[-1].content)
    if fields:
        return turn("ask", fields[0])
    return turn("suggest", names[-1] if request.seed % 3 else "A Title That Nobody Has")


def test_a_run_counts_moves_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", fickle)

    def experiment(budget):
        return ExperimentConfig.model_validate(
            {
                "name": "talked", "seed": 5, "simulation": {"days": 1}, "mind": "conversing",
                "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
                "environment": {"kind": "conversation", "turns": 6},
                "arms": [
                    {
                        "name": "model", "recommender": "llm_chat",
                        "options": {"of": {"recommender": "popular"}, "candidates": 5},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}},
                    },
                ],
            }
        )  # fmt: skip

    done = run_experiment(experiment(1000), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, moves = arm["model_lists"], arm["model_lists"]["moves"]
    with LogReader(done.directory) as log:
        kinds = log.events().groupby("kind").size()
    assert moves["asks"] == kinds["asks"]
    assert moves["suggests"] == kinds.get("accept", 0) + kinds["refuse"]
    assert moves["ungrounded"] == lists["hallucinated"] == lists["nothing_named"] == kinds["breaks_off"] > 0
    assert moves["turns"] == lists["questions"] == moves["asks"] + moves["suggests"] + moves["ungrounded"]
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(9), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 9", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
