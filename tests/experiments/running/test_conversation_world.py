"""A run in which people and recommenders converse: log, resumption, metrics and report, on films and on groceries."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.people.story import story
from groundlings.experiments.analysis.report.stories import tally_words
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.python_api.why_frames import why_frame
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("quick_report")

TOY = {"name": "toy", "toy": {"n_users": 24, "n_items": 60, "interactions_per_user": 10}}
ARMS = [
    {"name": "popularity", "recommender": "popular"},
    {"name": "asking", "recommender": "chat", "options": {"system": "asking", "suggestions": 3}},
]
WORLD = {
    "name": "talks",
    "seed": 5,
    "dataset": TOY,
    "environment": {"kind": "conversation", "turns": 8},
    "mind": {"kind": "conversing", "cohort_size": 7},
    "simulation": {"days": 2},
    "plan": {"primary": "needs_met"},
    "arms": ARMS,
}


def config(**changes):
    return ExperimentConfig.model_validate({**WORLD, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory, blank_pictures_in_file):
    return run_experiment(config(), tmp_path_factory.mktemp("talks") / "run")


def means(done):
    arms = json.loads((done.directory / "summary.json").read_text())["arms"]
    return {arm["name"]: {name: each["mean"] for name, each in arm["metrics"].items()} for arm in arms}


def test_asking_meets_more_needs_with_fewer_items_named(whole):
    found = means(whole)
    assert found["asking"]["needs_met"] > found["popularity"]["needs_met"]
    assert found["asking"]["items_named"] < found["popularity"]["items_named"]
    assert found["asking"]["questions"] > 0 == found["popularity"]["questions"]
    assert found["asking"]["titles_not_shown"] == found["asking"]["broken_off"] == 0


def test_every_word_and_act_is_in_the_log(whole):
    with LogReader(whole.directory) as log:
        events, sessions, impressions = log.events(), log.sessions(), log.impressions()
        learnt, parts = log.interactions(), why_frame(log, "parts")
    assert set(parts["measured"]) == {"Items accepted per session"}
    per_kind = events.groupby("kind").size()
    assert per_kind["suitable_items"] == per_kind["best_worth"] == len(sessions)
    assert per_kind["accept"] + per_kind["refuse"] == len(impressions)
    assert per_kind["worth"] == per_kind["accept"] == len(learnt), "recommenders learn from what is accepted"
    assert per_kind["system_says"] == (sessions.pages - 1).sum()
    assert set(sessions.ended_by) <= {"exit", "last_page"}


def test_the_same_digest_in_other_cohorts_and_after_an_interruption(whole, tmp_path, interrupted):
    other = run_experiment(config(mind={"kind": "conversing", "cohort_size": 4}), tmp_path / "other")
    assert means(other) == means(whole)
    halved = interrupted(**{name: part for name, part in WORLD.items() if name != "name"}, name="talks")
    assert resume_experiment(halved).digest == whole.digest


def test_a_grocer_sells_by_conversation(tmp_path, repeat_shop):
    """Brands and prices instead of genres, nobody rates, and nothing is bought that was had before."""
    catalog, chance = repeat_shop.catalog, np.random.default_rng(0)
    brands = np.array(["Aurora", "Borealis", None], dtype=object)[chance.integers(0, 3, len(catalog))]
    prices = np.where(chance.random(len(catalog)) < 0.1, np.nan, chance.uniform(1, 9, len(catalog)))
    shop = replace(repeat_shop, catalog=replace(catalog, features={"brand": brands, "price": prices}))
    done = run_experiment(config(), tmp_path / "shop", supplied=Supplied(dataset=shop))
    assert means(done)["asking"]["needs_met"] > means(done)["popularity"]["needs_met"]
    with LogReader(done.directory) as log:
        said = " ".join(log.events().query("kind == 'say'").detail)
    assert '"brand"' in said
    assert '"price"' in said


@pytest.mark.parametrize("mind", ["behavioural", "language"])
def test_a_mind_that_does_not_converse_is_refused_and_those_that_do_are_named(mind):
    with pytest.raises(ConfigError, match=f"^mind: {mind} does not converse.* conversing .* conversing_language "):
        build_plan(config(mind=mind))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"arms": [{"name": "a", "recommender": "chat", "options": {"questions": ["year", "year"]}}]},
            "each field once",
        ),
        ({"mind": {"kind": "conversing", "reveal": {"on_ask": 1.7e308, "hidden": 1.7e308}}}, "less than or equal"),
    ],
    ids=["a field twice", "weights without a sum"],
)
def test_what_cannot_be_drawn_or_asked_is_refused(changes, says):
    with pytest.raises((ConfigError, ValueError), match=says):
        build_plan(config(**changes)).recommender(config(**changes).arms[0])


def test_items_without_a_field_give_nobody_a_need(repeat_shop):
    bare = replace(repeat_shop.catalog, genres=((),) * len(repeat_shop.catalog), features={})
    bare = replace(bare, years=np.full(len(bare), np.nan))
    with pytest.raises(ConfigError, match="draws what people look for from genres, years and features"):
        build_plan(config(), supplied=Supplied(dataset=replace(repeat_shop, catalog=bare))).mind()


def test_a_story_tells_who_said_what(whole):
    with LogReader(whole.directory) as log:
        asking = next(arm for arm in story(log, log.agent_ids()[0]).arms if arm.arm == "asking")
    first, second, *_, last = asking.sessions[0].pages
    assert first.said[0].startswith("says “")
    assert first.heading == "the agent speaks first"
    assert second.heading == "the recommender says “What do you wish about genres, year?”"
    assert {slot.answer for page in asking.sessions[0].pages for slot in page.slots} <= {"accept", "refuse"}
    assert last.outcome == "exit"
    assert asking.sessions[0].accepted == ("accept" in {slot.answer for slot in last.slots})
    assert any(session.accepted for session in asking.sessions)
    assert tally_words(asking).startswith(f"accepted {asking.tally.accepted} of")
