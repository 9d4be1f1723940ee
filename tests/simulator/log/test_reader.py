"""The one reader: its DataFrames hold what raw SQL finds in the same log, and nothing is made up."""

from __future__ import annotations

import inspect
import re
import sqlite3

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import open_log

ARMS = ("chance", "good & <new>", "again", "best")
FRAMES = ("impressions", "sessions", "events", "calls")
PLAIN = {
    "impressions": ("impression_id", "page", "position", "rank", "score", "pscore", "examined", "clicked", "rating",
                    "p_click", "is_random", "display_position"),
    "sessions": ("session_id", "pages", "ended_by", "satisfaction", "policy_version"),
    "events": ("event_id", "impression_id", "kind", "value", "detail"),
    "calls": ("call_id", "model", "prompt_tokens", "reply", "first_token", "from_store"),
}  # fmt: skip
"""Columns of a frame that stand under the same name in its table."""


@pytest.fixture(scope="module")
def raw(small_run):
    with sqlite3.connect(small_run / "log.db") as connection:
        yield connection


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_frame_holds_what_sql_counts(small_log, raw, data):
    name = data.draw(st.sampled_from(FRAMES))
    arm = data.draw(st.sampled_from([None, *ARMS]))
    column = data.draw(st.sampled_from(PLAIN[name]))
    frame = getattr(small_log, name)(arm=arm, columns=[column, "arm", "user_id"])
    joined = f"{name} JOIN sessions USING (session_id)" if name != "sessions" else "sessions"
    rows = raw.execute(
        f"SELECT arms.name, source_user_id, {name}.{column} FROM {joined} JOIN arms USING (arm_id)"
        f" JOIN agents USING (agent_id) WHERE ? IS NULL OR arms.name = ? ORDER BY {name}.{PLAIN[name][0]}",
        (arm, arm),
    ).fetchall()
    assert list(frame.columns) == [column, "arm", "user_id"]
    assert list(zip(frame.arm, frame.user_id, strict=True)) == [row[:2] for row in rows]
    assert [None if pd.isna(cell) else cell for cell in frame[column]] == [row[2] for row in rows]


def test_ids_are_those_of_the_data_set(small_log, raw):
    found = small_log.impressions(columns=["impression_id", "item_id"])
    expected = raw.execute("SELECT source_item_id FROM impressions JOIN items USING (item_id) ORDER BY impression_id")
    assert list(found.item_id) == [row[0] for row in expected]
    events = small_log.events(columns=["impression_id", "item_id"])
    assert (events.item_id.isna() == events.impression_id.isna()).all()
    named = dict(zip(found.impression_id, found.item_id, strict=True))
    assert all(named[row.impression_id] == row.item_id for row in events.dropna().itertuples())


def test_what_is_unknown_is_missing_and_neither_false_nor_zero(small_log, raw):
    impressions = small_log.impressions()
    assert impressions.clicked.dtype == impressions.examined.dtype == "boolean"
    (unknown,) = raw.execute("SELECT count(*) FROM impressions WHERE clicked IS NULL").fetchone()
    assert impressions.clicked.isna().sum() == unknown > 0
    assert impressions.rating.isna().sum() == len(impressions) - impressions.rating.count() > 0
    assert impressions.p_click.isna().all(), "this mind states no probabilities"
    assert small_log.sessions().satisfaction.isna().any()
    assert small_log.items().year.isna().any()


def test_interactions_are_the_clicks(small_log):
    impressions, interactions = small_log.impressions(), small_log.interactions()
    clicked = impressions[impressions.clicked.fillna(False)]
    assert list(interactions.impression_id) == list(clicked.impression_id)
    assert list(interactions.item_id) == list(clicked.item_id)
    one = small_log.interactions(arm="again")
    assert set(one.arm) == {"again"}
    assert len(one) == (interactions.arm == "again").sum()


def test_arms_agents_and_items_come_in_the_order_of_the_log(small_log):
    assert list(small_log.arms().arm) == list(ARMS)
    assert list(small_log.arms().sees_hidden_preference) == [False, False, False, True]
    assert list(small_log.agents().user_id) == small_log.user_ids() == [f"u{user}" for user in range(16)]
    assert small_log.agents().persona[3]["demographics"] == {"age": "23"}
    assert list(small_log.items().item_id) == [f"i{item}" for item in range(48)]


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_is_documented(small_log, name):
    told = set(re.findall(r"\w+", inspect.getdoc(getattr(LogReader, name)) or ""))
    assert set(getattr(small_log, name)().columns) <= told


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_found_has_the_columns_and_types_of_something_found(small_log, tmp_path, small_run, name):
    full = getattr(small_log, name)()
    copy = tmp_path / "log.db"
    copy.write_bytes((small_run / "log.db").read_bytes())
    with sqlite3.connect(copy) as connection:
        for table in ("sessions", "impressions", "events", "calls"):
            connection.execute(f"DELETE FROM {table}")
    with LogReader(copy) as log:
        empty = getattr(log, name)()
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)


def test_a_wrong_name_is_answered_with_the_nearest(small_log):
    with pytest.raises(ConfigError, match=r"arm: found 'chanse'.*did you mean 'chance'"):
        small_log.sessions(arm="chanse")
    with pytest.raises(ConfigError, match=r"columns: found 'clickd'.*did you mean 'clicked'"):
        small_log.impressions(columns=["clickd"])
    for nothing in ("clicked", [], 5):
        with pytest.raises(ConfigError, match=r"columns: found .*, expected a list of at least one name"):
            small_log.impressions(columns=nothing)
    with pytest.raises(ConfigError, match=r"arm: found 5, this log has chance"):
        small_log.sessions(arm=5)


def test_a_query_of_ones_own_is_answered_or_explained(small_log):
    found = small_log.query("SELECT count(*) AS n FROM events WHERE page = :page", page=1)
    assert int(found.n.iloc[0]) == (small_log.events().page == 1).sum()
    with pytest.raises(RunDirectoryError, match="no such table: nowhere"):
        small_log.query("SELECT * FROM nowhere")
    with pytest.raises(RunDirectoryError, match="found '', expected a SELECT"):
        small_log.query("")
    with pytest.raises(RunDirectoryError, match=r"A value is required for bind parameter 'page'$"):
        small_log.query("SELECT * FROM events WHERE page = :page", day=1)


def test_an_engine_is_read_and_left_to_its_owner(small_run):
    engine = open_log(small_run)
    with LogReader(engine) as log:
        assert log.digest() == LogReader(small_run).digest()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one() == 1


def test_the_log_of_nobody_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"found no log\.db"):
        LogReader(tmp_path)
