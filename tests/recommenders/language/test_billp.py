"""The recommender `billp` keeps the contract; it plans, looks back on earlier days, and ranks by what it learnt."""

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
from groundlings.environments.errors import BudgetExhausted, ProviderError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.language.billp import BiLlp
from groundlings.recommenders.language.long_term import Episodes, Situation, advantage
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.learning import Lessons, learn
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel
from groundlings.simulator.log.reader import LogReader

SAMPLING = Sampling(0.0, 16)
HASHES = {"billp-1": "4655344b2863fb1937680c196738a084a4ce9be4d04aca1df90c5dc8000d90f0"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""


def thinker(request):
    """Plans for odd items where a reflection says so, else for even ones; ranks by the plan; values long histories."""
    told = request.messages[-1].content
    if names := candidates_shown(told):
        odd = "next: odd" in told
        return json.dumps({"ranking": sorted(names, key=lambda name: int(re.findall(r"\d+", name)[0]) % 2 != odd)})
    (key,) = request.reply_schema["properties"]
    said = {
        "plan": "odd" if "- odd" in told else "even",
        "value": 1,
        "reflection": "odd came back" if "came back. Days" in told else "odd stayed away",
    }
    return json.dumps({key: said[key]})


def made(rule=thinker, **options):
    one = BiLlp(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def day(one, *shown):
    """Tell of a day: each entry is a user, the items shown and those taken."""
    rows = [(user, item, item in taken) for user, items, taken in shown for item in items]
    users, items, taken = (np.array(each) for each in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 3
    one.observe_impressions(Impressions(users.astype(np.int64), items.astype(np.int32), taken.astype(bool)))


def taught(one):
    calls = []
    asyncio.run(learn(one, Lessons(3, keep=calls.append)))
    return calls


def ask(one, user=1, size=5):
    return asyncio.run(one.rank(toy_request(checkerboard(), np.array([user]), size)))


def prompts(one):
    return [request.messages[-1].content for request in one._asker.model.requests]


class TestBiLlp(RecommenderContract):
    def build(self):
        return BiLlp(PopularRecommender(), ScriptedModel(thinker), SAMPLING)


class TestMyopic(RecommenderContract):
    def build(self):
        return BiLlp(PopularRecommender(), ScriptedModel(thinker), SAMPLING, horizon="myopic")


def test_a_list_takes_a_plan_and_a_ranking_by_it_and_a_myopic_one_the_ranking_alone():
    one = made()
    assert [call.template for call in ask(one).calls] == list(one.calls_per_list()) == ["billp_plan-1", "billp-1"]
    assert "The plan for what is shown next: even" in prompts(one)[-1]
    assert "Kinds that are not in the history yet: Even" in prompts(one)[-1]
    myopic = made(horizon="myopic")
    day(myopic, (1, [0, 2], [2]))
    day(myopic, (1, [4], []))
    assert taught(myopic) == []
    assert [call.template for call in ask(myopic).calls] == list(myopic.calls_per_list()) == ["billp-1"]
    assert "plan" not in prompts(myopic)[-1]


def test_users_who_came_back_and_users_who_stayed_away_change_later_plans():
    one = made(away=2)
    before = ask(one).items[0].tolist()
    day(one, (1, [0, 2, 4], [2]), (3, [0], []))
    assert taught(one) == [], "nobody knows yet what came of it"
    day(one, (1, [6], []))
    calls = taught(one)
    assert [one.reflections(), len(calls)] == [["odd came back"], 2], "the same situation has one value"
    day(one)
    taught(one)
    assert one.reflections() == ["odd came back", "odd stayed away"], "user 3 two days after; user 1 one day later"
    after = ask(one).items[0].tolist()
    assert "- odd stayed away" in prompts(one)[-2]
    assert {each % 2 for each in before[:1]} == {0}
    assert {each % 2 for each in after[:1]} == {1}


def test_the_sign_of_the_advantage_goes_to_the_memory_of_the_actor():
    one = made()
    day(one, (1, [0, 2, 4], [2]))
    day(one, (1, [6], []))
    taught(one)
    (case,) = one.cases()
    # Values are 1 throughout: 1 + .5 - 1 of what was taken, 0 + .5 - 1 of what was not.
    assert (case.good, sorted(case.bad)) == ((2,), [0, 4])
    ask(one)
    said = r"like Item \d+; Item \d+; Item \d+\. Good next: Item 2\. Bad next: Item \d; Item \d\."
    assert re.search(said, prompts(one)[-1])


def test_whoever_stays_away_has_the_lowest_value_without_a_question():
    one = made(away=1)
    day(one, (1, [0, 2], [2]))
    day(one)
    assert len(taught(one)) == 2
    (case,) = one.cases()
    assert sorted(case.bad) == [0, 2], "1 + .5 x -5 - 1 is below 0 as well"


def test_no_more_episodes_are_looked_at_than_asked_for_and_the_oldest_make_room():
    one = made(episodes=2, remembered=3)
    for _ in range(3):
        day(one, *((user, [0, 1], [0]) for user in range(5)))
        calls = taught(one)
        assert len(calls) <= one.calls_to_learn(5)["billp-1"] == 6
    assert len(one.reflections()) == 3
    state = one.state()
    one.fit(checkerboard(), toy_catalog())
    assert one.state() == state, "what impressions have taught outlives a fit"


def test_unreadable_plans_values_and_reflections_leave_the_rest_whole():
    def vague(request):
        return thinker(request) if candidates_shown(request.messages[-1].content) else json.dumps({"value": 7})

    one = made(vague)
    ranking = ask(one)
    assert [call.status for call in ranking.calls] == ["unreadable", "ok"]
    day(one, (1, [0], [0]))
    day(one, (1, [2], []))
    assert {call.status for call in taught(one)} == {"unreadable"}
    assert one.reflections() == one.cases() == []


def test_without_a_fallback_a_ranking_that_cannot_be_read_stops():
    with pytest.raises(ProviderError, match=r"billp: .* gave no reply that names a candidate"):
        ask(made(lambda request: "{}"))


@given(st.lists(st.sets(st.integers(0, 4)), max_size=12), st.integers(1, 4))
def test_each_day_of_a_user_is_over_once_and_days_add_up(days, away):
    episodes, ended = Episodes(away), []
    for users in days:
        who = np.array(sorted(users), dtype=np.int64)
        episodes.follow(Impressions(who, np.zeros(len(who), np.int32), np.zeros(len(who), bool)), lambda _: Situation())
    for number, each in enumerate(episodes.over()):
        ended += [(episode, number) for episode in each]
    assert episodes.over() == []
    seen = {(user, number) for number, users in enumerate(days) for user in users}
    assert len({(each.user, each.day) for each, _ in ended}) == len(ended)
    for each, number in ended:
        assert (each.user, each.day) in seen
        assert each.days == number - each.day <= away
        assert (each.after is not None) == (each.user in days[number])


def test_the_advantage_by_hand():
    assert advantage(True, 2, 4) == 1.0
    assert advantage(False, 2, -5) == -4.5


def test_a_prompt_that_changes_has_a_new_version():
    text = files("groundlings.recommenders.language").joinpath("billp.md").read_bytes()
    assert HASHES == {f"billp-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


@pytest.mark.parametrize("refit_every", [0, 2])
def test_a_run_counts_plans_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report, refit_every):
    monkeypatch.setattr(scripted, "legal_reply", thinker)

    def experiment(budget):
        return ExperimentConfig.model_validate(
            {
                "name": "planned", "seed": 5, "base": tmp_path, "mind": "behavioural",
                "simulation": {"days": 5, "refit_every": refit_every, "visit_probability": 0.6},
                "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
                "site": {"page_size": 4, "max_pages": 1},
                "arms": [
                    {
                        "name": "planner", "recommender": "billp",
                        "options": {"of": {"recommender": "popular"}, "candidates": 5, "away": 2},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}},
                    },
                ],
            }
        )  # fmt: skip

    done = run_experiment(experiment(1000), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    with LogReader(done.directory) as log:
        lessons = int(log.query("SELECT count(*) AS n FROM lessons").n[0])
    lists = arm["model_lists"]
    assert lists["plans"] == {"questions": lists["questions"], "unreadable": 0, "unanswerable": 0}
    calls = arm["counts"]["calls"]
    assert calls == 2 * lists["questions"] + lessons > 2 * lists["questions"] > 0
    asked = calls - arm["counts"]["from_store"]
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(asked - 6), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(f"calls: {asked - 6}", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
