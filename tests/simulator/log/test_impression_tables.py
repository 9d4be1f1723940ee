"""What is looked up among columns is what a join of the tables finds, in either store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.streams import IMPRESSION_COLUMNS
from groundlings.simulator.log.store import LOG_NAME

SMALL = {
    "name": "small", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 20, "n_items": 50, "interactions_per_user": 10}},
    "simulation": {"days": 2}, "site": {"page_size": 4, "max_pages": 3},
    "mind": {"kind": "scripted", "click": [0, 2], "stars": 4.0, "pages": 2, "satisfaction": 6.0,
             "misdeeds": ["none", "illegal", "none", "unreadable"]},
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
}  # fmt: skip
JOINED = "impressions JOIN sessions USING (session_id) JOIN agents USING (agent_id) JOIN items USING (item_id)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """The same run in either store; they are only read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        found = {}
        for store in ("sqlite", "parquet"):
            config = ExperimentConfig.model_validate({**SMALL, "log": {"store": store}})
            found[store] = run_experiment(config, tmp_path_factory.mktemp(store) / "run").directory
    return found


@pytest.mark.parametrize("store", ["sqlite", "parquet"])
@pytest.mark.parametrize(
    ("outcome", "action", "where"),
    [
        (None, None, "true"),
        ("known", None, "clicked IS NOT NULL"),
        ("clicked", None, "clicked"),
        ("rated", None, "rating IS NOT NULL"),
        (
            None,
            "rate",
            "EXISTS (SELECT 1 FROM events e WHERE e.impression_id = impressions.impression_id AND kind = 'rate')",
        ),
    ],
)
def test_every_column_of_every_outcome_is_that_of_a_join(runs, store, outcome, action, where):
    columns = ", ".join(IMPRESSION_COLUMNS.values())
    with closing(sqlite3.connect(runs["sqlite"] / LOG_NAME)) as log:
        query = f"SELECT sessions.arm_id, {columns} FROM {JOINED} WHERE {where} ORDER BY impression_id"
        expected = log.execute(query).fetchall()
    with LogReader(runs[store]) as log:
        chunks = log.impression_chunks(list(IMPRESSION_COLUMNS), outcome, action)
        found = [(arm_id, *row) for arm_id, rows in chunks for row in rows]
    assert found == expected
    assert len(expected) > 10


def test_an_impression_of_no_session_is_no_impression_of_another_one(runs, tmp_path):
    copy = tmp_path / LOG_NAME
    with closing(sqlite3.connect(runs["sqlite"] / LOG_NAME)) as log, closing(sqlite3.connect(copy)) as other:
        log.backup(other)
        with other:
            other.execute("UPDATE impressions SET session_id = 9999 WHERE impression_id = 3")
    with LogReader(copy) as log, pytest.raises(Exception, match=r"a number that no session has; .* restore it"):
        list(log.impression_chunks(["user_id"]))
