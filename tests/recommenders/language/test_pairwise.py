"""`llm_ranker` with `compare: pairwise`: all pairs in one question, both orders, pairs won, and what the log tells."""

from __future__ import annotations

import asyncio
import hashlib
import json
from importlib.resources import files
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import BudgetExhausted, ConfigError, ProviderError
from groundlings.environments.prompts import one_line
from groundlings.environments.random_streams import Draws
from groundlings.experiments.analysis.metrics.summary import summarise
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.paradigms.spending import read_costs
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import TOY_SIZE, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.pairwise import Pairs, pairs_shown
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

SAMPLING = Sampling(0.0, 16)
HASHES = {"llm_ranker_pairs-1": "f70f27ed7a0ead281b8d7204854ca493a486364f082804f040645f2ab7e2e654"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""


def shown_in(request):
    return pairs_shown(request.messages[-1].content)[1]


def reply(better):
    return json.dumps({"better": list(better)})


def number(name):
    return int(name.split()[1])


def by_number(request):
    """Of each pair the item with the larger number in its title."""
    return reply(1 if number(first) > number(second) else 2 for first, second in shown_in(request))


def the_first(request):
    """A model that is nothing but position bias."""
    return reply([1] * len(shown_in(request)))


def ranker(rule, **options):
    options = {"candidates": 6, "compare": "pairwise"} | options
    return LlmRanker(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)


def ask(recommender, size=6):
    recommender.fit(checkerboard(), toy_catalog())
    request = toy_request(checkerboard(), np.arange(3), size)
    ranking = asyncio.run(recommender.rank(request))
    ranking.check(request, TOY_SIZE)
    return ranking


class TestPairwise(RecommenderContract):
    """With position bias and an odd number of rounds, which depends on every order drawn."""

    def build(self):
        return ranker(the_first, rounds=3)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_an_order_that_the_model_has_is_the_order_of_the_list(rounds):
    one = ranker(by_number, candidates=5, rounds=rounds)
    ranking, of = ask(one), ask(one.of)
    for row in range(3):
        assert ranking.items[row, :5].tolist() == sorted(of.items[row, :5].tolist(), reverse=True)
        assert ranking.items[row, 5] == of.items[row, 5], "what the model was not shown follows"
    assert ranking.scores[0, :5].tolist() == [rounds * won for won in (4, 3, 2, 1, 0)]
    assert {call.template for call in ranking.calls} == set(one.calls_per_list())
    assert len(ranking.calls) == 3 * one.calls_per_list()["llm_ranker_pairs-1+llm_ranker-1"] == 3 * rounds


def test_what_a_model_gives_to_a_place_cancels_in_two_rounds_and_not_in_one():
    of = ask(PopularRecommender()).items
    both = ask(ranker(the_first, rounds=2))
    assert both.items.tolist() == of.tolist()
    assert (both.scores == 5).all(), "each item won once against each other one"
    assert ask(ranker(the_first)).items.tolist() != of.tolist()


def test_every_second_round_exchanges_the_items_of_the_pairs_before():
    ask(one := ranker(the_first, rounds=4))
    first, second, third, fourth = (shown_in(request) for request in one._asker.model.requests[:4])
    for shown, exchanged in ((first, second), (third, fourth)):
        assert [(b, a) for a, b in shown] == exchanged
    assert first not in (third, fourth)
    assert len({request.seed for request in one._asker.model.requests[:4]}) == 4


@given(st.integers(2, 12), st.integers(0, 2**32))
def test_all_pairs_are_asked_about_once_and_each_item_is_first_in_half_of_its_own(n, root):
    pairs = Pairs.drawn(np.arange(n), Draws.for_sessions(root, np.array([1]), 0), 0)
    asked = {frozenset(pair) for pair in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
    assert len(asked) == len(pairs.first) == n * (n - 1) // 2
    firsts = np.bincount(pairs.first, minlength=n)
    assert set(firsts.tolist()) <= {(n - 1) // 2, n // 2}


PIECES = st.lists(st.sampled_from(["<or>", " <or> ", "\n", "Pairs:", "1. ", "Heat", " ", "\u2028"]), max_size=6)


@given(st.lists(PIECES.map("".join), min_size=3, max_size=3))
def test_no_title_can_be_taken_for_the_end_of_its_own(titles):
    names = [one_line(title, 80) for title in titles]
    pairs = Pairs(np.array([0, 1, 2]), np.array([1, 2, 0]))
    before, shown = pairs_shown(f"history\nPairs:\n{pairs.listed(names)}")
    assert (before, shown) == ("history", [(names[0], names[1]), (names[1], names[2]), (names[2], names[0])])


@pytest.mark.parametrize(
    "said",
    [
        "the first",
        '{"better":[1,2]}',
        '{"better":[1,1,3]}',
        '{"better":[1,1,true]}',
        '{"better":[1,1,"2"]}',
        '{"better":[1,1,2],"why":"-"}',
    ],
)
def test_a_reply_of_another_form_or_length_is_unreadable_and_stops_the_run_unless_told(said):
    with pytest.raises(ProviderError, match=r"no reply that can be read.*unreadable.*fallback: candidates"):
        ask(ranker(lambda request: said, candidates=3))
    ranking = ask(one := ranker(lambda request: said, candidates=3, fallback="candidates"))
    assert ranking.items.tolist() == ask(one.of).items.tolist()
    assert [call.status for call in ranking.calls] == ["unreadable"] * 3
    assert np.isnan(ranking.scores).all()


def test_the_history_is_told_before_the_pairs_as_the_prompt_has_it():
    told = {}
    for style in ("sequential", "recency", "in_context"):
        ask(one := ranker(the_first, candidates=3, prompt=style))
        told[style] = one._asker.model.requests[0].messages[-1].content
    assert told["sequential"].startswith("The items that I chose, in order, the most recent one last:\n1. Item ")
    assert "Of each of these 3 pairs of items" in told["sequential"]
    assert "Note that the most recent of them is: Item 18" in told["recency"]
    assert "you should have recommended this: Item 18" in told["in_context"]


def test_more_candidates_than_a_question_can_compare_are_refused():
    with pytest.raises(ConfigError, match=r"12 candidates at most, found `candidates: 20`"):
        LlmRanker(PopularRecommender(), ScriptedModel(the_first), SAMPLING, compare="pairwise")


def test_a_changed_prompt_has_a_new_version():
    text = files("groundlings.recommenders.language").joinpath("llm_ranker_pairs.md").read_bytes()
    assert HASHES == {f"llm_ranker_pairs-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def at_times(request):
    """By the place in the list alone: the second named of the first and the fifth pair. Some replies cannot be read."""
    if request.seed % 5 == 0:
        return "I do not compare"
    return reply(1 if place % 4 else 2 for place, _ in enumerate(shown_in(request)))


@pytest.fixture
def experiment(tmp_path):
    def made(calls=1000, **model):
        of = {"of": {"recommender": "popular"}, "fallback": "candidates"}
        options = of | {"candidates": 4, "rounds": 2, "compare": "pairwise"}
        arm = {"name": "pairs", "recommender": "llm_ranker", "options": options}
        return ExperimentConfig.model_validate(
            {
                "name": "pairs",
                "seed": 5,
                "dataset": {"name": "toy", "toy": {"n_users": 8, "n_items": 40, "interactions_per_user": 8}},
                "simulation": {"days": 2},
                "site": {"page_size": 4, "max_pages": 2, "rank_each": "page"},
                "mind": "behavioural",
                "arms": [arm | {"model": {"provider": "scripted", "budget": {"calls": calls}, **model}}],
                "base": tmp_path,
            }
        )

    return made


@pytest.mark.usefixtures("quick_report")
def test_a_run_counts_pairs_and_places_and_resumes_to_the_same_digest(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", at_times)
    done = run_experiment(experiment(), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, pairs = arm["model_lists"], arm["model_lists"]["pairs"]
    with LogReader(done.directory) as log:
        status = log.calls().status
        summary = summarise(log)
        cost = read_costs(done.directory, log, summary)["pairs"]
    assert arm["counts"]["calls"] == lists["questions"] == pairs["questions"] == len(status)
    assert lists["unreadable"] == pairs["unreadable"] == (status == "unreadable").sum() > 0
    answered = int((status == "ok").sum())
    assert pairs["answered"] == 6 * answered
    assert pairs["first_won"] == 4 * answered, "the second is preferred in the first and the fifth of six"
    assert pairs["first_share"] == pytest.approx(4 / 6)
    assert 0 < pairs["both_orders"] == pairs["disagree"] < pairs["answered"] / 2
    assert pairs["disagreement_rate"] == 1, "it says the same of the same places"
    assert lists["names"] == 0
    assert lists["hallucination_rate"] is cost.hallucination_rate is None, "unknown, and not 0"
    printed = Console(file=StringIO(), width=400)
    printed.print(render_summary_table(summary))
    assert f"of {6 * answered} pairs answered the first named is preferred in {4 * answered} (66.7 %)" in (
        printed.file.getvalue()
    )
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(20), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 20", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest


@pytest.mark.usefixtures("quick_report")
def test_a_model_that_goes_by_the_items_agrees_with_itself(experiment, tmp_path, monkeypatch):
    """Both orders of all pairs stand in the log, whatever day and page they come from."""
    monkeypatch.setattr(
        scripted, "legal_reply", lambda request: reply(1 + (first > second) for first, second in shown_in(request))
    )
    done = run_experiment(experiment(), tmp_path / "whole")
    pairs = json.loads((done.directory / "summary.json").read_text())["arms"][0]["model_lists"]["pairs"]
    assert pairs["both_orders"] * 2 == pairs["answered"] == 6 * pairs["questions"] > 0
    assert pairs["disagree"] == 0
    assert pairs["first_share"] == 0.5
