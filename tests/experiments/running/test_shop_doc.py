"""docs/shop.md works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.simulating import log_experiment
from groundlings.personas.offers.effects import PRESETS
from groundlings.personas.offers.shopping import ADD_RATE, PURCHASE_RATE
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TEXT = (Path(__file__).parents[3] / "docs" / "shop.md").read_text()
TITLED = re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL)


@pytest.fixture
def config(tmp_path):
    for name, block in TITLED:
        (tmp_path / name).write_text(block)
    return load_config(tmp_path / "shop.yaml")


def test_the_example_runs_and_sells_at_the_prices_of_the_table(config, tmp_path):
    plan = build_plan(config)
    assert yaml.safe_load(dict(TITLED)["shop.yaml"])["site"]["actions"][-1] == "cost"
    np.testing.assert_equal(plan.dataset.catalog.costs, [41.5, 66, np.nan])
    log_experiment(config, tmp_path / LOG_NAME)
    with LogReader(tmp_path / LOG_NAME) as log:
        events = log.events()
        means = {name: found.mean for name, found in summarise(log).baseline.metrics.items()}
    assert set(events[events.kind == "offer_price"].value) <= {89.0, 69.0, 120.0}
    assert (events.kind == "add_to_cart").any()
    (row,) = re.findall(r"^\| revenue per session .*\n\|.*\n\|(.*)\|$", TEXT, flags=re.MULTILINE)
    figures = [float(cell) for cell in row.split("|")]
    names = "revenue_per_session", "margin_per_session", "basket_value", "basket_size", "conversion", "cart_abandonment"
    assert figures == [pytest.approx(means[name], abs=0.006) for name in names]


def test_the_page_states_the_presets_that_are_used():
    assert f"estimated, else {PRESETS['price'][0]}" in TEXT
    assert f"estimated, else {PRESETS['promoted'][0]}" in TEXT
    assert f"else {ADD_RATE}, chosen" in TEXT
    assert f"else {PURCHASE_RATE}, chosen" in TEXT
