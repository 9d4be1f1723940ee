"""Moods, memories and interviews: written with their session, and read back by a run that goes on."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import ProgressEvent, SessionsWritten
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.agent_state_rows import read_memories
from groundlings.simulator.log.digest import digest as digest_of
from groundlings.simulator.log.store import LOG_NAME, open_log

CONFIG = {
    "name": "inner", "seed": 3, "dataset": "toy", "population": {"size": 4},
    "simulation": {"days": 4, "refit_every": 0}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {
        "kind": "language", "model": {"provider": "scripted"}, "rotate_slots": True, "reasons": True,
        "reflection": {"every": 2}, "interview": {"questions": ["What was missing?", "Again?"]},
    },
    "arms": [{"name": "first", "recommender": "popular"}, {"name": "second", "recommender": "random_order"}],
}  # fmt: skip


def played(folder, **changes) -> tuple[sqlite3.Connection, str]:
    mind = {**CONFIG["mind"], **changes.pop("mind", {})}
    folder.mkdir()
    log_experiment(ExperimentConfig.model_validate({**CONFIG, "mind": mind, **changes}), folder / LOG_NAME)
    return sqlite3.connect(folder / LOG_NAME), digest_of(open_log(folder))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return played(tmp_path_factory.mktemp("inner") / "run")


def test_every_page_has_its_mood_and_every_session_its_memory(log):
    connection, _ = log
    pages, moods = (connection.execute(f"SELECT {what}").fetchone()[0] for what in (
        "sum(pages) FROM sessions", "count(*) FROM moods"))  # fmt: skip
    assert moods == pages > 0
    first = connection.execute("SELECT DISTINCT satisfaction, tiredness, boredom FROM moods WHERE page = 1").fetchall()
    assert first == [(5.5, 0.0, "{}")]
    kinds = connection.execute(
        "SELECT day, kind, count(*) FROM memories JOIN sessions USING (session_id) GROUP BY day, kind"
    ).fetchall()
    assert kinds == [
        (0, "visit", 8), (1, "reflection", 8), (1, "visit", 8), (2, "visit", 8), (3, "reflection", 8), (3, "visit", 8),
    ]  # fmt: skip


def test_an_interview_points_to_the_call_that_answered_it(log):
    connection, _ = log
    rows = connection.execute(
        "SELECT place, question, answer, template, reply, interviews.session_id = calls.session_id"
        " FROM interviews JOIN calls USING (call_id)"
    ).fetchall()
    assert len(rows) == 2 * 4 * 4 * 2
    for place, question, answer, template, reply, same_session in rows:
        assert question == CONFIG["mind"]["interview"]["questions"][place]
        assert json.loads(reply)[str(place + 1)] == answer
        assert template.startswith("interview-")
        assert same_session


def test_slots_say_where_they_stood_and_reasons_point_to_their_slot(log):
    connection, _ = log
    rows = connection.execute(
        "SELECT group_concat(position), group_concat(display_position) FROM impressions GROUP BY session_id, page"
    ).fetchall()
    assert all(sorted(own) == sorted(shown) for own, shown in rows)
    assert any(own != shown for own, shown in rows)
    reasons = connection.execute("SELECT count(*), count(impression_id) FROM events WHERE kind = 'reason'").fetchone()
    assert reasons[0] == reasons[1] > 0


def test_memories_are_read_back_as_they_were_made(log):
    connection, _ = log
    with open_log(_path(connection)).connect() as reading:
        memories = read_memories(reading, arm_id=2, first_agent=1)
    assert [(each.day, each.agent) for each in memories] == sorted((each.day, each.agent) for each in memories)
    assert {each.agent for each in memories} == {0, 1, 2, 3}
    assert len(memories) == 4 * 6


def test_everything_of_it_is_in_the_digest_and_none_of_it_depends_on_concurrency_or_arm_order(log, tmp_path):
    _, digest = log
    slow = {"days": 4, "refit_every": 0, "concurrency": 1}
    _, other = played(tmp_path / "other", simulation=slow, arms=CONFIG["arms"][::-1])
    assert other == digest
    for table, change in (("moods", "tiredness = 0.5"), ("memories", "text = 'x'"), ("interviews", "answer = 'x'")):
        connection = sqlite3.connect(tmp_path / "other" / "log.db")
        before = connection.execute(f"SELECT * FROM {table}").fetchall()
        connection.execute(f"UPDATE {table} SET {change} WHERE rowid = 1")
        connection.commit()
        assert connection.execute(f"SELECT * FROM {table}").fetchall() != before
        assert digest_of(open_log(tmp_path / "other")) != digest
        connection.close()


def test_graded_probabilities_and_draws_explain_clicks_stars_and_exits(tmp_path):
    connection, _ = played(tmp_path / "graded", mind={"decision": "graded", "reasons": False})
    audit = "SELECT count(*) FROM impressions WHERE clicked IS NOT (u_click < p_click)"
    assert connection.execute(audit).fetchone() == (0,)
    leaving = connection.execute(
        "SELECT kind, p_next, u_next FROM moods JOIN events USING (session_id, page)"
        " WHERE kind IN ('next_page', 'exit')"
    ).fetchall()
    for kind, chance, draw in leaving:
        assert (chance is None) == (draw is None)
        if chance is not None:
            assert (kind == "next_page") == (draw < chance)
    rates, odds = (
        connection.execute("SELECT count(*) FROM events WHERE kind = ?", (kind,)).fetchone()[0]
        for kind in ("rate", "star_odds")
    )
    assert rates == odds > 0
    asked = connection.execute(
        "SELECT first_token FROM calls WHERE template LIKE 'graded%' AND first_token IS NOT NULL"
    )
    assert all(len(json.loads(row[0])) >= 2 for row in asked)


def _path(connection):
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


class _Stops:
    """Breaks off the run once so many sessions are written."""

    def __init__(self, after: int) -> None:
        self._left = after

    def event(self, event: ProgressEvent) -> None:
        self._left -= event.count if isinstance(event, SessionsWritten) else 0
        if self._left <= 0:
            raise ProviderError("the server is down")


@pytest.mark.parametrize("after", [1, 6, 9, 21])
def test_agents_of_a_resumed_run_remember_what_they_had_lived_through(log, tmp_path, after):
    _, digest = log
    config = ExperimentConfig.model_validate(CONFIG)
    with pytest.raises(ProviderError):
        log_experiment(config, tmp_path / LOG_NAME, _Stops(after))
    log_experiment(config, tmp_path / LOG_NAME)
    assert digest_of(open_log(tmp_path)) == digest
