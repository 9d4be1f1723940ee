"""A whole run of a shop: carts, purchases and money in the log, whatever the concurrency; and what does not fit."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME, open_log
from groundlings.simulator.log.writer import LogWriter

ACTIONS = ["click", "add_to_cart", "purchase", "quantity", "paid", "cost"]
TOY = {"n_users": 24, "n_items": 30, "interactions_per_user": 8}
BASE = {
    "name": "shop",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {**TOY, "offers": True}},
    "site": {"page_size": 5, "max_pages": 2, "actions": ACTIONS},
    "simulation": {"days": 2},
    "mind": {"kind": "behavioural", "random_click_rate": 0.2, "shopping": {"add_rate": 0.6, "purchase_rate": 0.5}},
    "arms": [{"name": "popular", "recommender": "popular"}],
}


def config_of(**changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**BASE, **changes})


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    place = tmp_path_factory.mktemp("shop") / LOG_NAME
    log_experiment(config_of(), place)
    return place


def test_money_follows_from_the_price_on_the_page_and_carts_are_abandoned(log):
    with LogReader(log) as reader:
        events, impressions = reader.events(), reader.impressions()
    of = {kind: rows.set_index("impression_id") for kind, rows in events.groupby("kind")}
    assert set(of["purchase"].index) < set(of["add_to_cart"].index) < set(of["click"].index)
    assert set(of["quantity"].index) == set(of["purchase"].index) == set(of["paid"].index) == set(of["cost"].index)
    prices = of["offer_price"].value
    np.testing.assert_allclose(of["paid"].value, of["quantity"].value * prices.loc[of["paid"].index])
    assert (of["cost"].value < of["paid"].value).all()
    assert len(prices) == len(impressions), "every price that was shown is in the log"
    assert set(of["offer_promoted"].index) <= set(prices.index)


def test_the_story_of_an_agent_names_prices_carts_and_what_was_paid(log):
    with LogReader(log) as reader:
        bought = reader.events().query("kind == 'paid'")
    user = bought.user_id.iloc[0]
    slots = [slot for visit in read_story(log, user).sessions for page in visit.pages for slot in page.slots]
    paid = [slot.paid for slot in slots if slot.paid is not None]
    assert sorted(paid) == sorted(bought[bought.user_id == user].value)
    assert all(slot.price is not None for slot in slots)
    assert all(slot.paid == slot.bought * slot.price and slot.in_cart for slot in slots if slot.bought)


def test_what_a_recommender_learns_from_is_what_was_bought(log):
    with LogReader(log) as reader:
        events = reader.events()
        assert len(reader.interactions()) == (events.kind == "purchase").sum()


def test_the_digest_does_not_depend_on_concurrency_or_cohorts(log, tmp_path):
    mind = {**BASE["mind"], "cohort_size": 5}
    log_experiment(config_of(simulation={"days": 2, "concurrency": 7}, mind=mind), tmp_path / LOG_NAME)
    assert digest(open_log(log)) == digest(open_log(tmp_path / LOG_NAME))


def test_a_log_gives_back_the_units_of_every_purchase(log, tmp_path):
    with LogReader(log) as reader:
        events = reader.events()
    bought = events[events.kind == "quantity"].groupby("day").value.sum()
    shutil.copy(log, tmp_path / LOG_NAME)
    with LogWriter(tmp_path / LOG_NAME) as writer:
        past = writer.resume(build_plan(config_of()).environment.schema)
    units = {day.day: float(day.sold[1].sum()) for day in past.arms["popular"].days}
    assert units == bought.to_dict()


def test_a_language_agent_shops_with_a_scripted_model(tmp_path):
    mind = {"kind": "language", "model": {"provider": "scripted"}}
    log_experiment(config_of(mind=mind, population={"size": 6}, simulation={"days": 1}), tmp_path / LOG_NAME)
    with LogReader(tmp_path / LOG_NAME) as reader:
        kinds = set(reader.events().kind)
    assert {"add_to_cart", "purchase", "quantity", "paid"} <= kinds


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"dataset": {"name": "toy", "toy": TOY}}, "paid needs prices, and the data set has none"),
        (
            {"dataset": {"name": "toy", "toy": TOY}, "site": {"actions": ["click", "purchase", "cost"]}},
            "cost needs the cost of items, and the catalog has none",
        ),
        ({"site": {"actions": ["add_to_cart", "purchase"]}}, "click is missing"),
        ({"site": {"actions": ["click", "paid"]}}, "paid is said of a purchase; add purchase"),
        ({"site": {"actions": ["click", "click"]}}, "each action once"),
        (
            {"mind": {"kind": "language", "decision": "graded", "model": {"provider": "scripted"}}},
            "asks for add_to_cart, purchase as well",
        ),
        (
            {"dataset": {"name": "toy", "toy": {**TOY, "offers": True}}, "site": {"actions": ["click", "buy"]}},
            "site.actions",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(changes, complaint):
    with pytest.raises((ConfigError, ValueError), match=r".") as refused:
        build_plan(config_of(**changes))
    assert complaint in str(refused.value)


def test_a_site_without_the_key_is_what_it_was():
    plan = build_plan(config_of(site={"page_size": 5}, dataset={"name": "toy", "toy": TOY}, mind="behavioural"))
    assert plan.environment.schema.names == ("click", "rate", "next_page", "satisfaction")
    assert "actions" not in plan.environment.describe()
