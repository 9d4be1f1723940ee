"""The recommender `interec_agent` keeps the contract: plans, narrows a bus, is reviewed, counts all."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import BudgetExhausted, ProviderError, UnreadableReply
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.language.interec_agent import InteRecAgent
from groundlings.recommenders.language.plans import read_plan, read_verdict
from groundlings.recommenders.language.tools.bus import ABOUT
from groundlings.recommenders.language.tools.catalogue import CatalogueSql
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel

SAMPLING = Sampling(0.7, 16)
HASHES = {"interec_agent-1": "846c6a4ee93e2cc67ff2b920d7a7f0c96e0f9029b2664337c0ab868f9932764c"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""


def plan(*steps):
    return json.dumps(
        {"plan": [dict(zip(("tool", "input", "items", "unwanted"), step, strict=False)) for step in steps]}
    )


def verdict(good=True, advice=""):
    return json.dumps({"verdict": "yes" if good else "no", "advice": advice})


def asks_for_verdict(request):
    return "verdict" in request.reply_schema["properties"]


def scripted_by(*plans, verdicts=(True,)):
    """A model that writes these plans and verdicts, each chosen by how often the list came back."""

    def say(request):
        back = "A critic said" in request.messages[-1].content
        return verdict(verdicts[0], "less of it") if asks_for_verdict(request) else plans[back and len(plans) - 1]

    return ScriptedModel(say)


OWN = plan(("rank", "preference"), ("map", "5"))


def made(*plans, verdicts=(True,), **options):
    one = InteRecAgent(PopularRecommender(), scripted_by(*plans, verdicts=verdicts), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def ask(one, users=(0,), size=5, **further):
    request = replace(toy_request(checkerboard(), np.array(users), size), **further)
    ranking = asyncio.run(one.rank(request))
    ranking.check(request, 20)
    return ranking


def listed(*steps, size=5):
    return [item for item in ask(made(plan(*steps)), (19,), size).items[0].tolist() if item >= 0]


class TestInteRecAgent(RecommenderContract):
    def build(self):
        return InteRecAgent(PopularRecommender(), scripted_by(OWN), SAMPLING)


def test_one_plan_and_one_review_are_two_questions_and_no_item_of_the_bus_is_told_to_the_planner():
    one = made(OWN)
    ranking = ask(one, (19,))
    assert [call.template for call in ranking.calls] == ["interec_agent-1", "interec_critic-1"]
    planner, critic = one._asker.model.requests
    assert "Item" not in planner.messages[-1].content, "a user without history names none"
    assert "1. rank preference -> ordered by preference (20 left)\n2. map 5 -> Item " in critic.messages[-1].content
    assert planner.temperature == 0.7
    assert critic.temperature == 0


def test_a_list_that_is_sent_back_is_planned_once_more_with_the_advice():
    one = made(plan(("filter", "categories = 'Odd'")), plan(("filter", "categories = 'Even'")), verdicts=(False,))
    ranking = ask(one, (19,))
    assert [call.template.partition("-")[0] for call in ranking.calls] == [
        "interec_agent", "interec_critic", "interec_agent"
    ]  # fmt: skip
    assert (ranking.items % 2 == 0).all()
    again = one._asker.model.requests[-1].messages[-1].content
    assert "1. filter categories = 'Odd' -> holds for 10 (10 left)\n\nA critic said of its list: less of it" in again
    assert len(ask(made(OWN, verdicts=(False,), reviews=0), (19,)).calls) == 1
    assert len(ask(made(OWN, verdicts=(False,), reviews=2), (19,)).calls) == 5


def test_tools_narrow_and_order_the_candidates():
    counts = checkerboard().item_counts
    by_count = sorted(range(20), key=lambda item: (-counts[item], item))
    assert listed(("rank", "popularity")) == by_count[:5]
    assert listed(("filter", "title LIKE 'Item 1%'"), ("filter", "categories = 'Odd'"), size=9) == [
        19,
        1,
        11,
        13,
        15,
        17,
    ]
    assert all(item % 2 for item in listed(("similar", "", ["Item 3"])))
    assert 3 not in listed(("similar", "", ["Item 3"]))
    assert listed(("rank", "preference", ["item 3"]))[0] % 2 == 1
    assert listed(("rank", "preference"))[0] == by_count[0]
    assert by_count[0] not in listed(("rank", "popularity", [], [f"Item {by_count[0]}"]))
    assert listed(("rank", "similarity", ["Item 4"]))[0] % 2 == 0
    both = listed(("similar", "", ["Item 3"]), ("rank", "similarity"))
    assert both == listed(("similar", "", ["Item 3"]), ("rank", "similarity", ["Item 3"]))


@pytest.mark.parametrize(
    "step",
    [
        ("filter", "rating = "), ("filter", "1) UNION SELECT name FROM sqlite_master --"), ("similar", "", ["Heat"]),
        ("rank", "similarity"), ("rank", "mood"), ("map", "all"), ("query", "DELETE FROM items"),
    ],
)  # fmt: skip
def test_a_tool_that_cannot_serve_leaves_the_candidates_and_the_critic_reads_why(step):
    one = made(plan(step))
    assert (ask(one, (19,)).items >= 0).all()
    assert f"\n1. failed: {step[0]} " in one._asker.model.requests[-1].messages[-1].content


def test_conditions_choose_among_items_whatever_rows_they_add():
    tables, seat = CatalogueSql(toy_catalog(), checkerboard()), Seat(0, [2, 4])
    assert tables.matching("title IN (SELECT title FROM history)", seat).tolist() == [2, 4]
    assert tables.matching("taken > 99 -- )", seat).tolist() == []
    assert tables.matching("0) UNION SELECT 'x' UNION SELECT 999 UNION SELECT (1", seat).tolist() == [0]
    with pytest.raises(ToolFault, match="SQLite refuses it"):
        tables.matching("title = (SELECT name FROM sqlite_master)", seat)


def test_a_short_list_is_filled_and_an_unreadable_plan_replaced_only_where_the_file_says_so():
    narrow = ("filter", "title IN ('Item 3', 'Item 5')")
    assert listed(narrow) == [3, 5]
    filled = ask(made(plan(narrow), fallback="candidates"), (19,))
    assert filled.items[0, :2].tolist() == [3, 5]
    assert np.isnan(filled.scores[0]).tolist() == [False, False, True, True, True]
    popular = ask(made("no plan", fallback="candidates"), (19,))
    assert popular.calls[0].status == "unreadable"
    assert (
        popular.items[0].tolist() == sorted(range(20), key=lambda item: (-checkerboard().item_counts[item], item))[:5]
    )
    for nothing in ("no plan", plan(("filter", "0"))):
        with pytest.raises(ProviderError, match="left anything to list"):
            ask(made(nothing), (19,))


def test_the_bus_begins_with_the_first_candidates_where_the_file_says_how_many():
    one = made(OWN, candidates=6, reviews=1)
    ask(one, (19,))
    assert "(6 left)" in one._asker.model.requests[-1].messages[-1].content


def test_the_model_is_told_what_was_passed_over_and_what_is_wished_for():
    one = made(OWN, unwanted=2)
    before = one.state()
    shown, taken = np.array([3, 5, 7, 9]), np.array([False, True, False, False])
    one.observe_impressions(Impressions(np.zeros(4, dtype=np.int64), shown.astype(np.int32), taken))
    assert one.state() != before
    ask(one, queries=("odd ones\n# please",))
    told = one._asker.model.requests[0].messages[-1].content
    assert "not taken:\n1. Item 7\n2. Item 9\n\nThe user wishes for: odd ones # please\n\n" in told
    one.observe_impressions(Impressions(np.zeros(1, dtype=np.int64), np.array([9], np.int32), np.array([True])))
    assert one._passed.items == {0: (7,)}


def test_plans_and_verdicts_of_another_form_are_unreadable():
    tools = tuple(ABOUT)
    bad = [
        "",
        "[]",
        '{"plan":[]}',
        plan(("web", "x")),
        plan(("rank", 3)),
        plan(("rank", "x", "Heat")),
        plan(*[("map", "1")] * 6),
    ]
    for text in [*bad, '{"plan":[{"tool":"map"}]}', '{"plan":[{"tool":"map","input":"1","why":""}]}']:
        with pytest.raises(UnreadableReply):
            read_plan(text, tools, 5)
    for text in ("yes", '{"verdict":"maybe","advice":""}', '{"verdict":"yes"}'):
        with pytest.raises(UnreadableReply):
            read_verdict(text)


def test_a_prompt_has_its_version():
    text = files("groundlings.recommenders.language").joinpath("interec_agent.md").read_bytes()
    assert HASHES == {f"interec_agent-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def fussy(request):
    """Sends each list back; the first plan names an item that is not there and fails, the second is good."""
    if asks_for_verdict(request):
        return verdict(False, "rank them")
    if "A critic said" in request.messages[-1].content:
        return plan(("rank", "popularity"))
    return plan(("similar", "", ["Nothing of that name"]), ("filter", "taken < 0"))


def test_a_run_counts_plans_and_reviews_and_replays_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", fussy)

    def experiment(budget, **model):
        return ExperimentConfig.model_validate(
            {
                "name": "planned", "seed": 5, "base": tmp_path, "simulation": {"days": 2}, "mind": "behavioural",
                "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
                "site": {"page_size": 4, "max_pages": 2},
                "arms": [
                    {
                        "name": "agent", "recommender": "interec_agent", "options": {"of": {"recommender": "popular"}},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}, **model},
                    },
                ],
            }
        )  # fmt: skip

    store = str(tmp_path / "calls.db")
    done = run_experiment(experiment(1000, store={"path": store, "mode": "record"}), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, plans = arm["model_lists"], arm["model_lists"]["tool_plans"]
    assert lists["questions"] == lists["hallucinated"] == lists["names"] == plans["again"] == 12
    assert plans["reviews"] == plans["sent_back"] == plans["failed"] == plans["short"] == plans["unranked"] == 12
    assert plans["tools"] == 3 * 12
    assert plans["reviewed_tools"] == plans["plans"] == 2 * 12
    assert lists["unreadable"] == plans["unreadable"] == plans["unreadable_reviews"] == 0
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(26), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 26", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
    replayed = experiment(1000, store={"path": store, "mode": "replay"})
    assert run_experiment(replayed, tmp_path / "again").digest == done.digest
