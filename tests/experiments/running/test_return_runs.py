"""Runs in which coming back depends on what happened: the same with one person or many, and after any interruption."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace

import pytest
import yaml

from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.experiments.config.loading import as_yaml, config_hash, load_config
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.returning import planned_returns
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter

RETURNS = {
    "after_session": {"satisfaction": 0.1, "found": 0.3, "fatigue": -2},
    "churn": {"chance": 0.05, "fatigue": 1},
    "arrivals": {"share": 0.3, "over_days": 3},
    "sessions_per_day": 3,
    "again": 0.4,
}
SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 24, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 5, "visit_probability": 0.5, "refit_every": 0, "returns": RETURNS},
    "mind": {"kind": "behavioural", "cohort_size": 4},
    "arms": [{"name": name, "recommender": "popular"} for name in ("first", "copy")],
    "held_out": False,
}


@pytest.fixture
def make_config(tmp_path):
    def made(returns=None, **changes):
        content = {**SMALL, **changes}
        if returns is not None:
            content["simulation"] = {**content["simulation"], "returns": returns}
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    return made


EVERY_DAY = {**SMALL["simulation"], "visit_probability": 1.0}
TOY_WITH_GAPS = {"name": "toy", "toy": {"n_users": 60, "n_items": 80, "interactions_per_user": 20}}


def logged(config, path):
    """The digest of a run, without its report."""
    log_experiment(config, path)
    with LogReader(path) as log:
        return log.digest()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where the log of a run lies that nobody interrupted."""
    made = tmp_path_factory.mktemp("whole")
    (made / "small.yaml").write_text(yaml.safe_dump(SMALL))
    log_experiment(load_config(made / "small.yaml"), made / "log.db")
    return made


@pytest.fixture(scope="module")
def whole(directory):
    """That log."""
    with LogReader(directory) as log:
        yield log


@pytest.fixture
def sessions(whole):
    return whole.sessions()


@pytest.mark.parametrize("written", [1, 4, 9, 17, 30])
def test_a_run_interrupted_within_a_day_ends_as_if_nobody_had_interrupted_it(
    make_config, whole, tmp_path, monkeypatch, written
):
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count > written:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            log_experiment(make_config(), tmp_path / "log.db")
    assert logged(make_config(), tmp_path / "log.db") == whole.digest()


def test_one_person_per_cohort_and_many_have_the_same_returns(make_config, whole, tmp_path):
    alone = make_config(
        mind={"kind": "behavioural", "cohort_size": 1}, simulation={**SMALL["simulation"], "concurrency": 3}
    )
    assert logged(alone, tmp_path / "log.db") == whole.digest()


def test_two_copies_of_an_arm_have_the_same_sessions_at_the_same_times(sessions):
    rows = sessions.drop(columns="session_id")
    first, copy = (rows[rows.arm == arm].drop(columns="arm").reset_index(drop=True) for arm in ("first", "copy"))
    assert len(first)
    assert first.equals(copy)


def test_later_sessions_of_a_day_come_later_and_show_nothing_that_was_clicked_before(whole, sessions):
    rows = sessions
    per_day = rows.groupby(["arm", "user_id", "day"])
    assert per_day.size().max() > 1, "the story needs a second session of a day"
    assert (per_day.timestamp.nunique() == per_day.size()).all()
    shown = whole.impressions()
    shown = shown.merge(rows[["session_id", "timestamp"]], on="session_id", suffixes=("", "_of_session"))
    shown = shown.sort_values("timestamp_of_session", kind="stable")
    clicked = shown[shown.clicked.fillna(False).astype(bool)]
    assert not clicked.duplicated(["arm", "user_id", "item_id"]).any()


def test_each_session_of_a_day_is_a_topic_of_its_own_in_an_export(directory, tmp_path):
    export_run(directory, "trec", tmp_path / "out")
    lines = [line.split() for line in next((tmp_path / "out").rglob("run.txt")).read_text().splitlines()]
    assert len({(topic, rank) for topic, _, _, rank, *_ in lines}) == len(lines), "a rank stands once in a topic"
    assert any("-second" in topic for topic, *_ in lines)
    assert not all("-second" in topic for topic, *_ in lines)


def test_topics_have_their_second_of_the_day_though_all_first_sessions_are_lost(directory, sessions, tmp_path):
    run = shutil.copytree(directory, tmp_path / "run")
    morning = (sessions.timestamp - sessions.day * 86_400).min()
    later = sessions[sessions.timestamp > morning + sessions.day * 86_400]
    with sqlite3.connect(run / "log.db") as log:
        kept = ", ".join(map(str, later.session_id))
        log.execute(f"UPDATE impressions SET clicked = NULL WHERE session_id NOT IN ({kept})")
    export_run(run, "trec", tmp_path / "out")
    topics = {line.split()[0] for path in (tmp_path / "out").rglob("run.txt") for line in path.open()}
    seconds = later.timestamp - later.day * 86_400 - morning
    assert topics == {
        f"sim-{user}-day{day}-second{second}"
        for user, day, second in zip(later.user_id, later.day, seconds, strict=True)
    }


def test_new_users_come_after_the_first_day(sessions):
    first = sessions.groupby("user_id").day.min()
    assert (first >= 1).sum() >= 3


def test_the_plain_rule_written_out_changes_nothing(make_config, tmp_path):
    plain = {**SMALL["simulation"]}
    del plain["returns"]
    absent = logged(make_config(simulation=plain), tmp_path / "absent.db")
    written = logged(make_config(simulation={**plain, "returns": {}}), tmp_path / "written.db")
    assert absent == written


def test_gaps_of_the_history_are_estimated_and_told_with_what_they_rest_on(make_config):
    config = make_config(
        {"kind": "history", "churn": {}, "again": "history", "sessions_per_day": 2},
        split={"kind": "global_temporal"},
        simulation=EVERY_DAY,
        dataset=TOY_WITH_GAPS,
    )
    told = build_plan(config).returns.described
    assert told["history"]["gaps"] >= 50
    assert told["history"]["median_days"]["low"] < told["history"]["median_days"]["value"]
    assert told["churn.chance"]["origin"] == told["again"]["origin"] == "fitted"


def test_a_runs_own_copy_of_its_file_is_read_as_the_file_was(make_config, tmp_path):
    config = make_config()
    (tmp_path / "copy.yaml").write_text(as_yaml(config))
    assert config_hash(load_config(tmp_path / "copy.yaml")) == config_hash(config)


def test_a_split_per_user_cannot_tell_who_left_for_good(make_config):
    config = make_config(
        {"kind": "history", "churn": {}},
        simulation=EVERY_DAY,
        dataset=TOY_WITH_GAPS,
    )
    with pytest.raises(ConfigError, match=r"churn.chance.*global_temporal"):
        build_plan(config)


def test_too_few_gaps_are_counted_in_the_refusal(make_config):
    tiny = {"name": "toy", "toy": {"n_users": 3, "n_items": 20, "interactions_per_user": 4}}
    with pytest.raises(DataError, match=r"has \d+ gaps? .* needed 50; .*kind: stated"):
        build_plan(make_config({"kind": "history"}, simulation=EVERY_DAY, dataset=tiny))


@pytest.mark.parametrize(
    ("returns", "complaint"),
    [
        ({"kind": "stated"}, "median_days: needed"),
        ({"median_days": 3}, "only read with kind: stated"),
        ({"kind": "stated", "median_days": 3, "shape": 2}, "exponential gaps have none"),
        ({"kind": "exposures"}, "exposures: the file"),
        ({"sessions_per_day": 2}, "again: needed"),
        ({"again": 0.2}, "again: needed"),
        ({"churn": {}}, "state a number"),
        ({"after_session": {"found": "history"}}, "state a number"),
        ({"kind": "stated", "median_days": 3}, "visit_probability: only read"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(make_config, returns, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_config(returns)


def test_luck_is_not_taken_out_where_clicks_decide_on_later_sessions(make_config):
    plan = {"primary": "view_ratio", "take_out_luck": True}
    with pytest.raises(ConfigError, match=r"plan.take_out_luck: .* take one of the two out"):
        make_config(plan=plan)
    make_config({"sessions_per_day": 2, "again": 0.3}, plan=plan)


def test_fatigue_needs_items_with_categories(make_config):
    config = make_config()
    plan = build_plan(config)
    bare = replace(plan.dataset, catalog=replace(plan.dataset.catalog, genres=((),) * len(plan.dataset.catalog)))
    with pytest.raises(ConfigError, match="the items of 'toy' have none"):
        planned_returns(config, bare, plan.split, plan.population, plan.environment)
