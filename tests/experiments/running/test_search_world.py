"""Runs in which people search: the log, resuming, workers, and what is refused before a session."""

import json
import sqlite3

import numpy as np
import pytest
import yaml

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.labs.search_sessions.log import LoggedPage, SearchLog
from groundlings.experiments.labs.search_sessions.of_run import held_run
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.writer import LogWriter
from tests.fitted_search import written

EXPERIMENT = {
    "name": "search", "seed": 3, "held_out": False,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 3},
    "environment": {"kind": "search", "page_size": 4, "opens_on": "feed", "max_pages": 5},
    "mind": {"kind": "behavioural", "search": {"search_rate": 0.6}},
    "arms": [
        {"name": "a", "recommender": "popular"},
        {"name": "b", "recommender": "feed_and_search",
         "options": {"feed": {"recommender": "item_knn"}, "search": {"recommender": "bm25"}}},
    ],
}  # fmt: skip


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Reads an experiment file."""
    monkeypatch.setattr(
        "groundlings.experiments.analysis.report.write_report",
        lambda directory, *_: (directory / "report.html").write_text("drawn"),
    )

    def started(**changes):
        path = tmp_path / "search.yaml"
        path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}))
        return load_config(path)

    return started


def test_the_log_holds_what_was_asked_and_where(start, tmp_path):
    run_experiment(start(), tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "log.db") as log:
        sources = dict(log.execute("SELECT detail, count(*) FROM events WHERE kind = 'source' GROUP BY detail"))
        assert sources.keys() == {"feed", "search"}
        # Every query leads to a page of results, and the session has gone on.
        (asked,) = log.execute("SELECT count(*) FROM events WHERE kind = 'query'").fetchone()
        led = """
            SELECT count(*) FROM events AS asked
            JOIN events AS found ON found.session_id = asked.session_id AND found.page = asked.page + 1
                 AND found.kind = 'source' AND found.detail = 'search'
            JOIN events AS ended ON ended.session_id = asked.session_id AND ended.page = asked.page
                 AND ended.kind = 'next_page'
            WHERE asked.kind = 'query'"""
        assert log.execute(led).fetchone() == (asked,)
        assert asked > 0


def by_hand(log, arm):
    """Figures of an arm from the rows of its log, agent by agent: name -> mean."""
    numbers = {}
    sessions = log.execute(
        "SELECT session_id, agent_id FROM sessions JOIN arms USING (arm_id) WHERE name = ?", (arm,)
    ).fetchall()
    for session, agent in sessions:
        events = log.execute("SELECT page, kind, detail FROM events WHERE session_id = ?", (session,)).fetchall()
        slots = log.execute("SELECT page, clicked FROM impressions WHERE session_id = ?", (session,)).fetchall()
        results = {page for page, kind, detail in events if (kind, detail) == ("source", "search")}
        asked = [page for page, kind, _ in events if kind == "query"]
        found = [clicked for page, clicked in slots if page in results]
        feed = [clicked for page, clicked in slots if page not in results]
        empty = [page for page in asked if page + 1 not in {shown for shown, _ in slots}]
        for name, top, bottom in (
            ("queries_per_session", len(asked), 1),
            ("reformulation_rate", len(asked) > 1, bool(asked)),
            ("search_abandonment", bool(asked) and not any(found), bool(asked)),
            ("queries_without_results", len(empty), len(asked)),
            ("click_rate_of_results", sum(found), len(found)),
            ("click_rate_of_feed", sum(feed), len(feed)),
        ):
            total = numbers.setdefault(name, {}).setdefault(agent, [0, 0])
            total[0] += top
            total[1] += bottom
    return {
        name: np.mean([top / bottom for top, bottom in agents.values() if bottom]) for name, agents in numbers.items()
    }


RESULTS_BY_RANK = """
    SELECT impressions.position, avg(clicked) FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id)
    JOIN events USING (session_id, page)
    WHERE kind = 'source' AND detail = 'search' AND name = ? AND (session_id, page) IN (
      SELECT session_id, page FROM impressions WHERE clicked)
    GROUP BY impressions.position ORDER BY impressions.position"""
"""Of pages of results with a click, as a log without others would have them."""


def test_metrics_and_stories_tell_what_the_log_holds(start, tmp_path):
    run_experiment(start(simulation={"days": 2}), tmp_path / "run")
    with LogReader(tmp_path / "run") as reader:
        (_, arm) = summarise(reader).arms
    with sqlite3.connect(tmp_path / "run" / "log.db") as log:
        expected = by_hand(log, "b")
        asked = "SELECT source_user_id FROM agents JOIN sessions USING (agent_id) JOIN events USING (session_id)"
        (user,) = log.execute(f"{asked} WHERE kind = 'query'").fetchone()
        clicks_by_rank = log.execute(RESULTS_BY_RANK, ("b",)).fetchall()
    assert {name: arm.metrics[name].mean for name in expected} == pytest.approx(expected)
    page = "1", "", "tea", (("Green Tea", ""),) * 4, (True, False, False, True)
    real = SearchLog.of([LoggedPage(person, *page) for person in "pq"])
    held = {row.name: row for row in held_run(tmp_path / "run", real, 0).figures if row.by == "b"}
    assert held["click rate by rank"].simulated == pytest.approx([rate for _, rate in clicks_by_rank])
    assert held["click rate by rank"].real == (1.0, 0.0, 0.0, 1.0)
    told = [page for session in read_story(tmp_path / "run", user).sessions for page in session.pages]
    query = next(page.said for page in told if page.said)
    assert query[0].startswith("asked for “")
    assert query[0].replace("asked", "results") in [page.heading for page in told]
    assert told[0].heading == "feed"


def test_workers_search_as_one_process_does(start, tmp_path):
    alone = run_experiment(start(), tmp_path / "alone").digest
    assert run_experiment(start(execution={"engine": "pool", "workers": 2}), tmp_path / "pool").digest == alone


def cut_short(monkeypatch, run):
    """Carries out a run that fails on its third day."""
    write, days = LogWriter.write, []

    def failing(self, *arguments, **named):
        days.append(named["sim_time"])
        if len({*days}) == 3:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run()


def test_a_run_that_was_cut_short_is_resumed_to_the_same_digest(start, tmp_path, monkeypatch):
    whole = run_experiment(start(), tmp_path / "whole").digest
    cut_short(monkeypatch, lambda: run_experiment(start(), tmp_path / "run"))
    assert resume_experiment(tmp_path / "run").digest == whole


def by_real_searches(path):
    return {"mind": {"kind": "behavioural", "search": {"fitted": str(path), "need_words": 6, "search_rate": 0.6}}}


def test_what_was_fitted_on_real_searches_is_part_of_what_a_run_is(start, tmp_path, monkeypatch):
    path = written(tmp_path / "fitted.json")
    whole = run_experiment(start(**by_real_searches(path)), tmp_path / "whole").digest
    manifest = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    assert manifest["mind"]["search"]["fitted"]["origin"] == "fitted on 12 people's sessions of made.csv"
    assert "mind.file.search.fitted" in manifest["depends_on"]
    cut_short(monkeypatch, lambda: run_experiment(start(**by_real_searches(path)), tmp_path / "run"))
    other = written(path, level=0.5).read_text()
    with pytest.raises(ConfigError, match=r"mind\.file\.search\.fitted"):
        resume_experiment(tmp_path / "run")
    assert other != written(path).read_text()
    assert resume_experiment(tmp_path / "run").digest == whole


BM25 = [{"name": "a", "recommender": "bm25"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": BM25}, r"arms\[0\]: bm25 lists items for a query.*feed_and_search"),
        ({"arms": BM25, "environment": None, "mind": "behavioural"}, "nobody makes a query.*environment: search"),
        ({"environment": {"kind": "search", "opens_on": "door"}}, r"environment\.opens_on"),
        ({"environment": {"kind": "search", "page_sise": 4}}, "page_sise.*did you mean"),
        (
            {
                "environment": {"kind": "search", "page_size": 6},
                "mind": {"kind": "behavioural", "search": {"fitted": "FITTED"}},
            },
            r"mind\.search\.fitted: found pages of 6 results; expected at most 5",
        ),
        (
            {"mind": {"kind": "behavioural", "search": {"fitted": "none.json"}}},
            r"none\.json: what was fitted on search sessions cannot be read",
        ),
        ({"environment": None, "site": {"page_size": 4}}, r"mind\.search.*no query can be made"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_session(start, changes, said, tmp_path):
    written(tmp_path / "FITTED")
    with pytest.raises(ConfigError, match=said):
        build_plan(start(**changes))
