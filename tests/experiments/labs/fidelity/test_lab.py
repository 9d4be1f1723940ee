"""An examination from file to page, on a made-up world."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.cli.fidelity import fidelity
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.fidelity.choices import click_candidates
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.invariance import (
    examine_invariance,
    with_other_demographics,
    with_other_titles,
)
from groundlings.experiments.labs.fidelity.lab import PARTS, examine
from groundlings.experiments.labs.fidelity.page import render_page
from groundlings.experiments.labs.fidelity.probes import examine_probes
from groundlings.experiments.labs.fidelity.published import published_rows
from groundlings.experiments.labs.fidelity.stage import MIND, set_stage
from groundlings.simulator.log.manifest_seal import with_seal

WIDE = {"COLUMNS": "200"}
CONFIGS = Path(__file__).parents[4] / "experiments" / "configs"


def test_all_seven_parts_are_there_in_order(findings, steps):
    assert steps.seen == list(range(1, PARTS + 1))
    parts = list(dict.fromkeys(record.part for record in findings.records))
    assert parts == [
        "interaction", "preference", "calibration", "distributions", "probes", "system", "memorisation and stereotype"
    ]  # fmt: skip


def test_there_is_one_record_for_each_task_scorer_and_metric(findings):
    keys = Counter((each.part, each.task, each.scorer, each.metric) for each in findings.records)
    assert [key for key, count in keys.items() if count > 1] == []


def test_only_minds_are_judged_and_every_judgement_has_its_ground(findings):
    for record in findings.records:
        assert record.definition
        assert record.words.endswith(".")
        if record.kind != "mind":
            assert record.verdict is None
        if record.verdict is not None:
            assert record.holds is not None
            assert (record.verdict == "not supported") is not record.holds
        if record.low is not None and record.high is not None:
            assert record.low <= record.value <= record.high
    assert any(record.verdict for record in findings.records)


def test_the_word_for_the_whole_follows_the_gate(findings):
    assert findings.overall != "validated" or findings.passed
    assert replace(findings, passed=False).overall != "validated"


def test_the_order_is_measured_on_every_salt_and_no_missed_target_is_called_validated(findings):
    tasks = [each.task for each in findings.records if each.part == "system" and each.metric == "kendall tau"]
    assert tasks[0].endswith("mean over 2 salts")
    assert not findings.passed, "two salts are too few"
    (tau,) = (row.record for row in headlines(findings.records) if "Kendall" in row.label and row.record.scorer == MIND)
    assert tau.task == tasks[0]
    for record in findings.records:
        assert record.verdict != "validated" or record.target is None or record.target.met


def test_the_json_is_plain_and_complete(findings):
    content = json.loads(json.dumps(findings.as_dict(), allow_nan=False))
    assert content["verdict"] == findings.overall
    assert len(content["records"]) == len(findings.records)
    assert {"salt", "seed", "config_hash", "dataset_hash", "leakage", "seconds"} <= content["about"].keys()


def test_the_page_needs_nothing_else_and_shows_every_headline(findings):
    page = render_page(findings)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "<b>hostile</b>" not in page
    assert "&lt;b&gt;hostile" in page
    for row in headlines(findings.records):
        assert row.label in page or row.label.replace("'", "&#39;") in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_page_is_fit_for_phone_paper_and_screen_readers(findings, tmp_path, fit_for_everybody):
    path = tmp_path / "page.html"
    path.write_text(render_page(findings), encoding="utf-8")
    fit_for_everybody(path)


def test_published_figures_carry_their_source_and_are_quoted_for_their_data_set_alone():
    rows = published_rows("ml-1m")
    assert published_rows("toy") == []
    assert {row.kind for row in rows} == {"published"}
    assert all(row.source and row.n == 0 for row in rows)


def test_titles_change_no_decision_and_demographics_few(stage, findings):
    titles, demographics = examine_invariance(stage)
    assert titles.value == 0.0
    assert 0 <= demographics.value <= 0.05
    assert titles.verdict is None
    judged = [each for each in findings.records if each.part == "memorisation and stereotype"]
    assert [each.task for each in judged] == ["titles swapped", "demographics turned round"]
    assert all(each.verdict in {"indicative", "validated"} for each in judged)


def test_people_who_rate_nothing_are_examined_by_their_clicks(tmp_path):
    met = [(user, (user + 3 * place) % 20, 1_700_000_000 + 86_400 * place) for user in range(30) for place in range(6)]
    rows = [f"u{user},i{item},{time}" for user, item, time in met]
    (tmp_path / "met.csv").write_text("\n".join(["user,item,time", *rows]))
    (tmp_path / "items.csv").write_text("\n".join(["item,title", *(f"i{item},Thing {item}" for item in range(20))]))
    (tmp_path / "shop.yaml").write_text("""
name: shop
seed: 3
dataset:
  name: own
  own:
    interactions: {path: met.csv, user: user, item: item, timestamp: time}
    items: {path: items.csv, id: item, title: title}
site: {page_size: 5, max_pages: 2}
lists: {reader: false}
""")
    titles, _ = examine_invariance(set_stage(load_as(FidelityConfig, tmp_path / "shop.yaml")))
    assert titles.value == 0.0
    arms = [*(f"{{name: p{place}, recommender: popular}}" for place in range(7)), "{name: b, recommender: bias_svd}"]
    with pytest.raises(DataError, match=r"^recommenders\[7\]: .*rating"):
        set_stage(load_as(FidelityConfig, tmp_path / "shop.yaml", [f"recommenders=[{', '.join(arms)}]"]))


def test_the_changes_of_the_invariance_test_are_real(stage):
    rng = np.random.default_rng(0)
    dataset = stage.dataset
    titles = with_other_titles(dataset, rng).catalog.titles
    assert sorted(titles) == sorted(dataset.catalog.titles)
    assert titles != dataset.catalog.titles
    people = with_other_demographics(dataset, rng).people
    assert people.user_ids == dataset.people.user_ids
    changed = sum(a != b for a, b in zip(people.attributes, dataset.people.attributes, strict=True))
    assert changed > len(people) / 2


def test_another_salt_examines_other_people_and_the_same_salt_the_same(stage, config):
    other = config.model_copy(update={"split": config.split.model_copy(update={"salt": "b"})})
    assert set(set_stage(other).testers) != set(stage.testers)
    again = set_stage(config)
    assert (again.testers == stage.testers).all()
    assert again.taste.fingerprint == stage.taste.fingerprint


def test_probes_repeat_themselves(stage):
    assert examine_probes(stage) == examine_probes(stage)


def test_clicks_fall_with_the_dose_and_the_first_slot_is_seen_best(findings):
    values = {each.metric: each.value for each in findings.records if each.task == "dose-response"}
    assert values["clicks, 0% random"] > values["clicks, 50% random"] > values["clicks, 100% random"]
    slots = [each.value for each in findings.records if each.metric.startswith("click rate, slot")]
    assert slots == sorted(slots, reverse=True)
    assert findings.find("probes", "position rotation", "evidence mind", "examination exponent").holds


def test_the_command_writes_records_and_page_and_prints_the_table(toy_file, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.labs.fidelity.list_reader.TREES", 40)
    app = typer.Typer()
    app.command()(fidelity)
    outcome = CliRunner().invoke(
        app,
        [
            *(str(toy_file), "--out", str(tmp_path / "out")),
            *("--set", "split.salt=c", "--set", "lists.reader=true", "--set", "lists.ratios=[1]"),
        ],
        env=WIDE,
    )
    assert outcome.exit_code == 0, outcome.output
    assert "Interaction 1:1, F1" in outcome.output
    assert "List reader, no mind: 1:1, F1" in outcome.output
    assert "Choice among five, top-1" in outcome.output
    written = json.loads((tmp_path / "out" / "fidelity.json").read_text())
    assert written["about"]["salt"] == "c"
    assert written == with_seal(written)
    assert (tmp_path / "out" / "fidelity.html").read_text().startswith("<!doctype html>")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"fidelity.json", "fidelity.html"}


def test_people_with_one_row_each_are_no_matter_of_the_salt(tmp_path):
    (tmp_path / "met.csv").write_text("user,item,time\n" + "".join(f"u{n},i{n % 20},{n}\n" for n in range(60)))
    (tmp_path / "items.csv").write_text("item,title\n" + "".join(f"i{n},Thing {n}\n" for n in range(20)))
    columns = "interactions: {path: met.csv, user: user, item: item, timestamp: time}"
    columns += ", items: {path: items.csv, id: item, title: title}"
    (tmp_path / "f.yaml").write_text(f"name: f\nseed: 1\ndataset: {{name: own, own: {{{columns}}}}}\n")
    with pytest.raises(ConfigError, match=r"nobody in own has both known rows and held-out ones .* expected people"):
        examine(load_as(FidelityConfig, tmp_path / "f.yaml"))


@pytest.mark.parametrize("name", ["fidelity_ml100k.yaml", "fidelity_ml1m.yaml", "fidelity_groceries.yaml"])
def test_shipped_files_are_valid(name):
    assert len(load_as(FidelityConfig, CONFIGS / name).recommenders) >= 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["ratios=1"], "ratios: this key does not exist"),
        (["lists.ratio=1"], r"lists.ratio: this key does not exist; did you mean 'ratios'"),
        (["visits.doses=[0.5, 0.2]"], "doses must rise"),
        (["recommenders=[{name: a, recommender: popular}]"], "found 1, expected at least 8"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_read(toy_file, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_as(FidelityConfig, toy_file, changes)


def test_candidates_are_clicked_as_often_as_users_interact_whatever_the_click_rate_of_a_page(stage):
    picks = click_candidates(stage)
    real = stage.held_out[stage.testers].nnz
    assert picks.clicks.sum() == len(picks.items) == pytest.approx(real, rel=0.3)
    assert set(picks.users) <= set(stage.testers)
    assert not stage.train.matrix[picks.users, picks.items].any()


def test_a_salt_whose_third_is_empty_is_refused_before_anything_is_fitted(toy_file, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.labs.fidelity.stage.measure", None)
    monkeypatch.setattr("groundlings.experiments.labs.fidelity.stage.people_in_thirds", lambda ids, salt: (
        np.arange(len(ids)) % 3 if salt == "a" else np.zeros(len(ids), dtype=np.int64)))  # fmt: skip
    with pytest.raises(ConfigError, match=r"nobody in the test third of toy under salt 'b' .*split\.salt, salts"):
        set_stage(load_as(FidelityConfig, toy_file))


def test_more_people_than_the_test_third_has_is_an_error_that_says_how_many(toy_file):
    config = load_as(FidelityConfig, toy_file, ["population.size=149"])
    with pytest.raises(ConfigError, match=r"found 149, but the test third of toy .* has \d+ people"):
        set_stage(config)
