"""The recommender `recmind` keeps the contract; it uses tools, keeps what other ways found, and counts what failed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
from importlib.resources import files

import numpy as np
import pytest

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import BudgetExhausted
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog, toy_request
from groundlings.recommenders.language.recmind import RecMind
from groundlings.recommenders.language.tools.catalogue import CatalogueSql
from groundlings.recommenders.language.tools.search import CatalogueSearch
from groundlings.recommenders.language.tools.summary import ItemSummary
from groundlings.recommenders.language.tools.tool import Seat, ToolFault
from groundlings.recommenders.language.wording import candidates_shown
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.language.scripted import ScriptedModel

SAMPLING = Sampling(0.0, 16)
HASHES = {"recmind-1": "917901f2e2d6f5e04870794c4d87254d81348d6c4fb34cc6db994e62ab87a7f2"}
"""Version of a prompt -> its SHA-256: whoever changes a text raises its version."""
SEAT = Seat(0, [2, 4])


def step(action, request="x"):
    return json.dumps({"thought": "to know more", "action": action, "input": request})


def curious(request):
    """Looks up the latest item, tries one search beside it, finishes, and ranks the found item first."""
    told = request.messages[-1].content
    if names := candidates_shown(told):
        return json.dumps({"ranking": sorted(names, key=lambda name: name not in told.partition("-> ")[2])})
    actions = request.reply_schema["properties"]["action"]["enum"]
    if "none" in actions:
        return step("search", "Item 7") if "(another way)" not in told else step("none")
    return step("sql", "SELECT title FROM items WHERE title = 'Item 3'") if "found:" not in told else step("finish")


def made(rule=curious, **options):
    one = RecMind(PopularRecommender(), ScriptedModel(rule), SAMPLING, **options)
    one.fit(checkerboard(), toy_catalog())
    return one


def ask(one, users=(0,)):
    return asyncio.run(one.rank(toy_request(checkerboard(), np.array(users), 5)))


class TestRecMind(RecommenderContract):
    def build(self):
        return RecMind(PopularRecommender(), ScriptedModel(curious), SAMPLING)


def test_it_looks_up_tries_another_way_and_ranks_by_all_that_was_found():
    one = made()
    ranking = ask(one)
    assert [call.template for call in ranking.calls] == ["recmind_steps-1"] * 3 + ["recmind-1"]
    last = one._asker.model.requests[-1].messages[-1].content
    assert "What was found:\n1. sql SELECT title FROM items WHERE title = 'Item 3' -> Item 3\n1 (another" in last
    assert "(another way). search Item 7 -> Item 7; " in last


def test_without_alternatives_it_is_a_plain_loop_of_so_many_steps():
    def restless(request):
        return curious(request) if candidates_shown(request.messages[-1].content) else step("search", "Odd")

    assert len(ask(made(restless, alternatives=0, steps=4)).calls) == 5


def test_a_step_that_cannot_be_read_ends_the_steps_and_the_list_is_made():
    one = made(lambda request: curious(request) if candidates_shown(request.messages[-1].content) else step("web"))
    calls = ask(one).calls
    assert [call.status for call in calls] == ["unreadable", "ok"]


def test_all_questions_begin_alike_and_show_no_one_elses_history():
    one = made()
    ask(one, (0, 1))
    assert len({request.messages[0].content for request in one._asker.model.requests}) == 1
    tables = CatalogueSql(toy_catalog(), checkerboard())
    assert tables.use("SELECT title FROM history ORDER BY place", SEAT) == "Item 2; Item 4"
    assert tables.use("SELECT title FROM history", Seat(1, [9])) == "Item 9"


def test_queries_read_items_and_the_users_history():
    tables = CatalogueSql(toy_catalog(), checkerboard())
    assert tables.use("SELECT categories, taken FROM items WHERE title = 'Item 3'", SEAT) == "Odd, 8"
    assert tables.use("SELECT count(*) FROM items WHERE title IN (SELECT title FROM history)", SEAT) == "2"
    assert tables.use("SELECT title FROM items WHERE title = 'Heat'", SEAT) == "no rows"
    assert tables.use("SELECT title FROM items", SEAT).endswith("Item 7; ...")
    assert pickle.loads(pickle.dumps(tables)).use("SELECT max(taken) FROM items", SEAT) == tables.use(
        "SELECT max(taken) FROM items", SEAT
    )


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM items", "DROP TABLE items", "ATTACH 'x.db' AS x", "PRAGMA table_info(items)", "", "SELECT",
        "SELECT * FROM sqlite_master", "SELECT random()", "SELECT load_extension('x')", "SELECT date('now')",
        "SELECT 1; SELECT 2", "SELECT zeroblob(1000000000)", "SELECT '\0'", "SELECT writefile('x', 'y')",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "SELECT count(*) FROM items a, items b, items c, items d, items e, items f, items g",
    ],
)  # fmt: skip
def test_other_queries_are_refused_and_the_tables_stay(query):
    tables = CatalogueSql(toy_catalog(), checkerboard())
    with pytest.raises(ToolFault):
        tables.use(query, SEAT)
    assert tables.use("SELECT count(*) FROM items", SEAT) == "20"


def test_search_finds_rare_words_first_and_summaries_have_denominators():
    search = CatalogueSearch(toy_catalog())
    assert search.use("odd 7", SEAT).startswith("Item 7; Item 1; ")
    with pytest.raises(ToolFault, match="has one of these words"):
        search.use("zebra", SEAT)
    summary = ItemSummary(toy_catalog(), checkerboard())
    assert summary.use("item 3", SEAT).startswith("Item 3 was taken by 8 of 20 users; ")
    assert "of these users many took Item " in summary.use("Item 3", SEAT)
    with pytest.raises(ToolFault, match="is called that"):
        summary.use("Heat", SEAT)


def test_tools_know_what_was_observed_and_a_prompt_has_its_version():
    one = made()
    before = one.state()
    one.observe(checkerboard(1).take(np.arange(30)))
    assert one.state() != before
    sql = one._loop.tools[0]
    assert sql.use("SELECT sum(taken) FROM items", SEAT) > CatalogueSql(toy_catalog(), checkerboard()).use(
        "SELECT sum(taken) FROM items", SEAT
    )
    text = files("groundlings.recommenders.language").joinpath("recmind.md").read_bytes()
    assert HASHES == {f"recmind-{text.split()[1].decode()}": hashlib.sha256(text).hexdigest()}


def wild(request):
    """Asks for what no tool has, never finishes, and names one item that is not there."""
    names = candidates_shown(request.messages[-1].content)
    if not names:
        return step("sql", "SELECT * FROM users")
    return json.dumps({"ranking": [*names[:-1], "The item that is not"]})


def test_a_run_counts_its_steps_and_resumes_to_the_same_digest(tmp_path, monkeypatch, quick_report):
    monkeypatch.setattr(scripted, "legal_reply", wild)

    def experiment(budget):
        return ExperimentConfig.model_validate(
            {
                "name": "looked_up", "seed": 5, "base": tmp_path, "simulation": {"days": 2}, "mind": "behavioural",
                "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
                "site": {"page_size": 4, "max_pages": 2},
                "arms": [
                    {
                        "name": "agent", "recommender": "recmind",
                        "options": {"of": {"recommender": "popular"}, "candidates": 5, "steps": 2},
                        "model": {"provider": "scripted", "concurrency": 1, "budget": {"calls": budget}},
                    },
                ],
            }
        )  # fmt: skip

    done = run_experiment(experiment(1000), tmp_path / "whole")
    (arm,) = json.loads((done.directory / "summary.json").read_text())["arms"]
    lists, steps = arm["model_lists"], arm["model_lists"]["steps"]
    assert lists["questions"] == lists["hallucinated"] == lists["missing"] == steps["exhausted"] == 12
    assert steps["tools"] == steps["failed"] == steps["questions"] == 4 * 12
    assert steps["other_ways"] == 2 * 12
    assert steps["unreadable"] == 0
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(33), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 33", "calls: 1000"))
    assert resume_experiment(tmp_path / "run").digest == done.digest
