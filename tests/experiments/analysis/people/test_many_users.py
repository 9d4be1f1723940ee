"""A report of many users: its page does not grow with them, and what is kept of each is a few numbers."""

from __future__ import annotations

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from groundlings.experiments.analysis.comparison.persona_columns import persona_columns
from groundlings.experiments.analysis.measuring import measure
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

AGENTS = 50
SHIFTED = {
    "agents": {"agent_id": "agents"},
    "sessions": {"session_id": "sessions", "agent_id": "agents"},
    "impressions": {"impression_id": "impressions", "session_id": "sessions"},
}
"""Table -> its numbers that differ in every copy, and the table whose numbers they are."""


def multiply(log: Path, times: int) -> None:
    """Give every user of a log further ones with the same persona, who do the same."""
    with closing(sqlite3.connect(log)) as connection, connection:
        last = {
            table: connection.execute(f"SELECT max({next(iter(numbers))}) FROM {table}").fetchone()[0]
            for table, numbers in SHIFTED.items()
        }
        for table, numbers in SHIFTED.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            copied = [
                f"{name} + {last[numbers[name]]} * ?1" if name in numbers
                else f"{name} || '-' || ?1" if name == "source_user_id" else name
                for name in columns
            ]  # fmt: skip
            for copy in range(1, times):
                connection.execute(
                    f"INSERT INTO {table} SELECT {', '.join(copied)} FROM {table} WHERE {columns[0]} <= {last[table]}",
                    (copy,),
                )


@pytest.fixture(scope="module")
def reports(tmp_path_factory, leave_out_sheets) -> dict[int, Path]:
    """How many times as many users -> the directory of a run with its report."""
    found = {}
    config = {
        "name": "many", "seed": 5, "simulation": {"days": 1}, "metrics": ["likes_per_session"],
        "dataset": {"name": "toy", "toy": {"n_users": AGENTS, "n_items": 60, "interactions_per_user": 8}},
        "mind": {"kind": "behavioural", "random_click_rate": 0.2}, "site": {"page_size": 3, "max_pages": 2},
        "arms": [{"name": arm, "recommender": arm} for arm in ("popular", "random_order")],
        "plan": {"primary": "likes_per_session"},
    }  # fmt: skip
    for times in (8, 32):
        found[times] = tmp_path_factory.mktemp("many")
        log_experiment(ExperimentConfig.model_validate(config), found[times] / LOG_NAME)
        multiply(found[times] / LOG_NAME, times)
        with LogReader(found[times]) as log, pytest.MonkeyPatch.context() as patched:
            leave_out_sheets(patched)
            measure(found[times], log)
    return found


@pytest.mark.filterwarnings("ignore:.*rows were added")
def test_the_page_of_many_users_is_as_long_as_that_of_few(reports):
    few, many = ((reports[times] / "report.html").read_text(encoding="utf-8") for times in (8, 32))
    assert f"{32 * AGENTS:,} simulated users" in many
    assert f"{8 * AGENTS:,} simulated users" in few
    assert many.count('<a class="user-dot') == few.count('<a class="user-dot') == 100
    # Stories of the dozen differ by a few lines, and large counts have more digits; everything else is as long.
    assert len(many) < 1.02 * len(few) < 500_000


def test_of_a_persona_a_comparison_keeps_a_few_hundred_bytes(reports):
    def held(times: int) -> tuple[int, int]:
        with LogReader(reports[times]) as log:
            tracemalloc.start()
            columns = persona_columns(agent.persona for agent in log.logged_agents())
            size = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        return len(columns), size

    (few, small), (many, large) = held(8), held(32)
    assert (few, many) == (8 * AGENTS, 32 * AGENTS)
    assert (large - small) / (many - few) < 300


def test_columns_say_of_each_agent_what_the_persona_does_and_unknown_is_not_zero():
    people = [
        {"traits": {"activity": {"level": "low", "value": 3.0}}, "demographics": {"age": 20}, "history_length": 4,
         "style": {"mean": 3.5, "spread": 1.0}, "genre_lifts": {"War": 1.0, "Drama": 2.0}},
        {"traits": {}, "demographics": {"gender": "F"}, "style": {"mean": None}},
    ]  # fmt: skip
    found = persona_columns(iter(people))
    assert len(found) == 2
    assert list(found.levels["activity"]) == ["low", ""]
    assert found.values["activity"][0] == 3.0
    assert np.isnan([found.values["activity"][1], found.mean[1], found.spread[1], found.history_length[1]]).all()
    assert {name: list(told) for name, told in found.demographics.items()} == {"age": ["20", ""], "gender": ["", "F"]}
    assert list(found.favourites) == ["Drama", ""]
    assert found.history_length[0] == 4.0
    assert persona_columns(found) is found
