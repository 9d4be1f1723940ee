"""An examination from files to page, on a made-up world."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.exposures import Exposures
from groundlings.experiments.analysis.comparison.fidelity_gate import find_truth
from groundlings.experiments.cli.truth import truth
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.config.schema import ArmConfig
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.truth.arms import fit_arms
from groundlings.experiments.labs.truth.audiences import FITTED_MIND, audiences, calibrate_on
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.truth.ground import KNOWN_PAIRS, lay_ground, outcomes
from groundlings.experiments.labs.truth.headlines import headlines
from groundlings.experiments.labs.truth.lab import STEPS
from groundlings.experiments.labs.truth.order import order_task
from groundlings.experiments.labs.truth.page import render_page
from groundlings.experiments.labs.truth.records import VALIDATED
from groundlings.simulator.log.manifest_seal import with_seal

WIDE = {"COLUMNS": "250"}


def test_all_three_parts_are_there(findings, steps):
    assert steps.seen == list(range(1, STEPS + 1))
    assert list(dict.fromkeys(record.part for record in findings.records)) == ["ratings", "level", "order"]
    assert {record.salt for record in findings.records} == {"pooled", "a", "b"}


def test_there_is_one_record_for_each_task_scorer_metric_and_partition(findings):
    keys = Counter((each.task, each.scorer, each.metric, each.salt) for each in findings.records)
    assert [key for key, count in keys.items() if count > 1] == []


def test_only_pooled_figures_of_minds_are_judged(findings):
    for record in findings.records:
        assert record.definition
        assert record.words.endswith(".")
        if record.verdict is not None:
            assert (record.kind, record.salt) == ("mind", "pooled")
            assert (record.said == "not supported") is not record.holds
        if record.low is not None and record.high is not None:
            assert record.low <= record.value <= record.high
    assert any(record.verdict for record in findings.records)


def test_two_partitions_are_too_few_to_pass_the_gate(findings):
    assert findings.passed == {MIND: False, FITTED_MIND: False}
    assert VALIDATED not in json.dumps(findings.as_dict())


def test_every_order_stands_beside_trivial_simulators_and_real_people(findings):
    scorers = {
        each.scorer
        for each in findings.records
        if each.task == order_task("likes_per_session", sum(findings.order.counts))
    }
    assert {
        MIND, FITTED_MIND, "popularity simulator", "item-mean simulator", "item rate of other people's exposures",
        "other real people", "the same real people, resampled",
    } <= scorers  # fmt: skip


def test_a_mind_without_exposures_is_not_compared_with_what_had_some(findings):
    for record in findings.records:
        if record.exposures == "none" and record.baseline is not None:
            assert "exposures" not in record.baseline.scorer
            assert "recentred" not in record.baseline.scorer


def test_the_level_is_that_of_the_judged_exposures(ground, findings):
    for salt in ("a", "b"):
        judged = ~ground.fitted_half(salt)[ground.place]
        record = findings.find("likes of random items", "real people", "mean P(like)", salt)
        assert record.value == pytest.approx(ground.positive[judged].mean())
        assert record.n == judged.sum()


def test_a_comparison_reads_the_gate_of_the_mind_that_is_like_its_own(findings, tmp_path):
    content = findings.as_dict()
    (tmp_path / "truth.json").write_text(json.dumps(content))
    data, plain = content["about"]["dataset_hash"], {"kind": "behavioural", "patience": 0.5}
    task = order_task("likes_per_session", sum(findings.order.counts))
    for name, mind in ((MIND, plain), (FITTED_MIND, plain | {"exposures": "of a log"})):
        gate = find_truth(tmp_path, None, data, mind)
        assert (gate.passed, gate.fits) == (False, True)
        assert gate.tau == findings.find(task, name, "kendall tau").value
        assert gate.sign_agreement == findings.find(task, name, "sign agreement").value
    assert find_truth(tmp_path, None, data, plain | {"patience": 0.7}).fits is False
    assert find_truth(tmp_path, None, "other", plain).fits is False


def test_the_json_is_plain_and_complete(findings):
    content = json.loads(json.dumps(findings.as_dict(), allow_nan=False))
    assert len(content["records"]) == len(findings.records)
    assert {"salts", "seed", "config_hash", "dataset_hash", "exposures_hash", "leakage"} <= content["about"].keys()


def test_the_page_needs_nothing_else_and_shows_every_headline(findings):
    page = render_page(findings)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "<b>hostile</b>" not in page
    assert "&lt;b&gt;hostile" in page
    assert headlines(findings.records)
    for row in headlines(findings.records):
        assert row.label in page or row.label.replace("'", "&#39;") in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_page_is_fit_for_phone_paper_and_screen_readers(findings, tmp_path, fit_for_everybody):
    path = tmp_path / "page.html"
    path.write_text(render_page(findings), encoding="utf-8")
    fit_for_everybody(path)


def test_pairs_of_the_history_are_left_out_and_counted(ground):
    assert ground.exposures.left_out[KNOWN_PAIRS] > 0
    assert len(ground.exposures) + ground.exposures.left_out[KNOWN_PAIRS] == 60 * 10
    pairs, known = (each.users * 1000 + each.items for each in (ground.exposures, ground.train))
    assert not np.isin(pairs, known).any()


@pytest.mark.parametrize("salt", ["a", "b"])
def test_half_of_the_people_at_most_are_fitted_on(ground, salt):
    half = ground.fitted_half(salt)
    assert half.sum() == len(ground.people) // 2
    assert (half != ground.fitted_half("another")).any()


def test_nothing_is_fitted_on_the_exposures_of_those_who_are_judged(ground):
    judged = ~ground.fitted_half("a")[ground.place]
    changed = replace(ground.exposures, ratings=np.where(judged, 1.0, ground.exposures.ratings))
    other = replace(ground, exposures=changed)
    assert (other.exposures.ratings != ground.exposures.ratings).any()
    assert calibrate_on(other, "a").sha256 == calibrate_on(ground, "a").sha256
    users, items = ground.exposures.users, ground.exposures.items.astype(np.int64)
    for mind, same in zip(audiences(ground, "a"), audiences(other, "a"), strict=True):
        np.testing.assert_array_equal(mind.mind.preference(ground.people), same.mind.preference(ground.people))
        np.testing.assert_array_equal(mind.shares(users, items), same.shares(users, items))


def test_exposures_of_other_people_change_the_mind(ground):
    plain, fitted = audiences(ground, "a")
    assert plain.name == MIND
    assert (plain.mind.preference(ground.people) != fitted.mind.preference(ground.people)).any()


def test_the_real_rate_of_an_arm_is_that_of_the_random_items_in_its_first_fifth(ground):
    arm = next(arm for arm in fit_arms(ground) if arm.name == "popular")
    counts = ground.train.item_counts
    for place, user in enumerate(ground.people):
        seen = ground.train.items[ground.train.users == user]
        order = [item for item in np.argsort(-counts, kind="stable") if item not in seen]
        first = order[: int(np.ceil(len(order) / 5))]
        mine = ground.place == place
        inside = np.isin(ground.exposures.items[mine], first)
        assert arm.shown[place] == inside.sum()
        assert arm.liked[place] == ground.positive[mine][inside].sum()


def test_copies_and_known_places_do_not_count(config):
    extra = [
        {"name": "again", "recommender": "popular"},
        {"name": "chance", "recommender": "random_order"},
        {"name": "worse", "recommender": "degraded", "options": {"of": {"recommender": "ease"}, "share": 0.5}},
    ]
    content = config.model_dump(mode="json") | {"base": config.base}
    content["recommenders"] = [*content["recommenders"], *extra]
    arms = {arm.name: arm for arm in fit_arms(lay_ground(TruthConfig.model_validate(content)))}
    assert arms["again"].copy_of == "popular"
    assert not any(arms[name].counts for name in ("again", "chance", "worse"))
    assert arms["popular"].counts
    assert arms["chance"].shown.sum() > 0


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ({"recommender": "als", "options": {"factors": "many"}}, "options.factors: found 'many'"),
        ({"recommender": "bias_svd"}, "rating"),
        ({"recommender": "mmr", "options": {"of": {"recommender": "popular"}, "by": "none"}}, "options.by: "),
    ],
)
def test_what_is_wrong_with_a_recommender_is_said_before_the_first_is_fitted(ground, config, monkeypatch, last, told):
    fitted = []
    monkeypatch.setattr("groundlings.recommenders.popular.PopularRecommender.fit", lambda *_: fitted.append(1))
    plain = [each for each in config.model_dump(mode="json")["recommenders"] if each["recommender"] == "popular"]
    named = [*plain, {"name": "last", **last}]
    arms = tuple(ArmConfig.model_validate(each) for each in named)
    unrated = replace(ground.train, ratings=np.full(len(ground.train), np.nan))
    unsuited = replace(ground, config=config.model_copy(update={"recommenders": arms}))
    monkeypatch.setitem(vars(unsuited), "train", unrated)
    with pytest.raises(ConfigError, match=rf"recommenders\[{len(plain)}\].*{told}"):
        fit_arms(unsuited)
    assert not fitted


def test_copies_do_not_make_an_order(config):
    copies = [{"name": f"popular {number}", "recommender": "popular"} for number in range(12)]
    content = config.model_dump(mode="json") | {"base": config.base, "recommenders": copies}
    with pytest.raises(ConfigError, match="found 1 that count, expected at least 12"):
        fit_arms(lay_ground(TruthConfig.model_validate(content)))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("recommenders=[{name: a, recommender: popular}]", "found 1 that count, expected at least 12"),
        ("truth.salts=[a, a]", "salts: they must differ"),
        ("mind={kind: behavioural, grounded: true}", "grounded replay"),
        ("mind={kind: behavioural, exposures: fitted.json}", "may have been fitted on people who are judged"),
        ("dataset=ml-100k", "the data set ml-100k comes without random exposures"),
        ("truth.exposures={path: x.csv}", "policy: found logged, expected random"),
        ("dataset={name: coat, directory: elsewhere}", "dataset.directory names another folder"),
    ],
)
def test_what_is_wrong_is_said(small_file, monkeypatch, change, complaint):
    from groundlings.environments.datasets import load_dataset

    toy = load_as(TruthConfig, small_file, ["dataset=toy", "truth.directory=null"]).dataset
    if "ml-100k" in change:
        monkeypatch.setattr(
            "groundlings.experiments.labs.truth.ground.load_dataset",
            lambda *_, **__: replace(load_dataset(toy), name="ml-100k"),
        )
    with pytest.raises(ConfigError, match=complaint):
        lay_ground(load_as(TruthConfig, small_file, [change]))


def test_what_cannot_begin_leaves_no_directory_but_one_that_was_there(small_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(truth)
    (there := tmp_path / "there").mkdir()
    for out in ([], ["--out", "new"], ["--out", str(there)]):
        refused = CliRunner().invoke(app, [str(small_file), "--set", "truth.directory=null", *out])
        assert isinstance(refused.exception, DataError)
    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == [there, tmp_path / "runs"]
    assert list(there.iterdir()) == []


def test_without_a_folder_it_says_what_coat_is_and_where_it_can_be_had(small_file):
    with pytest.raises(DataError, match=r"truth\.directory: missing.*290 people.*https://.*--set truth\.directory="):
        lay_ground(load_as(TruthConfig, small_file, ["truth.directory=null"]))


def test_own_tables_with_random_exposures_are_examined(tmp_path, small, write):
    write(tmp_path / "coat")
    tables = {}
    for name in ("train", "test"):
        rows = np.loadtxt(tmp_path / "coat" / f"{name}.ascii")
        tables[name] = [(user, item, int(rows[user, item])) for user, item in np.argwhere(rows)]
    (tmp_path / "history.csv").write_text(
        "user,item,stars,when\n"
        + "\n".join(f"u{user},i{item},{stars},{1000 + 7 * item}" for user, item, stars in tables["train"])
    )
    (tmp_path / "shown.csv").write_text(
        "who,what,stars\n" + "\n".join(f"u{user},i{item},{stars}" for user, item, stars in tables["test"])
    )
    (tmp_path / "items.csv").write_text("id,title\n" + "\n".join(f"i{item},Item {item}" for item in range(50)))
    (tmp_path / "own.yaml").write_text(
        small.replace(
            "dataset: coat",
            """dataset:
  name: own
  own:
    interactions: {path: history.csv, user: user, item: item, rating: stars, timestamp: when}
    items: {path: items.csv, id: id, title: title}""",
        ).replace(
            "{directory: coat,",
            "{exposures: {path: shown.csv, policy: random, user: who, item: what, rating: stars},",
        )
    )
    ground = lay_ground(load_as(TruthConfig, tmp_path / "own.yaml"))
    assert len(ground.exposures) + ground.exposures.left_out[KNOWN_PAIRS] == len(tables["test"])
    known = {row[:2] for row in tables["train"]}
    likes = [stars >= 4 for user, item, stars in tables["test"] if (user, item) not in known]
    assert ground.positive.mean() == pytest.approx(np.mean(likes))
    unrated = (tmp_path / "own.yaml").read_text().replace("rating: stars, timestamp: when", "timestamp: when")
    (tmp_path / "own.yaml").write_text(unrated)
    with pytest.raises(ConfigError, match=r"\[4\]: liked_knn: it ranks by ratings.* names no `recommenders`.* name 12"):
        fit_arms(lay_ground(load_as(TruthConfig, tmp_path / "own.yaml")))
    (tmp_path / "shown.csv").write_text("who,what,stars\nu1,i49,\nu2,i49,\n")
    with pytest.raises(ConfigError, match=r"found 0 people .*left out are exposures: \d whose outcome is not known"):
        lay_ground(load_as(TruthConfig, tmp_path / "own.yaml"))


def test_what_was_not_opened_was_not_liked_and_what_was_opened_and_not_rated_is_unknown():
    shown = partial(Exposures.of, np.zeros(4, dtype=int), np.arange(4), n_users=1, n_items=4, policy="random")
    opened, ratings = np.array([1.0, 1.0, 0.0, np.nan]), np.array([5.0, np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(outcomes(shown(opened=opened, ratings=ratings), 4), [1, np.nan, 0, 0])
    np.testing.assert_array_equal(outcomes(shown(opened=opened), 4), opened)


def test_the_command_writes_records_and_page(small_file, tmp_path, monkeypatch, findings):
    monkeypatch.setattr("groundlings.experiments.labs.truth.lab.examine", lambda *_: findings)
    app = typer.Typer()
    app.command()(truth)
    result = CliRunner().invoke(app, [str(small_file), "--out", str(tmp_path / "out")], env=WIDE)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "truth.json").read_text())
    assert content == with_seal(findings.as_dict())
    assert len(content["records"]) == len(findings.records)
    assert (tmp_path / "out" / "truth.html").read_text().startswith("<!doctype html>")
    assert "Gate of random exposure" in result.output
