"""The recommender `macrec` keeps the contract; its agents report to a manager, and each one's steps are counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import BudgetExhausted, ProviderError
from groundlings.environments.people import People
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import TOY_SIZE, RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.agent_loop import LAST_STEP, NOTES_HEADING
from groundlings.recommenders.language.macrec import MacRec
from groundlings.recommenders.language.tools.profile import ItemInfo, UserHistory, UserInfo
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel

SAMPLING = Sampling(0.0, 16)
HASHES = {"macrec-1": "409cce8eb01bab1509d7fb7f60f5c300a3ff8632ef70addd05984f0437b61e0e"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""
PEOPLE = People(tuple(f"u{user}" for user in range(TOY_SIZE)), ({"age": "24"}, *({},) * (TOY_SIZE - 1)))


def step(action, request="x"):
    return json.dumps({"thought": "to know more", "action": action, "input": request})


def agent_of(request):
    """Who is asked: the role that its question names."""
    told = request.messages[-1].content
    if candidates_shown(told):
        return "ranking"
    return next(
        name for name in ("manager", "analyst", "searcher", "interpreter", "reflector") if f"You are the {name}" in told
    )


def diligent(request):
    """Has the user analysed, then something searched for; ranks anew after the first reflection."""
    told = request.messages[-1].content
    found = told.partition(f"{NOTES_HEADING}\n")[2].partition("\n\n")[0]
    match agent_of(request):
        case "ranking":
            return json.dumps({"ranking": sorted(candidates_shown(told), reverse="not to hold" in told)})
        case "reflector":
            return json.dumps({"reason": "the order is alphabetical", "holds": "not to hold" in told})
        case "manager" if "interpret: " in told and "interpret" not in found:
            return step("interpret")
        case "manager" if "analyse_user" not in found:
            return step("analyse_user", "tastes")
        case "manager":
            return step("finish") if "search" in found else step("search", "Odd")
        case "analyst":
            return step("finish", "likes even ones") if found else step("user_history", "2")
        case "searcher":
            return step("finish", "Item 7 fits") if found else step("search", "Item 7")
        case _:
            return step("finish", "odd ones")


def made(rule=diligent, **options):
    one = MacRec(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def ask(one, users=(0,), queries=None):
    request = toy_request(checkerboard(), np.array(users), 5)
    return asyncio.run(one.rank(replace(request, queries=queries)))


def templates(ranking):
    return [call.template.removesuffix("-1").removeprefix("macrec").removeprefix("_") for call in ranking.calls]


class TestMacRec(RecommenderContract):
    def build(self):
        return MacRec(PopularRecommender(), ScriptedModel(diligent), SAMPLING, reflections=0)


TRIAL = ["analyst", "analyst", "manager", "searcher", "searcher", "manager", ""]


def test_agents_report_to_the_manager_and_a_reflection_begins_a_second_trial():
    one = made()
    ranking = ask(one)
    assert templates(ranking) == ["manager", *TRIAL, "reflector", "manager", *TRIAL]
    told = [request.messages[-1].content for request in one._asker.model.requests]
    assert f"{NOTES_HEADING}\n1. analyse_user tastes -> likes even ones\n2. search Odd -> Item 7 fits" in told[7]
    assert "1. user_history 2 -> Item 18, rated 5; Item 16, rated 5" in told[2]
    assert "not to hold together. The reason: the order is alphabetical" in told[9]
    first = [int(name.removeprefix("Item ")) for name in sorted(candidates_shown(told[-1]), reverse=True)]
    assert ranking.items[0].tolist() == first[:5]


def test_all_questions_begin_alike_and_show_no_one_elses_history():
    one = made(reflections=0)
    ask(one, (0, 1))
    requests = one._asker.model.requests
    assert len({request.messages[0].content for request in requests}) == 1
    for request in requests:
        if agent_of(request) == "manager":
            history = request.messages[-1].content.partition("You are")[0]
            assert len({int(line.rpartition(" ")[2]) % 2 for line in history.splitlines() if "Item" in line}) == 1


def test_words_of_the_user_are_interpreted_where_there_are_some_and_only_there():
    one = made(reflections=0)
    assert "interpreter" not in templates(ask(one, queries=(None,)))
    asked = ask(one, queries=("something odd, please",))
    assert templates(asked)[:2] == ["manager", "interpreter"]
    assert "What the user asked for: something odd, please" in one._asker.model.requests[-1].messages[-1].content


def restless(request):
    """Never finishes of its own accord, and never finds a ranking to hold."""
    match agent_of(request):
        case "ranking":
            return json.dumps({"ranking": candidates_shown(request.messages[-1].content)})
        case "reflector":
            return json.dumps({"reason": "no", "holds": False})
        case "manager":
            first = request.messages[-1].content.partition("next in the history:\n1. ")[2].partition("\n")[0]
            return step("analyse_item", first)
        case _ if LAST_STEP in request.messages[-1].content:
            return step("finish", "often taken")
        case _:
            return step("item_info", "Heat")


def mistaken(request):
    """The same, but in its first trial the manager asks for an item that is not there."""
    if agent_of(request) == "manager" and "not to hold" not in request.messages[-1].content:
        return step("analyse_item", "Heat")
    return restless(request)


@pytest.mark.parametrize(("steps", "helper_steps", "reflections"), [(2, 2, 0), (3, 2, 1), (4, 3, 2)])
def test_a_list_takes_as_many_questions_as_its_page_says_and_no_more(steps, helper_steps, reflections):
    one = made(restless, steps=steps, helper_steps=helper_steps, reflections=reflections)
    most = (1 + reflections) * (steps + (steps - 1) * helper_steps) + reflections
    calls, bounds = ask(one).calls, one.calls_per_list()
    assert len(calls) == most
    assert all(sum(call.template == prompt for call in calls) <= bounds[prompt] for prompt in bounds)


@pytest.mark.parametrize(
    ("agent", "asked"),
    [
        ("manager", ["manager", "", "reflector", "manager", ""]),
        ("analyst", ["manager", "analyst", "manager", "searcher", "searcher", "manager", "", "reflector"]),
        ("reflector", ["manager", *TRIAL, "reflector"]),
    ],
)
def test_a_reply_that_cannot_be_read_ends_the_work_of_its_agent_alone(agent, asked):
    ranking = ask(made(lambda request: "?" if agent_of(request) == agent else diligent(request)))
    assert templates(ranking)[: len(asked)] == asked
    bad = [call.template for call in ranking.calls if call.status == "unreadable"]
    assert bad
    assert set(bad) == {f"macrec_{agent}-1"}


def test_a_ranking_that_names_no_candidate_stops_or_falls_back_where_told():
    def rule(request):
        return json.dumps({"ranking": ["Heat"]}) if agent_of(request) == "ranking" else diligent(request)

    with pytest.raises(ProviderError, match="macrec: scripted gave no reply that names a candidate"):
        ask(made(rule))
    ranking = ask(made(rule, fallback="candidates"))
    assert "reflector" not in templates(ranking)
    request = toy_request(checkerboard(), np.array([0]), 5)
    assert ranking.items.tolist() == asyncio.run(made().of.rank(request)).items.tolist()


def test_tools_tell_what_is_known_and_say_so_where_nothing_is():
    history = UserHistory(toy_catalog(), checkerboard())
    assert history.use("the last 1", Seat(0, [2, 4])) == "Item 4, rated 5"
    assert UserInfo(PEOPLE).use("", Seat(0, [])) == "age 24"
    assert ItemInfo(toy_catalog()).use("item 3", Seat(0, [])) == "Item 3: Odd"
    for use, request, seat, said in (
        (history.use, "all", Seat(0, [2]), "expected a number"),
        (history.use, "3", Seat(0, []), "no history"),
        (UserInfo(PEOPLE).use, "", Seat(1, []), "nothing is known"),
        (ItemInfo(toy_catalog()).use, "Heat", Seat(0, []), "is called that"),
    ):
        with pytest.raises(ToolFault, match=said):
            use(request, seat)


def test_the_team_knows_what_was_observed_and_a_prompt_has_its_version():
    one = made(demographics=PEOPLE)
    before = one.state()
    one.observe(checkerboard(1).take(np.arange(30)))
    assert one.state() != before
    assert [tool.name for tool in one._team.analysis] == ["user_info", "user_history", "item_info", "summarise"]
    text = files("groundlings.recommenders.language").joinpath("macrec.md").read_bytes()
    assert NOTES_HEADING.encode() in text
    assert LAST_STEP.encode() in text
    assert HASHES == {f"macrec-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def test_a_run_counts_each_agent_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", mistaken)

    def experiment(budget):
        return ExperimentConfig.model_validate(
            {
                "name": "team", "seed": 5, "base": tmp_path, "mind": "behavioural",
                "dataset": {"name": "toy", "toy": {"n_users": 3, "n_items": 30, "interactions_per_user": 8}},
                "site": {"page_size": 4, "max_pages": 2},
                "arms": [
                    {
                        "name": "team", "recommender": "macrec",
                        "options": {"of": {"recommender": "popular"}, "candidates": 5, "steps": 2, "helper_steps": 2},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}},
                    },
                ],
            }
        )  # fmt: skip

    counts = ("questions", "tools", "failed", "made_up", "lists", "finished", "exhausted")
    done = run_experiment(experiment(1000), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, team = arm["model_lists"], arm["model_lists"]["team"]
    assert lists["questions"] == 2 * 3
    assert lists["hallucinated"] == 0
    # A step of the manager per ranking; in one of two it names no item, and no agent begins.
    assert {key: lists["steps"][key] for key in counts} == dict(zip(counts, (6, 6, 3, 3, 6, 0, 6), strict=True))
    # One tool in vain, then the report that the last step asks for.
    assert {key: team["analyst"][key] for key in counts} == dict(zip(counts, (6, 3, 3, 3, 3, 0, 3), strict=True))
    assert team["reflector"] == {"questions": 3, "unreadable": 0, "unanswerable": 0, "held": 0, "again": 3}
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(20), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 20", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
