"""Recommenders that learn by asking: what was asked is kept, resumed, counted and never asked for twice."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.errors import BudgetExhausted, ConfigError, RunDirectoryError, TooMuchUnreadable
from groundlings.environments.prompts import Prompt
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.experiments.cli import runs
from groundlings.experiments.cli.main import main
from groundlings.experiments.config.loading import config_hash
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.labs.paradigms.spending import read_costs
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.recommenders.base import ScoringRecommender, hash_of
from groundlings.recommenders.blend import BlendRecommender
from groundlings.recommenders.contract import TOY_SIZE, checkerboard, toy_catalog
from groundlings.recommenders.language.asking import Asker, Question
from groundlings.recommenders.learning import Lessons, learn, learners
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.supplied import TrainedRecommender
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.lost_lessons import LessonWatch

pytestmark = pytest.mark.usefixtures("quick_report")


def counts_of(interactions):
    return np.bincount(interactions.users, minlength=interactions.n_users).astype(float)


class AsksOften(ScoringRecommender):
    """Asks a question per user and day about how much the user has, and ranks by the lengths of the replies."""

    def __init__(self, model: ChatModel, sampling: Sampling):
        self.asker = Asker(model, sampling)
        self.known = None
        self.lengths = None

    def fit(self, interactions, catalog):
        self.counts, self.lengths = counts_of(interactions), np.zeros(interactions.n_items)

    def observe(self, interactions):
        self.counts = self.counts + counts_of(interactions)

    async def learn_by_asking(self, lessons):
        async def one(user, count):
            told = f"User {user} has {count:.0f}"
            question = Question(Prompt("asks-1", "0" * 64, {}), "Say something.", told, {}, 10, 1, 0)
            return len(await lessons.ask(self.asker, question, str) or "")

        said = await asyncio.gather(*(one(user, count) for user, count in enumerate(self.counts)))
        self.lengths = np.resize(np.array(said, dtype=float), len(self.lengths))

    def score(self, users):
        return np.tile(self.lengths, (len(users), 1))

    def state(self):
        return hash_of(self.lengths)


def short_or_long(request):
    return "a" * (len(request.messages[-1].content) % 7)


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted, "legal_reply", short_or_long)

    def made(budget=None, **further):
        model = {"provider": "scripted", "concurrency": 1}
        return ExperimentConfig.model_validate(
            {
                "name": "learnt",
                "seed": 5,
                "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 8}},
                "simulation": {"days": 3},
                "site": {"page_size": 4, "max_pages": 2},
                "mind": "behavioural",
                "arms": [
                    {"name": "popular", "recommender": "popular"},
                    {
                        "name": "asking",
                        "recommender": "ruled",
                        "options": {"of": {"recommender": f"{__name__}:AsksOften"}},
                        "model": {**model, **({"budget": {"calls": budget}} if budget else {})},
                    },
                ],
                "base": tmp_path,
                **further,
            }
        )

    return made


def lessons_of(run):
    with LogReader(run) as log:
        return log.query("SELECT day, messages FROM lessons ORDER BY lesson_id")


def test_a_run_that_stops_while_learning_goes_on_to_the_same_digest_and_asks_nothing_twice(experiment, tmp_path):
    whole = run_experiment(experiment(), tmp_path / "whole")
    total = len(lessons_of(whole.directory))
    with pytest.raises(BudgetExhausted):
        run_experiment(experiment(budget=4), tmp_path / "run")
    assert len(lessons_of(tmp_path / "run")) == 4
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("calls: 4", f"calls: {total}"))
    done = resume_experiment(tmp_path / "run")
    assert done.digest == whole.digest
    asked = lessons_of(done.directory)
    assert len(asked) == total == len(asked.messages.unique())
    assert asked.day.min() == 0 < asked.day.max(), "what was observed is asked about as well"
    with LogReader(done.directory) as log:
        assert log.call_totals().set_index("arm_id").calls.tolist() == [total]
        assert log.check_seals().faults == ()
        assert log.foreign() == ()


def test_lessons_stand_beside_the_sessions_of_a_log_in_parts(experiment, tmp_path):
    run_experiment(experiment(log={"store": "parquet"}), tmp_path / "run")
    with LogReader(tmp_path / "run") as log:
        (row,) = log.query(
            "SELECT count(DISTINCT lesson_id) AS n, count(DISTINCT session_id) AS s "
            "FROM lessons JOIN sessions ON lessons.arm_id = sessions.arm_id"
        ).to_dict("records")
    assert row["n"] == len(lessons_of(tmp_path / "run")) > 0
    assert row["s"] > 0


@pytest.fixture
def unread(experiment, monkeypatch):
    """An experiment whose second arm cannot read any reply that it is to learn from."""
    monkeypatch.setattr(scripted, "legal_reply", lambda request: "not a word of JSON")

    def made(days=1, **arm):
        asking = {"name": "helped", "recommender": "rah", "model": {"provider": "scripted"}, **arm}
        asking["options"] = {"of": {"recommender": "popular"}, "fallback": "of"}
        arms = [{"name": "popular", "recommender": "popular"}, asking]
        return experiment(arms=arms, simulation={"days": days})

    return made


def test_a_run_whose_recommender_could_not_learn_ends_with_status_1_and_says_so(unread, tmp_path, monkeypatch, capsys):
    config, run = unread().model_dump(mode="json", exclude={"base"}), tmp_path / "run"
    (tmp_path / "unread.yaml").write_text(json.dumps(config))
    monkeypatch.setattr(sys, "argv", ["groundlings", "run", str(tmp_path / "unread.yaml"), "--out", str(run)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    said = " ".join("".join(capsys.readouterr()).split())
    asked = len(lessons_of(run))
    assert asked
    why = f"{asked} of {asked} lessons unreadable: not JSON {asked}; have the form enforced (arms.1.model.structured:"
    assert f"{asked} of {asked} replies could not be read and taught it nothing" in said
    assert why in said
    assert "max_unreadable of that arm allows 20 %" in said
    popular, helped = json.loads((run / "summary.json").read_text())["arms"]
    assert "lessons" not in popular
    counted = [helped["lessons"][key] for key in ("asked", "unreadable", "unanswerable", "share")]
    assert counted == [asked, asked, 0, 1.0]
    with LogReader(run) as log:
        checks = {check.name: check for check in compare_run(run, log).checks}
    learnt = checks["recommenders could read what they asked in order to learn"]
    assert learnt.status == "failed"
    assert f"helped: {asked} of {asked} lessons unreadable (100.0 %, at most 20 % allowed)" in learnt.finding


def test_a_run_that_lost_its_lessons_goes_on_where_any_share_is_allowed_and_its_cost_says_how_many(unread, tmp_path):
    with pytest.raises(TooMuchUnreadable):
        run_experiment(unread(days=2), tmp_path / "run")
    file = tmp_path / "run" / "config.yaml"
    file.write_text(file.read_text().replace("- name: helped", "- max_unreadable: 1\n  name: helped"))
    done = resume_experiment(tmp_path / "run")
    whole = run_experiment(unread(days=2, max_unreadable=1.0), tmp_path / "whole")
    assert done.digest == whole.digest
    with LogReader(done.directory) as log:
        summary = summarise(log)
        cost = read_costs(done.directory, log, summary)["helped"]
    asked = len(lessons_of(done.directory))
    assert (cost.lost_lessons, cost.lessons) == (asked, asked)
    with Console(file=io.StringIO(), width=160) as console:
        console.print(render_summary_table(summary))
    said = " ".join(console.file.getvalue().split())
    assert f"helped: its recommender learnt less than it asked, {asked} of {asked} lessons unreadable" in said
    shown = CliRunner().invoke(runs.app, ["show", str(done.directory)], env={"COLUMNS": "400"})
    assert f"helped: {asked} of {asked} lessons unreadable: not JSON {asked}" in " ".join(shown.output.split())
    export_run(done.directory, "trec", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "datasheet.json").read_text())
    assert [arm.get("lessons", {}).get("unreadable") for arm in facts["arms"]] == [None, asked]
    assert f"helped: {asked} of {asked} lessons unreadable" in (tmp_path / "out" / "DATASHEET.md").read_text()


def test_too_many_lost_lessons_stop_the_learning_itself():
    watch = LessonWatch({"a": 0.2, "b": 1.0})
    watch.heard("a", 49, 49)
    watch.heard("b", 60, 60)
    watch.heard("a", 12, 60)
    assert watch.lost == 72
    watch.end_run({"a": (12, 60), "b": (60, 60)})
    with pytest.raises(TooMuchUnreadable, match=r"30 of 60 lessons of arm a are lost \(50 %\)"):
        watch.heard("a", 30, 60)
    with pytest.raises(TooMuchUnreadable, match=r"13 of 60 .* allows 20 %"):
        watch.end_run({"drafted by a and b": (13, 60)})


def test_a_limit_of_lessons_changes_no_hash_and_is_refused_where_nothing_is_asked(unread, experiment, tmp_path):
    assert config_hash(unread(max_unreadable=0.5)) == config_hash(unread())
    idle = {"name": "popular", "recommender": "popular", "max_unreadable": 0.5}
    with pytest.raises(ConfigError, match="popular asks no language model"):
        run_experiment(experiment(arms=[idle]), tmp_path / "run")


def test_a_run_killed_while_its_recommender_learns_keeps_what_was_answered(experiment, tmp_path):
    whole = run_experiment(experiment(), tmp_path / "whole")
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED,
            __name__,
            json.dumps(experiment().model_dump(mode="json")),
            str(tmp_path / "run"),
        ],
        check=False,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(lessons_of(tmp_path / "run")) == 4
    done = resume_experiment(tmp_path / "run")
    assert done.digest == whole.digest
    assert len(lessons_of(done.directory)) == len(lessons_of(whole.directory))


KILLED = """
import importlib, json, os, signal, sys, time
from pathlib import Path
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.recommenders.learning import Lessons
from groundlings.simulator.arm import Arm
from groundlings.simulator.language import scripted
scripted.legal_reply = importlib.import_module(sys.argv[1]).short_or_long
keep = Arm._keep_lessons
def kept(arm, day, log):
    keep(arm, day, log)
    if arm._lessons is not None and arm._lessons.asked >= 4:
        os.kill(os.getpid(), signal.SIGKILL)
Arm._keep_lessons = kept
ask = Lessons.ask
async def slowly(lessons, *question):
    import asyncio
    while lessons.asked >= 4:
        await asyncio.sleep(0.05)
    return await ask(lessons, *question)
Lessons.ask = slowly
run_experiment(ExperimentConfig.model_validate(json.loads(sys.argv[2])), Path(sys.argv[3]))
"""
"""A run whose process is killed once four answers of its first learning are committed."""


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE lessons SET reply = 'x' WHERE lesson_id = 3", "rows of lessons were changed"),
        ("DELETE FROM lessons WHERE lesson_id = 3", "rows of lessons were removed"),
        ("DROP TABLE lessons", "rows of lessons were removed"),
    ],
)
def test_a_changed_lesson_is_seen_in_seals_and_digest(experiment, tmp_path, statement, fault):
    done = run_experiment(experiment(simulation={"days": 1}), tmp_path / "run")
    with sqlite3.connect(done.directory / "log.db") as log:
        log.execute(statement)
    with LogReader(done.directory) as log:
        assert log.check_seals().faults == (fault,)
        if statement.startswith("DROP"):
            with pytest.raises(RunDirectoryError, match="no such table: lessons"):
                log.digest()
        else:
            assert log.digest() != done.digest


def test_the_same_question_is_asked_once_even_at_the_same_moment_and_one_that_was_trained_before_asks_nothing():
    model = scripted.ScriptedModel(lambda request: "yes")
    one, other = AsksOften(model, Sampling(0.0, 8)), AsksOften(model, Sampling(0.0, 8))
    both = BlendRecommender((one, PopularRecommender(), other))
    both.fit(checkerboard(), toy_catalog())
    calls = []
    lessons = Lessons(1, keep=calls.append)
    asyncio.run(learn(both, lessons))
    assert len(model.requests) == len(calls) == lessons.asked == TOY_SIZE
    assert one.state() == other.state()
    assert learners(TrainedRecommender(both, name="both")) == []


def test_a_log_that_lacks_a_call_which_its_sessions_rest_on_is_refused():
    asking = AsksOften(scripted.ScriptedModel(lambda request: "yes"), Sampling(0.0, 8))
    asking.fit(checkerboard(), toy_catalog())
    lessons = Lessons(1)
    lessons.closed = True
    with pytest.raises(RunDirectoryError, match="is not there"):
        asyncio.run(learn(asking, lessons))
