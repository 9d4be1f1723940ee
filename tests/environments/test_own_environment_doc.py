"""docs/own-environment.md works as it is written: a shop with two new actions, in one file of its own."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.measuring import measure
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.reader import LogReader

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-environment.md").read_text()
TITLED = re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL)


@pytest.fixture
def shop(tmp_path, monkeypatch, quick_report) -> Path:
    """A directory with the page's blocks in the files they are titled with; blocks of one title follow each other."""
    for name in dict.fromkeys(title for title, _ in TITLED):
        (tmp_path / name).write_text("\n\n".join(block for title, block in TITLED if title == name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    sys.modules.pop("my_shop", None)
    yield tmp_path
    sys.modules.pop("my_shop", None)


def config_of(shop: Path, **changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {**yaml.safe_load((shop / "shop.yaml").read_text()), "base": shop, **changes}
    )


def test_every_block_is_a_file():
    assert len(re.findall(r"^```\w", TEXT, flags=re.MULTILINE)) == len(TITLED)


def test_the_shop_keeps_the_contract_of_environments(shop, pass_in_process):
    assert pass_in_process(shop / "test_my_shop.py") >= 1


def test_every_purchase_is_an_event_with_its_slot_and_follows_the_cart(shop):
    done = run_experiment(config_of(shop), shop / "run")
    with LogReader(done.directory) as log:
        events, impressions, interactions = log.events(), log.impressions(), log.interactions()
    per_kind = {kind: set(rows.impression_id) for kind, rows in events.groupby("kind")}
    assert per_kind["buy"] < per_kind["add_to_cart"] < per_kind["click"], "each action needs the one before it"
    assert per_kind["buy"] <= set(impressions.impression_id)
    assert impressions.rating.isna().all(), "nobody gives stars in this shop"
    assert interactions.impression_id.tolist() == sorted(per_kind["buy"]), "recommenders learn from purchases"
    assert interactions.rating.isna().all()


def test_a_report_drawn_later_shows_what_the_run_has_measured(shop):
    """Metrics that the shop cannot have are left out of either: nobody gives stars there."""
    done = run_experiment(config_of(shop), shop / "run")
    with LogReader(done.directory) as log:
        again = measure(done.directory, log).summary
    assert [metric.name for metric in again.metrics] == [metric.name for metric in done.summary.metrics]
    assert {metric.name for metric in METRICS if "rate" in metric.needs}.isdisjoint(again.arms[0].metrics)


def test_an_earlier_log_of_an_own_environment_does_not_guess_what_an_interaction_is(shop):
    done = run_experiment(config_of(shop), shop / "run")
    with sqlite3.connect(done.directory / "log.db") as log:
        (identity,) = log.execute("SELECT identity FROM runs").fetchone()
        log.execute("UPDATE runs SET identity = NULL")
    with LogReader(done.directory) as reader, pytest.raises(ConfigError, match="which action of its environment"):
        reader.interactions()
    injected = {**json.loads(identity), "environment.interaction": "buy' OR '1"}
    with sqlite3.connect(done.directory / "log.db") as log:
        log.execute("UPDATE runs SET identity = ?", [json.dumps(injected)])
    with LogReader(done.directory) as reader, pytest.raises(RunDirectoryError, match="names no actions"):
        reader.interactions()


def test_a_new_action_is_learnt_from_and_a_resumed_run_ends_in_the_same_digest(shop):
    whole = run_experiment(config_of(shop), shop / "whole")
    script = (
        "import os, sys\n"
        "sys.path.append('.')\n"
        "from groundlings.simulator.log.writer import LogWriter\n"
        "flush, times = LogWriter.flush, []\n"
        "def dying(self):\n"
        "    flush(self)\n"
        "    times.append(1)\n"
        "    if len(times) == 2:\n"
        "        os._exit(9)\n"
        "LogWriter.flush = dying\n"
        "from groundlings.experiments.cli.main import main\n"
        "sys.argv = ['groundlings', 'run', 'shop.yaml', '--out', 'killed']\n"
        "main()\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=shop, capture_output=True, text=True, check=False)
    assert killed.returncode == 9, killed.stderr
    with LogReader(shop / "killed") as log:
        before = len(log.sessions())
    with LogReader(shop / "whole") as log:
        assert 0 < before < len(log.sessions())
    assert resume_experiment(shop / "killed").digest == whole.digest


def test_the_metric_of_purchases_decides(shop):
    done = run_experiment(config_of(shop), shop / "run")
    with LogReader(done.directory) as log:
        bought = log.events()[lambda events: events.kind == "buy"]
        sessions = log.sessions()
    per_agent = pd.DataFrame(
        {
            "bought": bought.groupby(["arm", "user_id"]).size(),
            "sessions": sessions.groupby(["arm", "user_id"]).size(),
        }
    ).fillna(0)
    expected = (per_agent.bought / per_agent.sessions).groupby("arm").mean()
    arms = {arm["name"]: arm for arm in done.summary.as_dict()["arms"]}
    for name, value in expected.items():
        assert arms[name]["metrics"]["purchases_per_session"]["mean"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("mind", "lacking"),
    [
        ("behavioural", "buy"),  # it knows carts and purchases, and no action called `buy`
        ("scripted", "buy"),
        ({"kind": "language", "model": {"provider": "scripted"}}, "buy"),
        ({"kind": "language", "decision": "graded", "model": {"provider": "scripted"}}, "add_to_cart, buy"),
    ],
)
def test_a_mind_that_cannot_shop_is_refused_in_a_sentence(shop, mind, lacking):
    with pytest.raises(ConfigError) as refused:
        build_plan(config_of(shop, mind=mind))
    assert f"the environment my_shop:Shop asks for {lacking} as well" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_actions_are_refused_where_the_one_they_need_was_not_taken(shop):
    import my_shop

    from groundlings.environments.actions import Actions, LegalActions
    from groundlings.environments.decision import Decision, checked
    from groundlings.environments.page import Page

    page, legal = Page(1, 0, np.array([[4, 5]], dtype=np.int32)), LegalActions(my_shop.SHOP)
    bought = Decision(
        Actions.of(my_shop.SHOP, page, {"click": np.array([[True, False]]), "buy": np.array([[True, True]])}),
        np.zeros(1, dtype=np.bool_),
    )
    found = checked(bought, page, legal)
    assert not found.decision["buy"].any()
    assert [(each.position, each.said, each.reason) for each in found.illegal] == [
        (slot, "buy", "it needs add_to_cart on the same slot") for slot in (0, 1)
    ]


def test_an_environment_beside_a_site_is_refused(shop):
    with pytest.raises(ValueError, match="keep one"):
        config_of(shop, site={"page_size": 3})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("my_shop:Shopp", "did you mean 'Shop'"),
        ({"kind": "my_shop:Shop", "page_sise": 3}, "did you mean 'page_size'"),
        ("bazaar", "there is no environment 'bazaar'"),
        ("my_shop:ShopState", "needs the option"),
    ],
)
def test_a_misspelt_environment_is_a_clear_error(shop, environment, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        build_plan(config_of(shop, environment=environment))
