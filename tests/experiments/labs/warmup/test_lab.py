"""A measurement from file to page, on a made-up world."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import typer
from typer.testing import CliRunner

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.experiments.cli.warmup import warmup
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.labs.warmup.config import WarmRecommenderConfig, WarmupConfig
from groundlings.experiments.labs.warmup.exposure import PlacedItems, _own_lists
from groundlings.experiments.labs.warmup.lab import measure_warm_up
from groundlings.experiments.labs.warmup.outcomes import METRICS, SETTINGS
from groundlings.experiments.labs.warmup.page import render_page
from groundlings.experiments.labs.warmup.records import find
from groundlings.experiments.labs.warmup.replicate import ARMS
from groundlings.experiments.labs.warmup.sentences import headline
from groundlings.simulator.log.reader import LogReader

CONFIGS = Path(__file__).parents[4] / "experiments" / "configs"


def test_there_is_one_record_for_each_arm_volume_setting_and_metric(findings, config):
    keys = Counter(record.key for record in findings.records)
    assert [key for key, count in keys.items() if count > 1] == []
    for arm in ARMS:
        for volume in config.volumes:
            for setting in SETTINGS:
                for metric in METRICS:
                    parts = {"arm": arm, "volume": volume, "setting": setting, "metric": metric}
                    record = find(findings.records, recommender="als", how="folded in", **parts)
                    assert record is not None, parts
                    assert len(record.seeds) == config.seeds
                    assert record.n > 0


def test_real_first_users_beat_random_ones_and_so_does_the_audience(findings):
    """Genres tell everything in this world, so the bounds must come out in order."""
    values = {
        arm: find(findings.records, arm=arm, volume=5, setting="cold", metric="ndcg", recommender="als").value
        for arm in ARMS
    }
    assert values["oracle_n"] > values["random_n"]
    assert values["audience"] > values["random_n"]
    assert values["audience"] > values["most_active_n"]


def test_the_oracle_alone_chooses_real_takers_and_chance_chooses_by_chance(findings):
    enrichment = {
        arm: find(findings.records, arm=arm, volume=5, setting="choice", metric="enrichment").value
        for arm in ("random_n", "audience", "oracle_n")
    }
    assert enrichment["oracle_n"] > enrichment["audience"] > enrichment["random_n"]
    assert find(findings.records, arm="random_n", setting="choice", metric="auc") is None
    assert find(findings.records, arm="audience", volume=5, setting="choice", metric="auc").value > 0.6


def test_both_conditions_of_exposure_are_measured(findings):
    rates = {
        way: find(findings.records, arm=f"audience_{way}", setting="choice", metric="take rate").value
        for way in ("asked", "pages")
    }
    assert 0 < rates["pages"] < rates["asked"] < 1, "an item among others may not be examined"


def test_the_same_file_gives_the_same_json(findings, config):
    again = measure_warm_up(config)
    assert json.dumps(again.as_dict()) == json.dumps(findings.as_dict())
    json.dumps(findings.as_dict(), allow_nan=False)


def test_the_page_needs_nothing_else(findings):
    page = render_page(findings)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "<b>hostile</b>" not in page
    assert "&lt;b&gt;hostile" in page
    assert headline(findings) in page.replace("\N{NO-BREAK SPACE}%", " %")
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_page_is_fit_for_phone_paper_and_screen_readers(findings, tmp_path, fit_for_everybody):
    path = tmp_path / "page.html"
    path.write_text(render_page(findings), encoding="utf-8")
    fit_for_everybody(path)


def test_the_log_holds_marked_sessions_and_can_be_exported(findings, run, tmp_path):
    assert findings.records
    with LogReader(run) as log:
        clicked = log.impressions(columns=["arm", "clicked"]).groupby("arm").clicked
        shown = {name: (len(rows), int(rows.sum())) for name, rows in clicked}
        assert log.run()["synthetic"]
    assert shown["audience"][0] == shown["audience"][1], "the selected users clicked the item they were shown"
    assert shown["pages"][0] == 5 * shown["asked"][0]
    exported = export_run(run, "recbole", tmp_path / "export")
    assert exported is not None
    assert any((tmp_path / "export").rglob("*.inter"))


def test_the_command_writes_records_page_and_log_and_prints_the_tables(toy_file, tmp_path):
    app = typer.Typer()
    app.command()(warmup)
    out = tmp_path / "out"
    outcome = CliRunner().invoke(
        app, [str(toy_file), "--out", str(out), "--set", "others=[]", "--set", "refit=false"], env={"COLUMNS": "200"}
    )
    assert outcome.exit_code == 0, outcome.output
    assert "calibrated agents" in outcome.output
    content = json.loads((out / "warmup.json").read_text())
    assert {"arm", "volume", "setting", "metric", "value", "low", "high", "n", "seeds"} <= content["records"][0].keys()
    assert (out / "warmup.html").read_text().startswith("<!doctype html>")
    assert {"warmup.json", "warmup.html", "log.db", "manifest.json"} <= {path.name for path in out.iterdir()}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("warmup_*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_files_can_be_read(path):
    config = load_as(WarmupConfig, path)
    assert config.headline == 10
    assert config.volumes == (1, 5, 10, 20, 50)
    assert config.seeds >= 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("headline=7", r"headline: found 7, expected one of volumes \[2, 5\]"),
        ("volumes=[5, 2]", "volumes must rise"),
        ("cold.choose=list", "items: needed with choose: list"),
        ("cold.shar=0.3", "did you mean 'share'"),
        ("recall.channels=[tastes]", "channels"),
        ("others=[{recommender: als}]", "others: each recommender once, found als, als"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(toy_file, change, message):
    with pytest.raises(ConfigError, match=message):
        load_as(WarmupConfig, toy_file, [change])


def test_a_recommender_without_scores_is_refused(config):
    spec = config.recommender.model_copy(update={"recommender": "random_order", "options": {}})
    with pytest.raises(ConfigError, match="random_order gives no scores"):
        measure_warm_up(config.model_copy(update={"recommender": spec}))


def test_whoever_knows_most_items_has_a_short_page_and_shared_scores_stay_as_they_are(trial):
    request = RankingRequest(np.arange(2), 4, sp.csr_array((2, 6)), Draws.for_sessions(1, np.arange(2), 0))
    lists = np.array([[0, NO_ITEM, NO_ITEM, NO_ITEM], [1, NO_ITEM, NO_ITEM, NO_ITEM]])
    pages = PlacedItems(lists, np.array([4, 5])).recommend(request)
    pages.check(request, n_items=6)
    assert [sorted(row[row != NO_ITEM].tolist()) for row in pages.items] == [[0, 4], [1, 5]]
    assert pages.propensities[:, 0].tolist() == [0.5, 0.5]
    popular = trial.fresh(WarmRecommenderConfig(recommender="popular"))
    popular.fit(trial.split.train, trial.dataset.catalog)
    before = popular.score(trial.split.panel)
    assert _own_lists(replace(trial, recommender=popular), 5).shape == (trial.split.train.n_users, 5)
    assert np.array_equal(popular.score(trial.split.panel), before)


def test_a_volume_beyond_the_pool_is_refused(config):
    with pytest.raises(ConfigError, match="a pool has"):
        measure_warm_up(config.model_copy(update={"volumes": (5, 5000)}))
