"""The shipped mix of feed, search and word of mouth: all three happen, and a killed run ends the same."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.writer import LogWriter

MIXED = Path(__file__).parents[3] / "experiments" / "configs" / "mixed.yaml"
SMALL = (
    "dataset={name: toy, toy: {n_users: 50, n_items: 60, interactions_per_user: 12}}",
    "environment.page_size=5",
    "mind.social.ties.neighbours=6",
    "held_out=false",
)


def few_people():
    return load_config(MIXED, SMALL)


def test_a_killed_run_of_feed_search_and_word_of_mouth_ends_the_same(tmp_path, monkeypatch, quick_report):
    whole = run_experiment(few_people(), tmp_path / "whole").digest
    with sqlite3.connect(tmp_path / "whole" / "log.db") as log:
        sources = dict(log.execute("SELECT detail, count(*) FROM events WHERE kind = 'source' GROUP BY detail"))
        queries = log.execute("SELECT count(*) FROM events WHERE kind = 'query'").fetchone()[0]
    assert min(sources["feed"], sources["search"], queries) > 20

    write, days = LogWriter.write, set()

    def failing(self, *arguments, **named):
        days.add(named["sim_time"])
        if len(days) == 4:
            raise RunDirectoryError("killed")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="killed"):
            run_experiment(few_people(), tmp_path / "run")
    assert resume_experiment(tmp_path / "run").digest == whole
    silent = load_config(MIXED, (*SMALL, "mind.social=null"))
    assert run_experiment(silent, tmp_path / "silent").digest != whole
