"""What recommenders would ask a language model is said before they ask it, and they never ask more."""

from __future__ import annotations

import io
import re
import sqlite3
import sys
from collections import Counter

import pytest
from rich.console import Console

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.asking_time import Wish
from groundlings.experiments.running.cost import estimate, print_plan
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.simulating import log_experiment

OF = {"of": {"recommender": "popular"}}
FALLS_BACK = OF | {"fallback": "candidates"}
SYSTEMS = {
    "llm_ranker": ({"candidates": 4, "rounds": 3}, 3, 0),
    "recmind": ({"candidates": 4, "steps": 2, "alternatives": 1}, 2 * 2 + 1, 0),
    "interec_agent": ({"candidates": 8, "steps": 2, "reviews": 2}, 1 + 2 * 2, 0),
    "macrec": ({"candidates": 4, "steps": 2, "helper_steps": 2}, 2 * (2 + 2 * 2 + 1) + 1, 0),
    "puma": ({"candidates": 8}, 2, 0),
    "title_generation": ({"titles": 2}, 1, 0),
    "agentcf": ({"candidates": 4, "learners": 3, "pairs": 2}, 1, 3 * 2 * 3),
    "rah": ({"candidates": 4, "learners": 3, "interactions": 2, "rounds": 2, "fallback": "of"}, 1, 3 * 2 * (2 + 3 * 2)),
}
"""Options, calls per list, calls to learn before one day."""


def asking(name, model=None, **arm):
    return {"name": name, "model": {"provider": "scripted", **(model or {})}, **arm}


def config(arm, model=None, **further):
    return ExperimentConfig.model_validate(
        {
            "name": "asking",
            "seed": 5,
            "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 40, "interactions_per_user": 8}},
            "simulation": {"days": 2},
            "site": {"page_size": 4, "max_pages": 2, "rank_each": "page"},
            "mind": "behavioural",
            "arms": [asking("asks", model, **arm)],
        }
        | further
    )


def of(name):
    return {"recommender": name, "options": FALLS_BACK | SYSTEMS[name][0]}


def told(config, wish=None):
    console = Console(file=io.StringIO(), width=400)
    print_plan(build_plan(config), console, wish)
    return " ".join(console.file.getvalue().split())


CALLS = "SELECT template FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id) WHERE arms.name = ?"
LESSONS = "SELECT template FROM lessons JOIN arms USING (arm_id) WHERE arms.name = ?"


@pytest.fixture(scope="module")
def said_and_made(tmp_path_factory):
    """Of each system what was said beforehand, and prompt -> calls in the log of one run in which each is an arm."""
    experiment = config({}, arms=[asking(name, **of(name)) for name in SYSTEMS])
    path = tmp_path_factory.mktemp("asking") / "log.db"
    log_experiment(experiment, path)
    with sqlite3.connect(path) as log:
        made = {
            name: Counter(one for query in (CALLS, LESSONS) for (one,) in log.execute(query, (name,)))
            for name in SYSTEMS
        }
    return {bound.arm: (bound, made[bound.arm]) for bound in estimate(build_plan(experiment)).arms}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_asks_no_more_than_was_said(name, said_and_made):
    (bound, made), (_, per_list, to_learn) = said_and_made[name], SYSTEMS[name]
    lists, days = 6 * 2 * 2, 2
    assert bound.lists == lists
    assert bound.calls == lists * per_list + days * to_learn
    assert bound.prompt_tokens > bound.calls * 20
    said = Counter({prompt: lists * number for prompt, number in bound.per_list.items()}) + Counter(bound.to_learn)
    assert made
    assert all(made[prompt] <= said[prompt] for prompt in made), (made, said)


def test_what_stands_inside_another_one_is_counted_too():
    inside = {"recommender": "degraded", "options": {"of": of("llm_ranker"), "share": 0.2}}
    (bound,) = estimate(build_plan(config(inside))).arms
    assert bound.calls == 6 * 2 * 2 * 3


def test_check_prints_calls_tokens_money_and_hours_of_each_arm():
    prices = {"budget": {"prices": {"prompt": 1.0, "completion": 2.0}}}
    text = told(config(of("agentcf"), prices), Wish(rate=0.5))
    assert "asks: at most 60 calls = 24 lists x 1 (agentcf-1 1) + to learn 36 (agentcf-1 36)" in text
    assert re.search(r"calls +at most 60, all of them recommenders': no language model decides", text)
    assert "tokens in for all of these, at most" in text
    assert "money about 0." in text
    assert "servers for 1 h (--hours) of 0.5 answers per second each, as said" in text.replace(
        "1 server for", "servers for"
    )
    assert "answers per second" not in told(config(of("agentcf"))), "nothing is assumed of what is no server"


def test_a_cap_that_the_plan_can_pass_is_said():
    assert "arms[0].model.budget: the run may need up to 72 calls against a cap of 50" in told(
        config(of("llm_ranker"), {"budget": {"calls": 50}})
    )
    assert "arms[0].model.budget" not in told(config(of("llm_ranker"), {"budget": {"calls": 72}}))


def test_a_cap_of_agents_that_the_plan_can_pass_is_said():
    mind = {"kind": "language", "model": {"provider": "scripted", "budget": {"calls": 5}}}
    assert "mind.model.budget: the run may need up to" in told(config(of("llm_ranker"), mind=mind))


def test_interventions_add_what_the_new_recommender_asks():
    change = {"day": 2, "recommender": {"recommender": "llm_ranker", "options": FALLS_BACK | {"rounds": 9}}}
    (bound,) = estimate(build_plan(config(of("agentcf"), interventions=[change]))).arms
    assert bound.per_list == {"agentcf-1": 1, "llm_ranker-1": 9}


SILENT = '''
from groundlings.recommenders.base import AsyncRecommender

class Silent(AsyncRecommender):
    """Asks, and does not say how often."""

    def __init__(self, model):
        self.model = model

    def fit(self, interactions, catalog):
        """Nothing."""

    async def rank(self, request):
        raise AssertionError
'''


def test_of_one_that_does_not_say_nothing_is_guessed(tmp_path, monkeypatch):
    (tmp_path / "silent_one.py").write_text(SILENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("silent_one", None)
    arm = {"recommender": "silent_one:Silent"}
    assert "asks: not known, Silent does not say how often it asks (calls_per_list, calls_to_learn)" in told(
        config(arm)
    )
