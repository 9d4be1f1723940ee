"""What was bought and shown is the same in a file and on a PostgreSQL server, item by item and metric by metric."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import groundlings as gl
from groundlings.simulator.log.postgres import PostgresStore
from groundlings.simulator.log.writer import LogWriter

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "analysis"))


def test_metrics_lists_and_groups_are_the_same_in_either_database(server, database, tmp_path, monkeypatch):
    from money_shop import OBJECTIVES, shop_run

    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    with LogWriter(PostgresStore(server.url(database), "run_before_this_one")):
        pass  # so that ids of this one are large
    small = {**OBJECTIVES, "arms": {"popular": "popular", "chance": "random_order"}, "simulation": {"days": 2}}
    on_file, on_server = (
        gl.open_run(shop_run(tmp_path / name, **small, **further))
        for name, further in (("file", {}), ("server", {"log": {"url": server.url(database)}}))
    )
    assert not (on_server.directory / "log.db").exists()
    assert (on_file.directory / "background.json").read_text() == (on_server.directory / "background.json").read_text()
    for frames in ("metrics", "lists", "item_groups"):
        one, other = (getattr(run, frames)() for run in (on_file, on_server))
        pd.testing.assert_frame_equal(one, other, rtol=1e-9)
