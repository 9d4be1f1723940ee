"""Runs on a site that shows known items again: people buy again, and lists are judged by it."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.comparison.held_out import RepeatShares, read_held_out
from groundlings.experiments.analysis.comparison.real_behaviour import repeat_check
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report import render_summary_table
from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
from groundlings.experiments.cli.agent import agent
from groundlings.experiments.config.loading import config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.experiment import open_run
from groundlings.experiments.running.held_out.measuring import ArmMeasurement
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter

OWN = """
name: shop
seed: 5
dataset:
  name: own
  own:
    interactions: {path: bought.csv, user: household, item: product, timestamp: day, time_unit: s}
    items: {path: products.csv, id: product, title: name, genres: kind}
simulation: {days: 4}
site: {page_size: 5, max_pages: 2, repeats: allowed}
mind: behavioural
plan: {primary: view_ratio}
arms:
  - {name: popular, recommender: popular}
  - {name: buy_again, recommender: buy_again}
  - name: blend
    recommender: blend
    options: {of: [{recommender: buy_again}, {recommender: item_knn}], weights: [2, 1]}
"""


@pytest.fixture(scope="module")
def tables(repeat_shop, tmp_path_factory) -> Path:
    """The shop as tables of one's own, with an experiment file."""
    folder = tmp_path_factory.mktemp("shop")
    history, catalog = repeat_shop.interactions, repeat_shop.catalog
    rows = zip(history.users, history.items, history.timestamps, strict=True)
    lines = [f"h{user},p{item},{time}" for user, item, time in rows]
    (folder / "bought.csv").write_text("\n".join(["household,product,day", *lines]))
    titles = zip(catalog.item_ids, catalog.titles, catalog.genres, strict=True)
    products = [f"{item},{title},{genres[0]}" for item, title, genres in titles]
    (folder / "products.csv").write_text("\n".join(["product,name,kind", *products]))
    (folder / "shop.yaml").write_text(OWN)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch, quick_report):
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))


def shop(tables: Path, *changes: str) -> ExperimentConfig:
    return load_config(tables / "shop.yaml", changes)


@pytest.fixture(scope="module")
def finished(tables, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GROUNDLINGS_CACHE", str(tmp_path_factory.mktemp("cache")))
        drawn = "groundlings.experiments.analysis.report.write_report"
        patched.setattr(drawn, lambda directory, *_: (directory / "report.html").write_text("drawn"))
        return run_experiment(shop(tables), tmp_path_factory.mktemp("run") / "run").directory


def digest(directory: Path) -> str:
    with LogReader(directory) as log:
        return log.digest()


def test_people_buy_again_and_most_where_a_list_is_made_of_it(finished, tables):
    plan = build_plan(shop(tables))
    known = plan.split.train.matrix
    users = {name: row for row, name in enumerate(plan.dataset.people.user_ids)}
    items = {name: row for row, name in enumerate(plan.dataset.catalog.item_ids)}
    with LogReader(finished) as log:
        seen = log.impressions(columns=["arm", "user_id", "item_id", "clicked", "day"])
    again = [known[users[user], items[item]] > 0 for user, item in zip(seen.user_id, seen.item_id, strict=True)]
    shown = seen.assign(again=again).groupby("arm").again.mean()
    assert shown["buy_again"] > shown["popular"] > 0
    clicks = seen.assign(again=again).query("clicked == 1").groupby("arm").again.sum()
    assert clicks["buy_again"] > 0
    assert seen.query("day == 3").shape[0] > 0, "lists do not run out"


def test_held_out_behaviour_counts_what_was_bought_again_and_new_items_stand_beside_it(finished):
    found = read_held_out(finished)
    assert found.repeats
    effects = {effect.metric: effect for effect in found.arms["buy_again"].effects}
    assert list(effects) == [
        "nDCG@10 of items, known ones among them",
        "hit rate@10 of items, known ones among them",
        "nDCG@10 of new items in lists of new items",
    ]
    assert [effect.decides for effect in effects.values()] == [True, False, False]
    first, _, new = effects.values()
    assert first.difference.low > 0
    assert new.difference.difference == 0, "of new items it lists the most popular"
    shares = found.repeat_shares["buy_again"]
    assert shares.clicks > 0
    assert 0 < shares.simulated <= 1
    assert 0 < shares.real <= 1
    said = " ".join(str(open_run(finished).compare()).split())
    assert "scored by the items, known ones among them, that" in said
    assert "held-out behaviour agrees" in said
    assert json.loads((finished / "manifest.json").read_text())["mind"]["repeats"]["repeats"] > 0


@pytest.mark.parametrize(("simulated", "real", "taken", "status"), [
    (0.62, 0.6, 10_000, "passed"), (0.4, 0.6, 10_000, "failed"), (0.4, 0.6, 12, "passed"),
])  # fmt: skip
def test_a_share_of_repeats_far_from_the_real_one_keeps_an_effect_from_being_validated(
    finished, simulated, real, taken, status
):
    found = read_held_out(finished)
    shares = {"popular": RepeatShares(simulated, real, 50.0, taken), "empty": RepeatShares(None, None, 0.0, 0)}
    (check,) = repeat_check(replace(found, repeat_shares=shares))
    assert (check.status, check.spoils) == (status, False)
    assert f"popular {simulated:.0%} (real 60%)" in check.finding
    assert repeat_check(replace(found, repeat_shares={})) == ()


def test_in_a_shop_the_share_of_repeats_is_one_of_purchases(tables, tmp_path):
    sells = "site.actions=[click, add_to_cart, purchase]"
    run = run_experiment(shop(tables, sells, "simulation.days=1"), tmp_path / "run").directory
    found = read_held_out(run)
    assert {each.of for each in found.repeat_shares.values()} == {"purchases"}
    (check,) = repeat_check(found)
    assert check.finding.startswith("share of purchases on known items")
    opened = (
        found.audiences.utilities["this run's mind"][found.audiences.arms.index("popular")] * found.audiences.people
    )
    assert 0 < found.repeat_shares["popular"].clicks < 0.9 * opened, "some of what is opened is left"


def test_the_terminal_says_how_many_users_came_and_which_levels_are_assumed(tables, tmp_path):
    changes = "held_out=false", "simulation={days: 1, visit_probability: 0.3}", "site.actions=[click, purchase]"
    changes = *changes, "mind={kind: behavioural, leave_rate: 0.4, shopping: {add_rate: 0.5}}"
    run = run_experiment(shop(tables, *changes), tmp_path / "run").directory
    with LogReader(run) as log:
        summary, came = summarise(log), log.impressions(columns=["user_id"]).user_id.nunique()
    console = Console(file=io.StringIO(), width=200)
    console.print(render_summary_table(summary))
    print_verdict(open_run(run).compare().findings, console)
    told = " ".join(console.file.getvalue().split())
    assert 0 < came < 60
    assert told.count(f"{came} of 60 users had a session") == 2, "below the table, and before the verdict"
    assumed = "how far down people look; how much of the cart is bought."
    assert f"Assumed by presets, not measured on these users: {assumed}" in told
    assert "how much of what is looked at is opened" not in told, "that comes from the history"


def test_who_asks_for_an_agent_without_saying_whose_is_given_some_names(finished):
    told = r"name one of the 60 users of this run .*, for instance 'h\d+' or 'h\d+' or 'h"
    with pytest.raises(ConfigError, match=told):
        agent(finished)


def test_what_is_sold_out_on_the_first_day_is_in_no_list_that_is_held_against_reality(tables):
    (tables / "offers.csv").write_text("product,price,left\np0,2.5,0\np1,2.0,9\n")
    offers = "dataset.own.offers={path: offers.csv, item: product, price: price, stock: left}"
    plan = build_plan(shop(tables, offers))
    asked = []

    class Noting(PopularRecommender):
        async def rank(self, request):
            asked.append(request)
            return await super().rank(request)

    recommender = Noting()
    recommender.fit(plan.split.train, plan.dataset.catalog)
    asyncio.run(ArmMeasurement(plan).after_first_fit("popular", recommender))
    assert len(asked) > 2
    gone = plan.dataset.catalog.item_ids.index("p0")
    for request in asked:
        assert (request.seen[:, [gone]].toarray() > 0).all()
        assert request.offers.prices[gone] == 2.5


def test_a_run_that_was_cut_short_ends_as_if_nothing_had_happened(finished, tables, tmp_path, monkeypatch):
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 7:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(shop(tables), tmp_path / "run")
    resume_experiment(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(finished)


def test_an_item_stays_away_for_the_days_that_were_stated(tables, tmp_path):
    config = shop(tables, "site.repeats={after_days: 30}", "held_out=false", "simulation.days=2")
    plan = build_plan(config)
    days = plan.clock.days(plan.split.train)
    hidden = plan.first_seen
    assert hidden.nnz == plan.split.train.take(days > -30).matrix.nnz
    run = run_experiment(config, tmp_path / "run").directory
    users = {name: row for row, name in enumerate(plan.dataset.people.user_ids)}
    items = {name: row for row, name in enumerate(plan.dataset.catalog.item_ids)}
    with LogReader(run) as log:
        seen = log.impressions(columns=["arm", "user_id", "item_id", "day", "clicked"])
    shown = [hidden[users[user], items[item]] for user, item in zip(seen.user_id, seen.item_id, strict=True)]
    assert not np.array(shown)[(seen.day == 0).to_numpy()].any()
    taken = seen[(seen.day == 0) & (seen.clicked == 1)]
    later = seen[seen.day == 1]
    both = taken.merge(later, on=["arm", "user_id", "item_id"])
    assert len(taken)
    assert not len(both)


def test_saying_never_is_the_experiment_that_says_nothing(tables):
    silent, never = (shop(tables, f"site.repeats={value}") for value in ("null", "never"))
    assert config_hash(silent) == config_hash(never)
    assert config_hash(shop(tables)) != config_hash(never)
    assert "repeats" not in build_plan(never).described_mind


def test_without_times_there_is_no_recency_and_the_file_is_refused(tables):
    (tables / "timeless.csv").write_text("household,product\nh0,p1\nh0,p2\nh1,p1\nh1,p3\n")
    changes = "split={kind: random}", "dataset.own.interactions={path: timeless.csv, user: household, item: product}"
    with pytest.raises(ConfigError, match=r"site\.repeats: .*'own' has none; name the column"):
        build_plan(shop(tables, *changes))
