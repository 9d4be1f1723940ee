"""The recommender `agentcf` keeps the contract; its agents learn from wrong choices, and lists are made of notes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.chat import Sampling
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.recommenders.contract import (
    TOY_SIZE,
    RecommenderContract,
    checkerboard,
    toy_catalog,
    toy_request,
)
from groundlings.recommenders.language.agentcf import AgentCf
from groundlings.recommenders.language.learning_pairs import in_turn, pairs_of
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.learning import Lessons, learn
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

SAMPLING = Sampling(0.0, 16)
HASHES = {"agentcf-1": "cf745aa56b8a3cf6bfc137ca981b1119f9877d16f8256110439a053aac996523"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""


def agent(request):
    """Always chooses the first item, notes what was right, and ranks by the user's note."""
    told = request.messages[-1].content
    if shown := candidates_shown(told):
        kind = told.partition("odd items")[1]
        return json.dumps(
            {"ranking": sorted(shown, key=lambda name: int(re.findall(r"\d+", name)[0]) % 2 != bool(kind))}
        )
    keys = list(request.reply_schema["properties"])
    if keys == ["why", "chosen"]:
        return json.dumps({"why": "it comes first", "chosen": 1})
    right = int(re.findall(r'really choose is "\D*(\d+)', told)[0]) if keys == ["note"] else 0
    return json.dumps({key: f"notes {'odd' if right % 2 else 'even'} items as {key}" for key in keys})


def made(rule=agent, **options):
    one = AgentCf(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def taught(one, **options):
    calls = []
    asyncio.run(learn(one, Lessons(3, keep=calls.append, **options)))
    return calls


class TestAgentCf(RecommenderContract):
    def build(self):
        return AgentCf(PopularRecommender(), ScriptedModel(agent), SAMPLING)


def test_a_wrong_choice_has_both_sides_reflect_and_a_right_one_neither():
    calls = taught(made(pairs=2))
    choices = [call for call in calls if "chosen" in call.request.reply_schema["properties"]]
    assert len(choices) == 2 * (TOY_SIZE - 1), "the last user has no history"
    reflections = len(calls) - len(choices)
    assert 0 < reflections < 2 * len(choices)
    assert reflections % 2 == 0, "the user agent and the item agents reflect together"


def test_what_one_user_teaches_an_item_is_told_to_the_next():
    one = made(pairs=3)
    taught(one)
    assert set(one.user_notes().values()) == {"notes odd items as note", "notes even items as note"}
    assert set(one.item_notes().values()) == {"notes even items as right", "notes even items as wrong"}
    told = [request.messages[-1].content for request in one._asker.model.requests]
    assert any("choose?" in each and "as right" in each for each in told)


def test_lists_are_made_of_notes_and_of_the_history_only_where_asked():
    for prompt, shows in (("basic", False), ("sequential", True)):
        one = made(prompt=prompt)
        taught(one)
        request = toy_request(checkerboard(), np.array([1]), 5)
        asyncio.run(one.rank(request))
        told = one._asker.model.requests[-1].messages[-1].content
        assert "notes odd items as note" in told
        assert ("the most recent one last" in told) == shows
        assert all(f"- {name}: " in told for name in candidates_shown(told))


def test_only_users_whom_lists_are_made_for_learn_and_no_more_than_asked_for():
    one = made(learners=3, pairs=1)
    taught(one, served=np.array([2, 4, 6, 8, 10]))
    assert len(one.user_notes()) <= 3
    assert set(one.user_notes()) <= {2, 4, 6, 8, 10}


def test_after_a_day_its_interactions_alone_are_learnt_from_and_a_refit_forgets():
    one = made(pairs=2)
    first = taught(one)
    one.observe(checkerboard(1).take(np.arange(3)))
    later = taught(one)
    assert 0 < len(later) < len(first)
    state = one.state()
    one.fit(checkerboard(), toy_catalog())
    assert one.user_notes() == {}
    assert one.state() != state


def test_unreadable_replies_leave_the_notes_as_they_are_and_stand_in_the_log():
    one = made(lambda request: "I do not choose")
    calls = taught(one)
    assert {call.status for call in calls} == {"unreadable"}
    assert one.user_notes() == one.item_notes() == {}


@given(st.integers(0, 1000), st.integers(1, 6))
def test_no_negative_item_was_taken_and_pairs_that_share_an_agent_follow_each_other(root, most):
    known = checkerboard()
    pairs = pairs_of(known, known, most, np.arange(TOY_SIZE), root)
    assert all(known.matrix[pair.user, pair.right] and not known.matrix[pair.user, pair.wrong] for pair in pairs)
    rng, noted, busy, most_at_once = np.random.default_rng(root), {}, set(), 0

    async def learn(pair):
        nonlocal most_at_once
        agents = {("user", pair.user), ("item", pair.right), ("item", pair.wrong)}
        assert not agents & busy
        busy.update(agents)
        most_at_once = max(most_at_once, len(busy) // 3)
        for _ in range(rng.integers(4)):
            await asyncio.sleep(0)
        busy.difference_update(agents)
        for agent in agents:
            noted.setdefault(agent, []).append(pair)

    asyncio.run(in_turn(pairs, learn))
    for agent, found in noted.items():
        assert found == [
            pair for pair in pairs if agent[1] in ((pair.user,), (pair.right, pair.wrong))[agent[0] == "item"]
        ]
    assert most_at_once > 1


def test_a_prompt_that_changes_has_a_new_version():
    text = files("groundlings.recommenders.language").joinpath("agentcf.md").read_bytes()
    assert HASHES == {f"agentcf-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


@pytest.mark.usefixtures("quick_report")
def test_a_run_counts_lists_and_lessons_apart_and_ends_with_the_same_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", agent)
    config = ExperimentConfig.model_validate(
        {
            "name": "agents",
            "seed": 5,
            "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
            "simulation": {"days": 2, "refit_every": 1},
            "site": {"page_size": 4, "max_pages": 1},
            "mind": "behavioural",
            "arms": [
                {"name": "popular", "recommender": "popular"},
                {
                    "name": "agents",
                    "recommender": "agentcf",
                    "options": {"of": {"recommender": "popular"}, "candidates": 6, "pairs": 2},
                    "model": {"provider": "scripted", "concurrency": 1},
                },
            ],
            "base": tmp_path,
        }
    )
    first, again = run_experiment(config, tmp_path / "a"), run_experiment(config, tmp_path / "b")
    assert first.digest == again.digest
    with LogReader(first.directory) as log:
        lists, lessons = len(log.calls()), int(log.query("SELECT count(*) AS n FROM lessons").n[0])
    arm = json.loads((first.directory / "summary.json").read_text())["arms"][1]
    assert arm["model_lists"]["questions"] == lists > 0
    assert arm["counts"]["calls"] == lists + lessons > lists
