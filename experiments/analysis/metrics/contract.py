"""The promises of a metric as tests, to be inherited by the tests of your own.

    from groundlings.experiments.analysis.metrics.contract import MetricContract

    class TestMine(MetricContract):
        def build(self):
            return MY_METRIC

pytest then runs every `test_...` below on the log of a small run. A metric of actions that this run does not have gets
a run of yours: override `run_directory`. Nothing here needs pytest to be imported.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.values import MetricReader, checked
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TOY_EXPERIMENT: dict[str, Any] = {
    "name": "toy",
    "seed": 5,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 2, "visit_probability": 0.6, "refit_every": 0},
    "site": {"page_size": 5, "max_pages": 2},
    "mind": "behavioural",
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
}
"""The small run: some of its people never come, and some of those who come click on nothing."""

_KEY = ["arm_id", "agent_id"]
_PARTS = ["numerator", "denominator"]


@lru_cache(maxsize=1)
def toy_run() -> TemporaryDirectory[str]:
    """A directory that holds the finished small run as long as it is kept; it is made once per process."""
    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.run import run_experiment

    folder = TemporaryDirectory(prefix="groundlings-metric-")
    run_experiment(ExperimentConfig.model_validate(TOY_EXPERIMENT), Path(folder.name) / "run")
    return folder


class MetricContract(ABC):
    """Inherit and write `build`."""

    @abstractmethod
    def build(self) -> Metric:
        """The metric under test."""

    def run_directory(self) -> Path:
        """A finished run in which the metric has values, with its log in a SQLite file."""
        return Path(toy_run().name) / "run"

    def test_somebody_has_a_value(self) -> None:
        """The run lets the metric show something."""
        assert len(self._values()), "no agent has a value in this run; override `run_directory` with one of yours"

    def test_an_agent_has_one_value_at_most_in_each_arm(self) -> None:
        """One row per agent and arm, or per agent, arm and day."""
        metric = self.build()
        with LogReader(self.run_directory()) as log:
            rows = MetricReader(log).rows(metric)
        key = [*_KEY, "day"] if "day" in rows else _KEY
        assert not rows.duplicated(key).any(), "an agent stands there twice"

    def test_denominators_are_positive(self) -> None:
        """What has a value can be divided."""
        found = self._values()
        assert (found.denominator > 0).all()
        assert np.isfinite(found[_PARTS].to_numpy()).all()

    def test_who_never_came_has_no_value(self) -> None:
        """Missing is missing: an agent who was never in an arm has no value there, and no zero."""
        with LogReader(self.run_directory()) as log:
            sessions = log.session_totals(like_from=0.0)
        came = set(zip(sessions.arm_id, sessions.agent_id, strict=True))
        found = self._values()
        assert set(zip(found.arm_id, found.agent_id, strict=True)) <= came, "somebody has a value who was never there"

    def test_asked_twice_it_gives_the_same(self) -> None:
        """Nothing random, and nothing kept from the first time."""
        pd.testing.assert_frame_equal(self._values(), self._values())

    def test_the_order_of_rows_does_not_matter(self) -> None:
        """Frames in another order, or rows that the database reads from the end, give the same."""
        metric = self.build()
        if metric.scan is not None:
            return  # it reads in the log's own order
        again = self._shuffled(metric) if metric.function is not None else self._backwards(metric)
        pd.testing.assert_frame_equal(_sorted(checked(metric, again)), self._values(), rtol=1e-9)

    def test_days_are_days_of_the_run(self) -> None:
        """A `day` that SQL names is one of the simulation."""
        metric = self.build()
        with LogReader(self.run_directory()) as log:
            rows, days = MetricReader(log).rows(metric), set(log.sessions(columns=["day"]).day)
        assert "day" not in rows or set(rows.day) <= days

    def _values(self) -> pd.DataFrame:
        with LogReader(self.run_directory()) as log:
            return _sorted(MetricReader(log).values(self.build()))

    def _shuffled(self, metric: Metric) -> pd.DataFrame:
        """What the function gives for its frames in another order."""
        assert metric.function is not None
        with LogReader(self.run_directory()) as log:
            reader = MetricReader(log)
            mixed = {name: frame.sample(frac=1.0, random_state=3) for name, frame in reader.frames(metric).items()}
            return reader.called(metric, mixed)

    def _backwards(self, metric: Metric) -> pd.DataFrame:
        """What the SQL gives where SQLite reads unordered rows from the end."""
        path = self.run_directory() / LOG_NAME
        if not path.is_file():
            raise RunDirectoryError(f"{path}: the contract reads logs in SQLite; run the experiment without `log`")
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("PRAGMA reverse_unordered_selects = ON")
            rows = pd.read_sql_query(metric.sql or "", connection)
        finally:
            connection.close()
        return rows.groupby(_KEY, as_index=False)[_PARTS].sum() if "day" in rows else rows[[*_KEY, *_PARTS]]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[*_KEY, *_PARTS]].sort_values(_KEY).reset_index(drop=True)
