"""Hybrid audiences: the run stays what it is, and a sample lives through the same days again with the language mind."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import fields, replace

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, RunDirectoryError, TooMuchUnreadable
from groundlings.experiments.analysis.hybrid.reading import language_log
from groundlings.experiments.cli.main import app
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.python_api.comparison import compare_runs
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import live_together
from groundlings.simulator.following_arm import FollowingArm
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import LogWriter

pytestmark = pytest.mark.usefixtures("quick_report")

SHOP = {
    "name": "shop",
    "seed": 3,
    "held_out": False,
    "dataset": {"name": "toy", "toy": {"n_users": 24, "n_items": 30, "interactions_per_user": 8, "offers": True}},
    "site": {"page_size": 4, "max_pages": 2, "actions": ["click", "add_to_cart", "purchase", "quantity", "paid"]},
    "simulation": {"days": 3, "refit_every": 1, "visit_probability": 0.8},
    "mind": {
        "kind": "hybrid",
        "random_click_rate": 0.2,
        "shopping": {"add_rate": 0.6, "purchase_rate": 0.5},
        "sample": 8,
        "pilot": 4,
        "strata": ["age"],
        "language": {"model": {"provider": "scripted"}},
    },
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}


def config_of(**mind) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**SHOP, "mind": {**SHOP["mind"], **mind}})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a shop with a sample."""
    directory = tmp_path_factory.mktemp("hybrid") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)  # nobody looks at it
        run_experiment(config_of(), directory)
    return directory


def users_in(place) -> set[str]:
    with LogReader(place) as log:
        return set(log.user_ids())


def test_a_sample_changes_nothing_of_the_run_itself(run, tmp_path):
    plain = {key: value for key, value in SHOP["mind"].items() if key not in ("sample", "pilot", "strata", "language")}
    log_experiment(
        ExperimentConfig.model_validate({**SHOP, "mind": {**plain, "kind": "behavioural"}}), tmp_path / LOG_NAME
    )
    with LogReader(run) as ours, LogReader(tmp_path / LOG_NAME) as behavioural:
        assert ours.digest() == behavioural.digest()
        assert ours.run()["mind"] == behavioural.run()["mind"]


def test_an_empty_sample_opens_no_model_and_leaves_nothing_behind(tmp_path):
    nobody = {"provider": "endpoint", "base_url": "http://127.0.0.1:9/v1", "model": "nobody"}
    run_experiment(config_of(sample=0, pilot=0, language={"model": nobody}), tmp_path / "run")
    assert not (tmp_path / "run" / "language").exists()


def test_each_log_says_by_which_mind_its_rows_were_made_and_nobody_is_asked_twice(run):
    pilot, rest = (users_in(language_log(run, phase)) for phase in ("pilot", "sample"))
    assert (len(pilot), len(rest), pilot & rest) == (4, 4, set())
    for phase in ("pilot", "sample"):
        with LogReader(language_log(run, phase)) as log:
            assert log.run()["mind"]["kind"] == "language"
            assert set(log.sessions().arm) == {"popular", "knn"}
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["mind"]["kind"] == "behavioural"
    assert set(manifest["language_sample"]) == {"pilot", "sample"}


def test_with_the_same_mind_the_sample_would_do_exactly_what_it_did(run, tmp_path):
    """Same pages, same prices, same luck, day after day, while the recommender learns from the others."""
    config = config_of()
    place = asyncio.run(_followed(config, run, tmp_path / LOG_NAME))
    with LogReader(run) as ours, LogReader(place) as theirs:
        asked = theirs.user_ids()
        columns = ["arm", "day", "user_id", "page", "rank", "item_id", "clicked"]
        one, other = (
            frame[frame.user_id.isin(asked)][columns].sort_values(columns[:5]).reset_index(drop=True)
            for frame in (ours.impressions(), theirs.impressions())
        )
        prices = [_prices(log, asked) for log in (ours, theirs)]
    assert len(one) > 100
    pd.testing.assert_frame_equal(one, other)
    assert prices[0] == prices[1] != set()


def _prices(log, users):
    """Who was offered something at which price, or bought something at which, and when."""
    events = log.events()
    events = events[events.kind.isin(["offer_price", "paid"]) & events.user_id.isin(users)]
    return set(zip(events.kind, events.user_id, events.arm, events.day, events.value, strict=True))


async def _followed(config, run, place):
    """Some people of a finished run in arms that follow those of the run, with the behavioural mind again."""
    plan = build_plan(config)
    people = replace(plan.population, users=plan.population.users[::3])
    with LogWriter(run / LOG_NAME) as log:
        past = log.resume(plan.environment.schema, lists=True)
    arms = []
    for arm in config.arms:
        leader = plan.make_arm(arm)
        leader.past = past.arms[arm.name]
        names = {each.name for each in fields(Arm)} - {"past", "cut_short"}
        shared = {name: getattr(leader, name) for name in names}
        arms.append(FollowingArm(**{**shared, "users": people.users, "mind": plan.mind()}, leader=leader))
    with LogWriter(place) as log:
        log.begin(run_row(plan), plan.arms, people)
        for arm in arms:
            await live_together([arm], plan.schedule, log, lambda _: None)
        log.close()
    return place


def test_a_sample_that_was_interrupted_twice_ends_as_if_nothing_had_happened(run, tmp_path, monkeypatch):
    path, directory = tmp_path / "shop.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(SHOP))
    _interrupted(monkeypatch, 9, lambda: run_experiment(load_config(path), directory))
    assert language_log(directory, "pilot").is_file()
    assert not language_log(directory, "sample").is_file()
    _interrupted(monkeypatch, 24, lambda: resume_experiment(directory))
    assert language_log(directory, "sample").is_file()
    resume_experiment(directory)
    found, whole = (json.loads((each / "manifest.json").read_text()) for each in (directory, run))
    assert found["language_sample"] == whole["language_sample"]
    assert found["digest"] == whole["digest"]


def _interrupted(monkeypatch, at, begin):
    """Something that ends with an error when a log is written to for the so-manieth time."""
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == at:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            begin()


def test_the_comparison_shows_what_both_minds_say_and_what_that_is_worth(run):
    comparison = compare_runs(run)
    found = comparison.as_dict()["hybrid"]
    assert (found["agents"], found["sampled"], found["finished"]) == (24, 8, True)
    assert sum(each["people"] for each in found["strata"]) == 24
    assert sum(each["sample"] for each in found["strata"]) == 8
    assert found["calls"] > 0
    ctr = found["differences"]["knn"]["view_ratio"]
    assert ctr["n"] + ctr["excluded"] == 8
    with LogReader(run) as everybody:
        frame = everybody.impressions()
    assert found["means"]["knn"]["view_ratio"]["behavioural"] == pytest.approx(
        frame[frame.arm == "knn"].groupby("user_id").clicked.mean().mean()
    )
    assert "language sample  8 of 24 agents also lived by the language mind" in str(comparison)
    assert "estimated for" not in str(comparison)


def test_tokens_that_no_server_counted_are_told_as_estimates(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    with closing(sqlite3.connect(language_log(copy, "sample"))) as log, log:
        guessed = log.execute("UPDATE calls SET tokens_estimated = 1").rowcount
    comparison = compare_runs(copy)
    assert comparison.as_dict()["hybrid"]["calls_with_estimated_tokens"] == guessed > 0
    assert f"out (estimated for {guessed} calls)." in " ".join(str(comparison).split())


def test_a_check_tells_what_samples_would_give_and_cost(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(SHOP))
    told = " ".join(CliRunner().invoke(app, ["check", str(path)]).output.split())
    assert "8 of 24 people also live by the language mind, 4 of them as a pilot; strata: age" in told
    assert "16: " in told
    assert "SD, worth" in told
    nobody = ["--set", "mind.sample=0", "--set", "mind.pilot=0"]
    assert "none: no language model decides" in CliRunner().invoke(app, ["check", str(path), *nobody]).output


@pytest.mark.parametrize(
    ("mind", "told"),
    [
        ({"pilot": 8}, "expected fewer people than the sample has"),
        ({"sample": -1}, "a share of them below 1"),
        ({"sample": 2.5}, "a share of them below 1"),
        ({"strata": ["age", "age"]}, "stands there twice"),
    ],
)
def test_a_sample_that_cannot_be_drawn_is_refused(mind, told):
    with pytest.raises(ValueError, match=told):
        config_of(**mind)


def test_what_only_the_data_can_tell_is_refused_before_anything_is_written():
    with pytest.raises(ConfigError, match=r"mind\.strata\[0\]: found 'agee' \(did you mean 'age'"):
        build_plan(config_of(strata=["agee"]))
    with pytest.raises(ConfigError, match="in a sample of 5 people"):
        build_plan(config_of(sample=0.2, pilot=6))


@pytest.mark.parametrize(("sample", "told"), [(25, "more than there are"), (0.01, "nobody")])
def test_a_sample_of_nobody_or_of_more_than_there_are_is_refused(sample, told):
    with pytest.raises(ConfigError, match=rf"mind\.sample: found {sample} with 24 agents, which is {told}"):
        build_plan(config_of(sample=sample, pilot=0))


def test_a_check_counts_the_two_people_of_every_stratum(tmp_path):
    path = tmp_path / "shop.yaml"
    mind = {**SHOP["mind"], "sample": 1, "pilot": 0, "strata": ["diversity"]}
    path.write_text(yaml.safe_dump({**SHOP, "mind": mind}))
    told = " ".join(CliRunner().invoke(app, ["check", str(path)]).output.split())
    run_experiment(load_config(path), tmp_path / "run")
    asked = len(users_in(language_log(tmp_path / "run", "sample")))
    assert asked == 4
    assert f"{asked} of 24 people (1 are wanted, and two of every stratum asked) also live by the language" in told


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"site": {**SHOP["site"], "friends": True}}, r"site\.friends: people in the sample"),
        (
            {"interventions": [{"day": 1, "arms": ["knn"], "site": {"friends": True}}]},
            r"interventions: site\.friends: people in the sample",
        ),
        ({"language": {"social": {"ties": {"generator": "barabasi_albert"}}}}, r"mind\.language\.social: the sample"),
    ],
)
def test_ties_that_the_sample_does_not_have_are_refused_before_anybody_is_simulated(changes, place):
    ties = {"ties": {"generator": "barabasi_albert", "begun": 2}, "likes": 1.0}
    mind = {**SHOP["mind"], "social": ties, "language": changes.pop("language", {})}
    with pytest.raises(ValueError, match=place):
        ExperimentConfig.model_validate({**SHOP, "mind": mind, **changes})


def test_a_misspelt_key_of_the_sample_is_named_where_it_stands(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({**SHOP, "mind": {**SHOP["mind"], "language": {"decison": "graded"}}}))
    with pytest.raises(ConfigError, match=r"mind\.language\.decison: this key does not exist; did you mean 'decision'"):
        load_config(path)


def test_people_in_a_sample_live_in_every_arm():
    with pytest.raises(ValueError, match="write design: parallel, or sample: 0"):
        ExperimentConfig.model_validate({**SHOP, "design": "split"})


def test_a_sample_that_nobody_can_read_stops_the_run_and_names_the_key_to_change(tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.simulator.language.scripted.legal_reply", lambda _: "I would rather not say.")
    named = r"mind\.language\.model\.structured.*mind\.language\.max_unreadable"
    with pytest.raises(TooMuchUnreadable, match=named) as said:
        run_experiment(config_of(), tmp_path / "run")
    assert "mind.model" not in str(said.value)
    with LogReader(tmp_path / "run") as log:
        assert log.run()["status"] == "done", "what the behavioural mind did is kept"
