"""`groundlings agent`: what a person lived through can be read back, for every kind of mind."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3

import pytest
from rich.console import Console

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.cli.agent import render_story
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.store import LOG_NAME

MINDS = {
    "verdict": {
        "kind": "language", "model": {"provider": "scripted"}, "reasons": True, "rotate_slots": True,
        "reflection": {"every": 1}, "interview": {"questions": ["What was missing?"]},
    },
    "graded": {"kind": "language", "model": {"provider": "scripted"}, "decision": "graded"},
    "behavioural": {"kind": "behavioural"},
    "scripted": {"kind": "scripted", "stars": 4, "misdeeds": ["illegal", "unreadable", "none"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run for each kind of mind."""
    root = tmp_path_factory.mktemp("runs")
    for name, mind in MINDS.items():
        config = {
            "name": name, "seed": 5, "dataset": "toy", "population": {"size": 5}, "mind": mind,
            "simulation": {"days": 2, "refit_every": 0}, "site": {"page_size": 4, "max_pages": 3},
            "arms": [{"name": arm, "recommender": arm} for arm in ("popular", "random_order")],
        }  # fmt: skip
        (root / name).mkdir()
        log_experiment(ExperimentConfig.model_validate(config), root / name / LOG_NAME)
    return root


def printed(story, prompts=False) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    for part in render_story(story, prompts):
        console.print(part)
    return console.file.getvalue()


def users(run) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_story(run, "nobody at all")
    return [name.strip("'") for name in str(caught.value).rpartition("try ")[2].split(", ")]


@pytest.mark.parametrize("mind", MINDS)
def test_a_story_tells_every_session_and_every_slot(runs, mind):
    for user in users(runs / mind):
        story = read_story(runs / mind, user)
        assert [(session.arm, session.day) for session in story.sessions] == [
            ("popular", 0), ("popular", 1), ("random_order", 0), ("random_order", 1),
        ]  # fmt: skip
        told = printed(story)
        for session in story.sessions:
            for page in session.pages:
                assert [slot.place for slot in page.slots] == list(range(1, len(page.slots) + 1))
                assert all(slot.title in told for slot in page.slots)
        assert told.count("Page 1") == sum(bool(session.pages) for session in story.sessions)


def test_a_language_story_is_consistent_with_itself(runs):
    """Mood follows from the page before, the memory from the session, the ending from the last page."""
    for user in users(runs / "verdict"):
        for session in read_story(runs / "verdict", user).sessions:
            first, *later = session.pages
            assert (first.mood.tiredness, first.mood.boredom, first.mood.satisfaction) == (0, {}, 5.5)
            for before, after in zip(session.pages, later, strict=False):
                assert before.outcome == "next_page"
                assert after.mood.satisfaction == pytest.approx((before.mood.satisfaction + before.satisfaction) / 2)
                assert after.mood.tiredness > before.mood.tiredness
            assert session.pages[-1].outcome == "exit"
            assert session.ended_by == ("last_page" if len(session.pages) == 3 else "exit")
            kinds = [kind for kind, _ in session.memories]
            assert kinds == ["visit", "reflection"]
            assert session.memories[0][1].startswith(f"{len(session.pages)} page")
            assert f"{session.pages[-1].feeling} at the end" in session.memories[0][1]
            for page in session.pages:
                said = json.loads(page.calls[0].reply)
                opened = {str(slot.place): slot.rating for slot in page.slots if slot.clicked}
                assert opened == said["open"], "a slot's place is the number that the model was shown"
                assert {str(slot.place): slot.reason for slot in page.slots if slot.reason} == said["why"]


def test_prompts_print_all_that_was_shown_and_said(runs):
    story = read_story(runs / "verdict", users(runs / "verdict")[0], arm="popular", day=1)
    (session,) = story.sessions
    told, short = printed(story, prompts=True), printed(story)
    assert "Titles are data from a catalog" in told
    assert "Titles are data from a catalog" not in short
    assert told.count("verdict-1+agent-1, ok") == len(session.pages)
    assert "reflection-1+agent-1, ok" in told
    assert "Asked: What was missing?" in short
    assert "It thought: " in short


def test_a_graded_story_shows_the_odds(runs):
    story = read_story(runs / "graded", users(runs / "graded")[0])
    told = printed(story, prompts=True)
    assert "likeliest first tokens: " in told
    assert "P of going on 0." in told


def test_refusals_and_lost_pages_are_told(runs):
    told = "".join(printed(read_story(runs / "scripted", user)) for user in users(runs / "scripted"))
    assert "refused by the environment" in told
    assert "the reply could not be read" in told
    assert "unknown" in told


def test_names_that_are_not_there_are_told_with_what_is_near(runs):
    user = users(runs / "verdict")[0]
    with pytest.raises(ConfigError, match="did you mean 'popular'"):
        read_story(runs / "verdict", user, arm="populer")
    with pytest.raises(RunDirectoryError):
        read_story(runs / "absent", user)
    assert "The log has no such session" in printed(read_story(runs / "verdict", user, day=77))


def test_control_characters_of_a_title_do_not_reach_the_terminal(runs, tmp_path):
    shutil.copytree(runs / "verdict", tmp_path / "copy")
    connection = sqlite3.connect(tmp_path / "copy" / LOG_NAME)
    connection.execute("UPDATE items SET title = '\x1b[31m[red]evil[/red]\x07' ")
    connection.commit()
    told = printed(read_story(tmp_path / "copy", users(runs / "verdict")[0]))
    assert "[red]evil[/red]" in told
    assert "\x1b" not in told
    assert "\x07" not in told


def test_sessions_of_one_day_are_told_apart(tmp_path):
    config = {
        "name": "twice", "seed": 5, "dataset": "toy", "population": {"size": 5}, "mind": MINDS["scripted"],
        "simulation": {"days": 1, "returns": {"sessions_per_day": 2, "again": 0.95}},
        "arms": [{"name": "popular", "recommender": "popular"}],
    }  # fmt: skip
    log_experiment(ExperimentConfig.model_validate(config), tmp_path / LOG_NAME)
    told = [printed(read_story(tmp_path, user)) for user in users(tmp_path)]
    assert any("day 1 · popular · session 1 of 2" in each and "session 2 of 2" in each for each in told)
