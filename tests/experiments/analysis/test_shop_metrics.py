"""Metrics of what is bought and shown: worked out again from the log's rows, and never zero where nobody knows."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3

import numpy as np
import pandas as pd
import pytest
from money_shop import NO_COST, NO_PRICE, OBJECTIVES, cost, paid, shop_experiment, units

import groundlings as gl
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics import METRICS, metrics_of, summarise
from groundlings.experiments.analysis.metrics.background import Background, read_background
from groundlings.experiments.analysis.metrics.contract import MetricContract
from groundlings.experiments.analysis.metrics.ranking import intra_list_distance, novelty
from groundlings.experiments.analysis.metrics.registry import BUILT_IN, resolve_metrics
from groundlings.experiments.analysis.metrics.shop import SHOP
from groundlings.experiments.analysis.metrics.shown import SHOWN
from groundlings.simulator.log.reader import LogReader

FEED = ("click", "rate", "next_page", "satisfaction")


class ShopContract(MetricContract):
    """The contract of every metric, on a run in the shop."""

    @pytest.fixture(autouse=True, params=(*SHOP, *SHOWN), ids=lambda metric: metric.name)
    def _metric(self, request, shop_directory):
        self.metric, self.directory = request.param, shop_directory

    def build(self):
        return self.metric

    def run_directory(self):
        return self.directory


class TestEveryMetricKeepsTheContract(ShopContract):
    pass


@pytest.fixture(scope="module")
def log(shop_directory):
    with LogReader(shop_directory) as reader:
        yield reader


@pytest.fixture(scope="module")
def values(log):
    """Metric -> arm -> mean over agents."""
    found = summarise(log)
    return {metric.name: {arm.name: arm.metrics[metric.name].mean for arm in found.arms} for metric in found.metrics}


@pytest.fixture(scope="module")
def rows(log):
    """One row per session: what was bought in it, its money by the shop's own price list."""
    events, sessions, items = log.events(), log.sessions(), log.items()
    number = {item: place for place, item in enumerate(items.item_id)}
    bought = events[events.kind == "purchase"]
    places = bought.item_id.map(number).to_numpy(int)
    bought = bought.assign(paid=paid(places), cost=cost(places), units=units(places))
    each = bought.groupby("session_id").agg(
        items=("item_id", "size"), units=("units", "sum"),
        paid=("paid", lambda cells: cells.sum(skipna=False)), cost=("cost", lambda cells: cells.sum(skipna=False)),
    )  # fmt: skip
    carts = events[events.kind == "add_to_cart"].groupby("session_id").size().rename("carts")
    frame = sessions.set_index("session_id")[["arm", "user_id"]].join(each).join(carts)
    nothing = frame["items"].isna()
    frame.loc[nothing, ["items", "units", "paid", "cost"]] = 0
    return frame.assign(carts=frame.carts.fillna(0))


def mean_over_agents(rows, numerator, denominator=None):
    ones = pd.Series(1.0, rows.index) if denominator is None else denominator
    keys = [rows.arm, rows.user_id]
    ratio = numerator.groupby(keys).sum() / ones.groupby(keys).sum()
    return ratio.dropna().groupby("arm").mean().to_dict()


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("revenue_per_session", lambda rows: mean_over_agents(*(lambda r: (r, r.paid))(rows.dropna(subset=["paid"])))),
        ("margin_per_session",
         lambda rows: mean_over_agents(*(lambda r: (r, r.paid - r.cost))(rows.dropna(subset=["paid", "cost"])))),
        ("basket_size", lambda rows: mean_over_agents(*(lambda r: (r, r["items"]))(rows[rows["items"] > 0]))),
        ("basket_units", lambda rows: mean_over_agents(*(lambda r: (r, r.units))(rows[rows["items"] > 0]))),
        ("basket_value",
         lambda rows: mean_over_agents(*(lambda r: (r, r.paid))(rows[rows["items"] > 0].dropna(subset=["paid"])))),
        ("conversion", lambda rows: mean_over_agents(rows, (rows["items"] > 0).astype(float))),
        ("cart_abandonment",
         lambda rows: mean_over_agents(*(lambda r: (r, (r["items"] == 0).astype(float)))(rows[rows.carts > 0]))),
    ],
)  # fmt: skip
def test_a_metric_of_the_shop_is_what_the_rows_of_its_sessions_give(values, rows, name, of):
    assert values[name] == pytest.approx(of(rows))
    assert min(values[name].values()) > 0, "the run must be able to tell"


def test_a_purchase_without_a_known_price_or_cost_counts_as_no_zero(log, rows):
    events = log.events()
    kinds = events.groupby("kind").size()
    number = {item: place for place, item in enumerate(log.items().item_id)}
    bought = events[events.kind == "purchase"].item_id.map(number)
    assert kinds["paid"] == (bought % NO_PRICE != 0).sum() < kinds["purchase"]
    assert kinds["cost"] == (bought % NO_COST != 0).sum()
    assert rows.paid.isna().any()
    assert log.purchases_known() == {
        place + 1: (
            len(of),
            int((of.isin(paid_ids(events, "paid"))).sum()),
            int(of.isin(paid_ids(events, "cost")).sum()),
        )
        for place, of in enumerate(
            events[(events.kind == "purchase") & (events.arm == arm)].impression_id for arm in log.arms().arm
        )
    }


def paid_ids(events, kind):
    return set(events[events.kind == kind].impression_id)


def test_repeats_are_purchases_of_what_was_had_or_bought_before(values, log):
    history = shop_experiment().history()
    had = set(zip(history.user_id, history.item_id, strict=True))
    told = []
    events = log.events()
    seen: set[tuple[str, str, str]] = set()
    for row in events[events.kind == "purchase"].sort_values(["day", "event_id"]).itertuples():
        key = (row.arm, row.user_id, row.item_id)
        told.append((row.arm, row.user_id, key in seen or (row.user_id, row.item_id) in had))
        seen.add(key)
    each = pd.DataFrame(told, columns=["arm", "user_id", "repeat"]).groupby(["arm", "user_id"]).repeat.mean()
    assert values["repeat_rate"] == pytest.approx(each.groupby("arm").mean().to_dict())
    assert 0 < values["repeat_rate"]["chance"] < 1


def test_popularity_and_novelty_are_those_of_the_training_part(values, log):
    background = read_background(log)
    number = {item: place for place, item in enumerate(log.items().item_id)}
    shown = log.impressions().assign(place=lambda rows: rows.item_id.map(number))
    bits = novelty(np.arange(48)[:, None].astype(np.int32), np.array(background.item_users), background.users)
    for name, per_item in (("mean_popularity", background.popularity), ("novelty", bits)):
        each = pd.Series(per_item[shown.place]).groupby([shown.arm, shown.user_id]).mean()
        assert values[name] == pytest.approx(each.groupby("arm").mean().to_dict())
    assert background.users == 60
    assert sum(background.item_interactions) == sum(background.item_users), "nobody of the toy data repeats"


def test_diversity_is_the_mean_distance_of_the_pairs_of_a_page(values, log):
    items = log.items()
    names = sorted({name for genres in items.genres for name in genres})
    vectors = np.array([[name in genres for name in names] for genres in items.genres])
    number = {item: place for place, item in enumerate(items.item_id)}
    shown = log.impressions()
    pages = shown.groupby(["arm", "user_id", "session_id", "page"]).item_id.agg(list)
    lists = np.array([[number[item] for item in page] for page in pages], dtype=np.int32)
    each = pd.Series(intra_list_distance(lists, vectors), pages.index).groupby(["arm", "user_id"]).mean()
    assert values["diversity"] == pytest.approx(each.groupby("arm").mean().to_dict())


def test_dwell_is_the_mean_of_the_numbers_that_the_environment_declares(values, log):
    events = log.events()
    held = events[events.kind == "dwell"].groupby(["arm", "user_id"]).value.mean()
    assert values["dwell"] == pytest.approx(held.groupby("arm").mean().to_dict())


def test_shops_are_measured_on_money_and_other_environments_are_not():
    actions = (*FEED, "add_to_cart", "purchase")
    assert resolve_metrics(None, actions=FEED) == METRICS, "what existing experiments measure stays"
    found = [metric.name for metric in resolve_metrics(None, actions=actions)]
    assert found[len(METRICS) :] == ["basket_size", "conversion", "cart_abandonment", "repeat_rate"]
    with pytest.raises(ConfigError, match="revenue_per_session needs the action paid"):
        resolve_metrics(["revenue_per_session"], actions=actions)


def copy_of(shop_directory, folder):
    shutil.copytree(shop_directory, folder / "copy")
    return folder / "copy"


def test_without_a_background_it_is_said_why_a_metric_is_not_known(shop_directory, tmp_path):
    copy = copy_of(shop_directory, tmp_path)
    (copy / "background.json").unlink()
    frame = gl.open_run(copy).metrics().set_index(["arm", "metric"])
    assert np.isnan(frame.loc[("popular", "repeat_rate"), "value"]), "unknown is never zero"
    summary = gl.open_run(copy).summary()
    assert "no background.json beside the log" in summary.missing["novelty"]
    assert "background.json" in summary.as_dict()["definitions"]["novelty"]["missing"]
    lists = gl.open_run(copy).lists().set_index(["arm", "metric"])
    assert np.isnan(lists.loc[("chance", "novelty"), "value"])
    assert "background.json" in lists.loc[("chance", "novelty"), "why_missing"]
    assert lists.loc[("chance", "coverage"), "value"] == 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: "{", "cannot be read"),
        (lambda told: json.dumps({**told, "users": -1}), "1 values do not fit"),
        (lambda told: json.dumps({**told, "item_users": told["item_users"][1:]}), "47 items.*the log has 48 items"),
        (lambda told: json.dumps({**told, "repeats": [[999, 0]]}), "agents that are not there"),
        (lambda told: json.dumps({**told, "vectors": [[0.5]] * 47 + [[0.5, 1.0]]}), "agents that are not there"),
        (lambda told: json.dumps({**told, "users": told["users"] + 1}), "it was changed after the run wrote it"),
    ],
)
def test_a_damaged_background_is_refused_with_what_to_do(shop_directory, tmp_path, change, said):
    copy = copy_of(shop_directory, tmp_path)
    path = copy / "background.json"
    path.write_text(change(json.loads(path.read_text())))
    with LogReader(copy) as log, pytest.raises(RunDirectoryError, match=f"{said}.*--resume"):
        read_background(log)


def test_thirds_of_the_catalog_are_as_large_as_they_can_be():
    thirds = Background(9, (5, 1, 3, 2, 9, 0, 0), (5, 1, 3, 2, 9, 0, 0)).thirds
    assert np.bincount(thirds).tolist() == [3, 2, 2]
    assert thirds[4] == thirds[0] == 2
    assert thirds[5] == thirds[6] == 0


def test_the_page_begins_with_the_metric_that_decides_and_says_what_money_and_baskets_are_counted_in(shop_directory):
    page = (shop_directory / "report.html").read_text(encoding="utf-8")
    table = page[page.index('id="c-results"') :]
    (first,) = re.findall(r">Arm</th><th[^>]*>(?:<[^>]*>)*([^<]+)<", table)[:1]
    assert first == "Revenue per session", "the plan's primary metric, whatever was measured before it"
    counted = re.search(r"Counted in: (.*?)</span>", table)
    assert counted, "units stand above the table"
    assert "basket size (items per basket)" in counted[1]
    assert "; money is in the currency of the data" in counted[1]


def test_a_session_with_a_lost_page_is_in_no_figure_of_money(shop_directory, tmp_path):
    copy = copy_of(shop_directory, tmp_path)
    with sqlite3.connect(copy / "log.db") as connection:
        connection.execute("UPDATE sessions SET ended_by = 'unreadable' WHERE arm_id = 1")
    with LogReader(copy) as log:
        lost = summarise(log, [BUILT_IN[name] for name in ("revenue_per_session", "conversion", "basket_size")])
    assert all(lost.arms[0].metrics[name].mean is None for name in ("revenue_per_session", "conversion", "basket_size"))
    assert lost.arms[1].metrics["conversion"].mean is not None


def test_every_metric_that_ships_is_declared_for_readers():
    for metric in (*SHOP, *SHOWN):
        assert metric.source, metric.name
        assert metric.definition.endswith("."), metric.name
        assert metric.money == ("money" in metric.unit), metric.name
    assert OBJECTIVES["metrics"][1:] == [metric.name for metric in SHOWN]


def test_money_is_in_the_currency_that_the_file_names():
    actions = ("click", "purchase", "paid")
    config = {"dataset": {"name": "own", "own": {"offers": {"currency": "EUR"}}}}
    for told, unit in ((config, "EUR per session"), ({"dataset": {"name": "own", "own": {}}}, "money per session")):
        units = {metric.name: metric.unit for metric in metrics_of(told, actions=actions)}
        assert units["revenue_per_session"] == unit
        assert units["conversion"] == "share of sessions"
