"""Layouts, rules and random slots from the file to the log, with ratings and without."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.experiments.config.loading import as_yaml, config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan, prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.log.store import LOG_NAME

SHIPPED = Path(__file__).parents[3] / "experiments" / "configs" / "layouts.yaml"
ROWS = {
    "kind": "rows",
    "rows": [
        {"name": "For you", "visible": 3, "scrolled": 3},
        {"name": "Because you like {category}", "visible": 2, "scrolled": 2, "filter": "most_liked"},
        {"name": "Ones", "visible": 2, "filter": {"category": "genre 1"}},
    ],
}
SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 10}},
    "simulation": {"days": 2},
    "mind": {"kind": "behavioural", "scroll_probability": 0.5, "random_click_rate": 0.2},
    "site": {"max_pages": 2, "layout": ROWS},
    "arms": [{"name": "popular", "recommender": "popular"}],
}
RULES = [
    {"pin": {"item": "i5", "position": 2}},
    {"exclude": {"items": ["i7", "i8"]}},
    {"cap": {"category": "genre 2", "at_most": 2}},
]


def config_of(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SMALL, **changes})


def unrated(dataset):
    """The same data set as of a shop that asks for no ratings."""
    met = dataset.interactions
    bare = Interactions.of(met.users, met.items, None, met.timestamps, n_users=met.n_users, n_items=met.n_items)
    return replace(dataset, interactions=bare)


def halves(dataset):
    """The same data set with half stars."""
    scale = RatingScale(0.5, 5.0, 0.5)
    stars = np.clip(dataset.interactions.ratings - 0.5 * (np.arange(len(dataset.interactions)) % 2), 0.5, 5)
    return replace(dataset, scale=scale, interactions=replace(dataset.interactions, ratings=stars))


def logged(config, directory, change=None):
    """The rows of a log, as a function of a query."""
    supplied = Supplied(dataset=change(load_dataset(config.dataset))) if change else Supplied()

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack, supplied=supplied)
            await simulate(plan, run_row(plan), directory / LOG_NAME)

    asyncio.run(whole())

    def asked(query):
        with closing(sqlite3.connect(directory / LOG_NAME)) as log:
            return log.execute(query).fetchall()

    return asked


@pytest.mark.parametrize("change", [None, unrated, halves], ids=["stars", "without ratings", "half stars"])
def test_pages_of_rows_with_rules_and_random_slots_go_into_the_log_whole(tmp_path, change):
    arms = [{"name": "ruled", "recommender": "item_knn", "rules": RULES, "slots": {"share": 0.2}}]
    ask = logged(config_of(arms=arms), tmp_path, change)
    assert ask("SELECT count(*) FROM impressions WHERE clicked <> (u_click < p_click)") == [(0,)]
    assert ask("SELECT count(*) FROM impressions WHERE clicked AND NOT examined") == [(0,)]
    shown = "SELECT count(*) FROM impressions JOIN items USING (item_id) JOIN sessions USING (session_id)"
    assert ask(f"{shown} WHERE source_item_id IN ('i7', 'i8')") == [(0,)]
    pinned = f"{shown} WHERE source_item_id = 'i5' AND page = 1"
    assert ask(f"{pinned} AND position <> 1") == [(0,)]
    assert ask(f"{pinned} AND position = 1")[0][0] > 50
    per_page = """SELECT max(n) FROM (SELECT count(*) AS n FROM impressions JOIN items USING (item_id)
                  WHERE genres = 'genre 2' GROUP BY session_id, page)"""
    assert ask(per_page) == [(2,)]
    assert ask("SELECT count(*) FROM (SELECT 1 FROM impressions GROUP BY session_id, item_id HAVING count(*) > 1)") == [
        (0,)
    ]
    ((random, kinds),) = ask("SELECT avg(is_random), group_concat(DISTINCT pscore_kind) FROM impressions JOIN sessions "
                             "USING (session_id) WHERE position <> 1")  # fmt: skip
    assert random == pytest.approx(0.2, abs=0.05)
    assert kinds == "exact"
    liked = "SELECT count(*) FROM impressions JOIN items USING (item_id) WHERE row_name LIKE 'Because you like %'"
    assert ask(f"{liked} AND row_name <> 'Because you like ' || genres") == [(0,)]
    assert ask(liked)[0][0] > 0
    ((options,),) = ask("SELECT options FROM arms")
    assert json.loads(options)["rules"][0]["pin"] == {"item": "i5", "position": 2}
    scrolled = "SELECT avg(examined) FROM impressions WHERE row_name = 'For you' AND place_slot = "
    looked = [ask(f"{scrolled}{slot}")[0][0] for slot in range(6)]
    assert looked[:3] == [1, 1, 1]
    assert looked[3:] == sorted(looked[3:], reverse=True)
    assert looked[3] == pytest.approx(0.5, abs=0.12)


def test_a_recommender_keeps_its_rules_wherever_the_slots_of_the_site_are(tmp_path):
    arms = [
        {"name": "plain", "recommender": "popular"},
        {"name": "own", "recommender": "popular", "slots": {"positions": [1, 3], "pool": {"category": "genre 1"}}},
        {"name": "none", "recommender": "random_order", "slots": "none"},
    ]
    site = {"page_size": 4, "max_pages": 1, "slots": {"share": 0.3}}
    ask = logged(config_of(arms=arms, site=site), tmp_path)
    query = """SELECT arms.name, impressions.position, avg(is_random) FROM impressions JOIN sessions USING (session_id)
               JOIN arms USING (arm_id) GROUP BY 1, 2 ORDER BY 1, 2"""
    found = {(arm, position): share for arm, position, share in ask(query)}
    assert [found["own", position] for position in range(4)] == [1, 0, 1, 0]
    assert [found["none", position] for position in range(4)] == [1, 1, 1, 1]
    assert np.mean([found["plain", position] for position in range(4)]) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mind": {"kind": "behavioural"}}, "mind.scroll_probability: .*reached by scrolling"),
        (
            {"mind": {"kind": "behavioural", "scroll_probability": 0.5, "layout": "grid"}},
            "mind.layout: site.layout says that a page has rows already",
        ),
        ({"site": {"page_size": 7, "layout": ROWS}}, "page_size: found 7, and the rows of the layout have 12 slots"),
        ({"site": {"rank_each": "visit", "layout": ROWS}}, "rank_each: rows with a filter are asked for one by one"),
        (
            {"site": {"layout": {"kind": "rows", "rows": [{"name": "a", "visible": 1}] * 2}}},
            "rows: names must differ, found more than once: a",
        ),
        (
            {"site": {"layout": {"kind": "rows", "rows": [{"name": "{category}", "visible": 1}]}}},
            "this row has none",
        ),
        ({"site": {"max_pages": 50_000, "layout": ROWS}}, "12 slots per page on 50000 pages"),
    ],
)
def test_a_layout_that_cannot_be_shown_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        config_of(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"site": {"layout": {"kind": "rows", "rows": [{"name": "a", "visible": 1, "filter": {"category": "no"}}]}}},
            r"site.layout.rows\[0\].filter.category: no item has the category 'no'",
        ),
        (
            {"arms": [{"name": "a", "recommender": "popular", "rules": [{"pin": {"item": "x", "position": 1}}]}]},
            r"arms\[0\].rules\[0\].pin.item: the data set has no item 'x'",
        ),
        (
            {"site": {"slots": {"share": 0.1, "pool": {"items": ["x"]}}}},
            r"site.slots \(arms\[0\]\).pool.items\[0\]: the data set has no item 'x'",
        ),
        (
            {"site": {"slots": {"share": 0.1}}, "arms": [{"name": "a", "recommender": "random_order"}]},
            r"site.slots \(arms\[0\]\): random slots would change",
        ),
    ],
)
def test_what_the_data_set_does_not_have_is_refused_before_anything_is_written(changes, message):
    with pytest.raises(ConfigError, match=message):
        build_plan(config_of(**changes))


@pytest.mark.parametrize("kind", [FidelityConfig, TruthConfig])
def test_labs_that_measure_plain_lists_refuse_the_rest(kind):
    content = {"name": "a", "seed": 1, "dataset": SMALL["dataset"]}
    with pytest.raises(ValidationError, match="site: this command measures plain ranked lists"):
        kind.model_validate({**content, "site": {"layout": "grid"}})
    arms = [arm.model_dump(exclude_none=True) for arm in kind.model_validate(content).recommenders]
    arms[1]["rules"] = RULES
    with pytest.raises(ValidationError, match=r"recommenders\.1: this command measures plain lists"):
        kind.model_validate({**content, "recommenders": arms})


def test_a_list_that_is_named_is_the_page_of_before_and_rows_are_read_back_as_written(tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(as_yaml(config_of()))
    again = load_config(path)
    assert again.site == config_of().site
    assert again.site.page_size == 12
    assert config_hash(again) == config_hash(config_of())
    plain = build_plan(config_of(site={"layout": "list"})).environment
    assert plain == build_plan(config_of(site={})).environment
    assert "layout" not in plain.describe()


def test_the_shipped_experiment_shows_rows_rules_and_random_slots():
    plan = build_plan(load_config(SHIPPED))
    assert plan.environment.describe()["layout"]["rows"][0]["name"] == "For you"
    assert plan.config.site.slots is not None
    rules = [rule.model_dump(exclude_none=True) for arm in plan.config.arms for rule in arm.rules or ()]
    assert {name for rule in rules for name in rule} == {"pin", "exclude", "cap", "boost"}


PAGE = (SHIPPED.parents[2] / "docs" / "layouts.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_can_be_run(block):
    found = yaml.safe_load(block)
    changes = {"arms": [{"name": "a", **found}]} if "recommender" in found else found
    assert build_plan(config_of(**changes)).arms


def test_the_query_of_the_page_tells_how_each_row_does(tmp_path):
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    found = logged(config_of(), tmp_path)(query)
    assert [row[:2] for row in found[:6]] == [("For you", slot) for slot in range(6)]
