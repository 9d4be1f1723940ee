"""The recommender `puma` keeps the contract: chooses a function, recalls what fits, counts all."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import BudgetExhausted, ProviderError, UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.words import Words
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.function_calls import read_choice, read_names, read_query
from groundlings.recommenders.language.puma import Puma
from groundlings.recommenders.language.task_memory import TaskMemory, memory_shown
from groundlings.recommenders.language.tools.search import CatalogueSearch
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel

SAMPLING = Sampling(0.7, 16)
HASHES = {"puma-1": "d566937719c8f9749586eca3cab6a8ebfa3f53fd4ffe42c9f28cbe105accdf78"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""

COLD = 19
SHELF = replace(
    toy_catalog(),
    titles=("Oat milk", "Rye bread", "Oat biscuits", "Soap bar", "Almond milk", *toy_catalog().titles[5:]),
    genres=(("Drinks",), ("Bakery",), ("Bakery",), ("Household",), ("Drinks",), *toy_catalog().genres[5:]),
    words=Words("product", "products"),
)


def asked_for(request):
    (key,) = request.reply_schema["properties"]
    return key


def calling(function="recommend", query="Odd", names=("Item 5",)):
    """A model that calls one function with one parameter; a text in their place is the reply itself."""

    def say(request):
        key = asked_for(request)
        value = {"function": function, "query": query, "names": names}[key]
        return value if str(value).startswith("raw ") else json.dumps({key: value})

    return ScriptedModel(say)


def by_the_latest(request):
    """Recommends by the first name of the memory; the users without one search for odd items."""
    shown = memory_shown(request.messages[-1].content)
    said = {"function": "recommend", "query": "odd things", "names": shown[:1]}
    return json.dumps({asked_for(request): said[asked_for(request)]})


def made(model=None, catalog=None, **options):
    one = Puma(PopularRecommender(), model or calling(), SAMPLING, **options)
    one.fit(checkerboard(), catalog or toy_catalog())
    return one


def ask(one, users=(0,), size=5, **further):
    request = replace(toy_request(checkerboard(), np.array(users), size), **further)
    ranking = asyncio.run(one.rank(request))
    ranking.check(request, 20)
    return ranking


def told_by(one, **how):
    ask(one, **how)
    return [request.messages[-1].content for request in one._asker.model.requests]


class TestPuma(RecommenderContract):
    personalised = True

    def build(self):
        return Puma(PopularRecommender(), ScriptedModel(by_the_latest), SAMPLING)


def test_a_function_is_chosen_first_and_its_parameter_asked_for_then():
    one = made(calling("recommend", names=["item 4", "Item 3", "Item 4"]))
    ranking = ask(one)
    assert [(call.template, call.status) for call in ranking.calls] == [("puma_choice-1", "ok"), ("puma-1", "ok")]
    assert ranking.items[0, 0] == 0, "the neighbours of an even item"
    assert (ranking.items[0, 1:] % 2).all(), "behind them, the order of `of`"
    assert np.isnan(ranking.scores[0]).tolist() == [False, True, True, True, True]
    first, second = one._asker.model.requests
    assert 'whose key "function"' in first.messages[-1].content
    assert "up to 5 names" in second.messages[-1].content


def test_a_query_finds_items_by_their_words_and_those_that_fit_alike_stand_in_the_order_of_of():
    counts = checkerboard().item_counts
    ranking = ask(made(calling("search", "Odd item 13")), (1,), size=20)
    best = ranking.items[0][~np.isnan(ranking.scores[0])].tolist()
    fresh = [item for item in range(20) if item % 2 == 0 or item == 1]
    evens = sorted((item for item in fresh if item % 2 == 0), key=lambda item: (-counts[item], item))
    assert best == [1, *evens], "odd and an item, then items"
    assert (ask(made(calling("search", "even"), candidates=6), (COLD,)).items >= 0).all()


def test_a_user_without_history_is_asked_for_a_query_at_once():
    one = made(calling("recommend", "odd"))
    ranking = ask(one, (COLD,))
    assert [call.template for call in ranking.calls] == ["puma-1"]
    assert (ranking.items % 2 == 1).all()
    assert "no products in the user's history" in told_by(made(catalog=SHELF), users=(COLD,))[-1]


def test_each_function_is_told_the_fields_that_it_needs_of_what_fits_the_wish():
    wish = {"queries": ("MILK or\n# oat",)}
    choice, search = told_by(made(calling("search", "milk"), SHELF, memory=2), **wish)
    assert memory_shown(choice) == ["Almond milk", "Oat biscuits"]
    assert "\n1. Almond milk: Drinks\n2. Oat biscuits: Bakery\n\nThe user wishes for: MILK or # oat\n" in search
    _, recommend = told_by(made(calling(names=["Oat biscuits"]), SHELF, memory=2), **wish)
    assert memory_shown(recommend) == memory_shown(choice)
    assert "up to 2 names" in recommend


def test_memory_recalls_what_is_like_the_wish_or_like_the_latest_item_the_most_recent_first():
    memory = TaskMemory(SHELF, CatalogueSearch(SHELF), 2)
    assert memory.recalled([0, 1, 2, 3, 4], "milk, please") == [4, 0]
    assert memory.recalled([4, 1, 3, 2], None) == [2, 1], "bakery"
    assert memory.recalled([0, 1, 3], "cheese") == [3, 1], "nothing fits: the latest ones"
    assert memory.recalled([], "milk") == []
    twins = replace(SHELF, titles=("Oat milk", "Rye bread", "Oat milk", *SHELF.titles[3:]))
    assert TaskMemory(twins, CatalogueSearch(twins), 2).recalled([0, 1, 2], "oat milk") == [2, 1], "one name once"


@given(st.lists(st.integers(0, 19), unique=True, max_size=8), st.one_of(st.none(), st.text(max_size=20)))
def test_memory_is_a_part_of_the_history_in_its_order_backwards(history, wish):
    recalled = MEMORY.recalled(history, wish)
    assert recalled == [item for item in reversed(history) if item in recalled]
    assert len(recalled) == min(3, len(history))


MEMORY = TaskMemory(SHELF, CatalogueSearch(SHELF), 3)


@pytest.mark.parametrize(
    ("model", "status"),
    [
        (calling("raw either"), "unreadable"), (calling("buy"), "unreadable"), (calling(names=[3]), "unreadable"),
        (calling("search", "raw milk"), "unreadable"), (calling(names=["Heat"]), "ok"),
        (calling("search", "zzz"), "ok"),
    ],
)  # fmt: skip
def test_nothing_returned_stops_the_run_unless_the_file_says_what_is_listed(model, status):
    with pytest.raises(ProviderError, match=rf"called returned anything; the last reply \({status}\)"):
        ask(made(model))
    ranking = ask(made(model, fallback="candidates"))
    popular = PopularRecommender()
    popular.fit(checkerboard(), toy_catalog())
    assert ranking.items.tolist() == popular.recommend(toy_request(checkerboard(), np.array([0]), 5)).items.tolist()
    assert np.isnan(ranking.scores).all()
    assert ranking.calls[-1].status == status


def test_names_are_those_of_the_memory_and_no_others():
    found = read_names('{"names":["Item 7","2. item 3","Item 9","Item 7"]}', ["Item 3", "Item 7"])
    assert found.order == (1, 0)
    assert (found.exact, found.normalised, found.hallucinated, found.repeated) == (1, 1, 1, 1)
    assert (found.candidates, found.missing) == (0, 0)
    for read in (read_choice, read_query, lambda text: read_names(text, ["Item 3"])):
        for text in ("", "[]", "{}", '{"function":"search","query":"x"}', '{"query":3}', '{"names":"Item 3"}'):
            with pytest.raises(UnreadableReply):
                read(text)


def test_what_was_done_since_the_fit_is_recalled():
    one = made(calling(names=["Item 5"]), history=3, memory=3)
    before = one.state()
    one.observe(Interactions.of(np.array([1]), np.array([5]), None, np.array([10_000]), n_users=20, n_items=20))
    assert one.state() != before
    assert memory_shown(told_by(one, users=(1,))[0])[0] == "Item 5"


def test_a_prompt_has_its_version():
    text = files("groundlings.recommenders.language").joinpath("puma.md").read_bytes()
    assert HASHES == {f"puma-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def mixed(request):
    """By how many are in the memory: an unreadable choice, a search for nothing, or names of which one is made up."""
    shown = memory_shown(request.messages[-1].content)
    said = {
        "function": "recommend" if request.seed % 2 else "search",
        "query": "word that nothing has",
        "names": [*shown[:1], "Made up"],
    }
    reply = json.dumps({asked_for(request): said[asked_for(request)]})
    return reply if asked_for(request) != "function" or request.seed % 5 else "neither"


def test_a_run_counts_what_was_called_and_replays_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", mixed)

    def experiment(budget, **model):
        return ExperimentConfig.model_validate(
            {
                "name": "called", "seed": 5, "base": tmp_path, "simulation": {"days": 2}, "mind": "behavioural",
                "dataset": {"name": "toy", "toy": {"n_users": 8, "n_items": 30, "interactions_per_user": 8}},
                "site": {"page_size": 4, "max_pages": 2},
                "arms": [
                    {
                        "name": "agent", "recommender": "puma",
                        "options": {"of": {"recommender": "popular"}, "fallback": "candidates"},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}, **model},
                    },
                ],
            }
        )  # fmt: skip

    store = str(tmp_path / "calls.db")
    done = run_experiment(experiment(1000, store={"path": store, "mode": "record"}), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, functions = arm["model_lists"], arm["model_lists"]["functions"]
    assert functions["choices"] == lists["questions"] == 16
    assert functions["choices"] == functions["search"] + functions["recommend"] + functions["unreadable"]
    assert lists["unreadable"] == functions["unreadable"] > 0
    assert functions["queries"] == functions["empty"] == functions["search"] > 0
    assert functions["parameters"] == functions["search"] + functions["recommend"]
    assert lists["hallucinated"] == lists["exact"] == functions["recommend"] > 0
    assert arm["counts"]["calls"] == functions["choices"] + functions["parameters"]
    most = arm["counts"]["calls"] - arm["counts"]["from_store"] - 2
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(most), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(f"calls: {most}", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
    replayed = experiment(1000, store={"path": store, "mode": "replay"})
    assert run_experiment(replayed, tmp_path / "again").digest == done.digest
