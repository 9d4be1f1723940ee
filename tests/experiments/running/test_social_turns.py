"""A run whose language agents take social turns: what is in the log, that it resumes, and that it is foreseen."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3

import pandas as pd
import pytest

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.word_of_mouth.pair import arms_of
from groundlings.experiments.running.cost import estimate
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.writer import LogWriter

pytestmark = pytest.mark.usefixtures("quick_report")

TIES = {"generator": "watts_strogatz", "neighbours": 4, "rewired": 0.1}
MIND = {"kind": "language", "model": {"provider": "scripted"}, "social": {"ties": TIES, "turns": {}}}
WORLD = {
    "name": "turns",
    "seed": 5,
    "dataset": {"name": "toy", "toy": {"n_users": 16, "n_items": 40, "interactions_per_user": 8}},
    "site": {"page_size": 3, "max_pages": 2},
    "mind": MIND,
    "simulation": {"days": 4},
    "held_out": False,
    "arms": [{"name": "popular", "recommender": "popular"}],
}


def config(**changes):
    return ExperimentConfig.model_validate({**WORLD, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "groundlings.experiments.analysis.report.write_report",
            lambda directory, *_: (directory / "report.html").write_text("drawn"),
        )
        return run_experiment(config(), tmp_path_factory.mktemp("turns") / "run")


def said(directory):
    """One row per person told: teller, hearer, item, day."""
    with sqlite3.connect(directory / "log.db") as log:
        events = pd.read_sql(
            "SELECT day, source_user_id AS teller, session_id, kind, detail FROM events "
            "JOIN sessions USING (session_id) JOIN agents USING (agent_id) WHERE kind IN ('to', 'about', 'say')",
            log,
        )
    wide = events.pivot(index=["session_id", "day", "teller"], columns="kind", values="detail").reset_index()
    return wide.assign(hearer=wide.to.map(json.loads)).explode("hearer")


def test_who_told_whom_of_what_is_in_the_log_and_reached_them(whole):
    told = said(whole.directory)
    assert len(told) > 10
    with sqlite3.connect(whole.directory / "log.db") as log:
        taken = pd.read_sql(
            "SELECT day, source_user_id AS teller, source_item_id AS about FROM impressions "
            "JOIN sessions USING (session_id) JOIN agents USING (agent_id) JOIN items USING (item_id) WHERE clicked",
            log,
        )
        sessions = pd.read_sql("SELECT session_id, pages, ended_by FROM sessions", log).set_index("session_id")
        calls = pd.read_sql("SELECT session_id, template, messages FROM calls JOIN sessions USING (session_id)", log)
        ways = pd.read_sql("SELECT session_id, kind FROM events WHERE kind IN ('enter', 'chat', 'post')", log)
        titles = dict(log.execute("SELECT source_item_id, title FROM items"))
    heard = told.rename(columns={"teller": "source", "hearer": "teller"})[["day", "teller", "about"]]
    known = {(row.teller, row.about, row.day) for row in pd.concat([taken, heard]).itertuples()}
    for row in told.itertuples():
        assert any((row.teller, row.about, day) in known for day in range(row.day)), "told of what it never met"

    assert set(sessions.ended_by) <= {"exit", "last_page"}
    assert (sessions.pages > 1).sum() == (ways.kind == "enter").sum(), "who enters sees the site, and nobody else"
    of_turns = calls[calls.template.str.startswith("social")]
    assert of_turns.groupby("session_id").size().max() == 2
    assert len(of_turns) == len(sessions) + told.session_id.nunique()
    prompts = " ".join(of_turns.messages)
    assert any(
        f"person {row.teller} told you of {titles[row.about]}: {row.say}" in prompts for row in told.itertuples()
    )


def test_a_story_tells_what_somebody_heard_said_and_did(whole):
    told = said(whole.directory)
    hearer, day = next((row.hearer, row.day + 1) for row in told.itertuples() if row.day < 3)
    sessions = read_story(whole.directory, hearer, day=day).sessions
    sources = {row.teller for row in told[(told.hearer == hearer) & (told.day == day - 1)].itertuples()}
    heard = {words.split(" told the agent of ")[0] for words in sessions[0].heard}
    assert heard == {f"user {teller}" for teller in sources}
    teller = told.iloc[0]
    first = read_story(whole.directory, teller.teller, day=int(teller.day)).sessions[0]
    assert first.pages[0].heading == "before the site"
    assert first.pages[0].said[0].startswith("tells ")
    assert first.pages[0].said[0].endswith(f"“{teller.say}”")
    assert first.stayed_away
    assert not [text for _, text in first.memories if teller.say in text], "its page tells it once"


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        ("DELETE FROM events WHERE kind = 'about'", "something was told, and `about` is missing"),
        ("DELETE FROM events WHERE kind = 'say'", "something was told, and `say` is missing"),
        ("UPDATE events SET detail = '7, 8' WHERE kind = 'to'", "`to` holds '7, 8', expected a JSON list of ids"),
        ("UPDATE events SET detail = '[]' WHERE kind = 'to'", r"`to` holds '\[\]', expected a JSON list of ids"),
    ],
)
def test_what_was_told_and_is_damaged_is_told_everywhere(whole, tmp_path, edit, complaint):
    told = said(whole.directory)
    shutil.copytree(whole.directory, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "log.db") as log:
        log.execute(edit)
    damaged = pytest.raises(
        RunDirectoryError, match=rf"log\.db: the log is damaged: events of session \d+: {complaint}"
    )
    with damaged:
        read_story(tmp_path / "run", told.iloc[0].teller)
    with damaged:
        read_story(tmp_path / "run", told.hearer.iloc[0])
    with damaged:
        arms_of(tmp_path / "run", build_plan(config()))
    with damaged, reading(tmp_path / "run"):
        raise KeyError("to")  # whatever stumbles over it


def test_a_killed_run_ends_with_the_same_digest(whole, tmp_path, monkeypatch):
    write, count = LogWriter.write, 0

    def failing(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == 16 * 2 + 7:
            raise RunDirectoryError("killed")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="killed"):
            run_experiment(config(), tmp_path / "run")
    assert resume_experiment(tmp_path / "run").digest == whole.digest


def test_another_concurrency_gives_the_same_digest(whole, tmp_path):
    found = run_experiment(config(simulation={"days": 4, "concurrency": 1}), tmp_path / "run")
    assert found.digest == whole.digest


def test_the_forecast_holds_two_calls_per_turn(whole):
    with_turns, without = (
        estimate(build_plan(config(mind={**MIND, "social": social}))) for social in (MIND["social"], None)
    )
    assert with_turns.calls == without.calls + 2 * with_turns.sessions
    with sqlite3.connect(whole.directory / "log.db") as log:
        assert log.execute("SELECT count(*) FROM calls").fetchone()[0] <= with_turns.calls


def test_a_grocer_hears_of_what_was_chosen(tmp_path, repeat_shop):
    from groundlings.experiments.running.supplied import Supplied

    done = run_experiment(config(population={"size": 12}), tmp_path / "shop", supplied=Supplied(dataset=repeat_shop))
    assert len(said(done.directory)) > 5


def test_turns_before_a_conversation_are_refused():
    with pytest.raises(ConfigError, match=r"mind\.social\.turns: the environment has the actions say itself"):
        build_plan(config(environment={"kind": "conversation"}, site={}))


def test_agents_in_cohorts_take_the_same_turns(whole, tmp_path):
    together = run_experiment(config(mind={**MIND, "cohort_size": 5}), tmp_path / "run")
    assert together.digest == whole.digest
    assert said(together.directory).equals(said(whole.directory))


def test_a_changed_table_of_ties_is_another_experiment(interrupted, tmp_path):
    table = tmp_path / "friends.csv"
    users = [f"u{number}" for number in range(1, 13)]
    pairs = [f"{one},{other}\n" for one, other in itertools.pairwise(users)]
    table.write_text("user,friend\n" + "".join(pairs))
    directory = interrupted(
        mind={"kind": "behavioural", "social": {"ties": str(table), "likes": 0.5, "dislikes": -0.5}}, arms=WORLD["arms"]
    )
    table.write_text("user,friend\n" + "".join(pairs[:4]))
    with pytest.raises(ConfigError, match=r"began with another file.*\n.*mind\.file\.social\.ties"):
        resume_experiment(directory)
    table.write_text("user,friend\n" + "".join(pairs))
    assert resume_experiment(directory).digest
