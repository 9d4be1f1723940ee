"""Every impression says where it stood: in the log, its seals, its digest, its frames and its exports."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pyarrow.parquet as pq
import pytest

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.canonical import absorb
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.seal_check import check_seals
from groundlings.simulator.log.store import LOG_NAME, open_log

ROWS = {
    "kind": "rows",
    "rows": [
        {"name": "For you", "visible": 2, "scrolled": 1},
        {"name": "Because you like {category}", "visible": 2, "filter": "most_liked"},
    ],
}


def config_of(layout, **changes) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "name": "places",
            "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 8}},
            "simulation": {"days": 2},
            "site": {"max_pages": 2, **({} if layout is None else {"layout": layout})},
            "mind": {"kind": "scripted", "click": [0, 3], "pages": 2, "misdeeds": ["none", "illegal"]},
            "arms": [{"name": "popular", "recommender": "popular"}],
            **changes,
        }
    )


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """Logs of the same experiment on a page of rows, on a grid and on a list."""
    found = {}
    for name, layout in (("rows", ROWS), ("grid", {"kind": "grid", "columns": 4}), ("list", "list"), ("plain", None)):
        found[name] = tmp_path_factory.mktemp(name)
        log_experiment(config_of(layout), found[name] / LOG_NAME)
    return found


def asked(directory, query):
    with closing(sqlite3.connect(directory / LOG_NAME)) as log:
        return log.execute(query).fetchall()


def test_a_slot_of_a_row_has_its_name_the_row_and_the_slot(directories):
    first_session = "session_id = (SELECT min(session_id) FROM impressions)"
    query = f"SELECT page, position, row_name, place_row, place_slot FROM impressions WHERE {first_session}"
    found = asked(directories["rows"], query)
    liked = found[3][2]
    assert liked.startswith("Because you like genre ")
    expected = [("For you", 0, 0), ("For you", 0, 1), ("For you", 0, 2), (liked, 1, 0), (liked, 1, 1)]
    assert found == [(page, place, *row) for page in (1, 2) for place, row in enumerate(expected)]


def test_a_slot_of_a_grid_has_its_line_and_column_and_one_of_a_list_its_position_alone(directories):
    places = "SELECT DISTINCT position, row_name, place_row, place_slot FROM impressions ORDER BY position"
    assert asked(directories["grid"], places) == [(place, None, place // 4, place % 4) for place in range(10)]
    for name in ("list", "plain"):
        assert {row[1:] for row in asked(directories[name], places)} == {(None, None, None)}


def test_the_digest_covers_places_and_leaves_a_list_as_it_was(directories, tmp_path):
    digests = {name: digest(open_log(directory / LOG_NAME)) for name, directory in directories.items()}
    assert digests["list"] == digests["plain"]
    moved = shutil.copytree(directories["rows"], tmp_path / "moved")
    with closing(sqlite3.connect(moved / LOG_NAME)) as log, log:
        log.execute("UPDATE impressions SET place_slot = place_slot + 1 WHERE impression_id = 4")
    assert digest(open_log(moved / LOG_NAME)) != digests["rows"]


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("rows", "UPDATE impressions SET place_row = 1 WHERE impression_id = 1"),
        ("rows", "UPDATE impressions SET row_name = NULL"),
        ("rows", "UPDATE impressions SET row_name = NULL, place_row = NULL, place_slot = NULL"),
        ("grid", "UPDATE impressions SET row_name = 'x' WHERE impression_id = 1"),
        ("list", "UPDATE impressions SET place_row = 0 WHERE impression_id = 1"),
    ],
)
def test_a_place_that_was_changed_afterwards_is_noticed(directories, tmp_path, name, edit):
    changed = shutil.copytree(directories[name], tmp_path / "changed")
    assert check_seals(open_log(changed / LOG_NAME)).faults == ()
    with closing(sqlite3.connect(changed / LOG_NAME)) as log, log:
        log.execute(edit)
    (fault,) = check_seals(open_log(changed / LOG_NAME)).faults
    assert "arm popular" in fault


class Bytes:
    """What a hash was given."""

    def __init__(self):
        self.taken = b""

    def update(self, data):
        self.taken += bytes(data)


def test_columns_of_a_later_schema_are_hashed_where_they_hold_something():
    def taken(columns, always):
        total = Bytes()
        absorb(total, ("integer", "text", "integer")[: len(columns)], columns, always)
        return total.taken

    numbers, nothing = np.arange(3), np.full(3, np.nan)
    before = taken([numbers], None)
    assert taken([numbers, [None] * 3, nothing], 1) == taken([numbers, [None] * 3, [None] * 3], 1) == before
    assert taken([numbers, [None] * 3, numbers], 1) != taken([numbers, [None, None, "0"], nothing], 1) != before
    assert taken([numbers, [None] * 3, nothing], None) != before


def test_a_refusal_on_a_page_behind_a_short_one_names_its_own_impression(directories):
    query = """
        SELECT events.page, impressions.page FROM events JOIN impressions USING (impression_id) WHERE kind = 'click'
    """
    assert all(one == other for one, other in asked(directories["rows"], query))


def test_frames_and_exports_have_places_where_there_are_any(directories, tmp_path):
    with LogReader(directories["rows"]) as log:
        frame = log.impressions(columns=["row_name", "place_row", "place_slot"])
        assert log.has_places()
    assert frame["place_row"].dtype == "Int64"
    assert frame["row_name"].iloc[0] == "For you"
    with LogReader(directories["list"]) as log:
        assert log.impressions()["place_row"].isna().all()
        assert not log.has_places()
    for name, places in (("rows", {"row_name", "place_row", "place_slot"}), ("list", set())):
        out = tmp_path / name
        export_run(directories[name], "parquet", out / "parquet")
        (part,) = (out / "parquet" / "impressions").glob("*/*.parquet")
        assert {"row_name", "place_row", "place_slot"} & set(pq.read_schema(part).names) == places
        export_run(directories[name], "open_bandit", out / "bandit")
        with np.load(out / "bandit" / "popular" / "feedback.npz") as arrays:
            assert {"place_row", "place_slot"} & set(arrays) == places - {"row_name"}
            if places:
                assert arrays["place_slot"][:5].tolist() == [0, 1, 2, 0, 1]


def test_a_server_keeps_places_as_a_file_does(server, database, directories):
    place = PostgresStore(server.url(database), "run_places")
    log_experiment(config_of(ROWS), place)
    assert digest(open_log(place)) == digest(open_log(directories["rows"] / LOG_NAME))
    assert check_seals(open_log(place)).faults == ()


def test_several_sessions_a_day_have_one_digest_wherever_the_log_lies(server, database, tmp_path):
    returns = {"kind": "daily_chance", "sessions_per_day": 3, "again": 0.9}
    config = config_of(ROWS, simulation={"days": 2, "returns": returns}, site={"max_pages": 2, "layout": ROWS})
    log_experiment(config, tmp_path / LOG_NAME)
    place = PostgresStore(server.url(database), "run_sessions")
    log_experiment(config, place)
    again = "SELECT count(*) FROM (SELECT 1 FROM sessions GROUP BY agent_id, day HAVING count(*) > 1)"
    assert asked(tmp_path, again)[0][0] > 5
    assert digest(open_log(place)) == digest(open_log(tmp_path / LOG_NAME))
