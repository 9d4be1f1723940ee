"""What was left out of one's own data is told wherever a run is looked at."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from groundlings.experiments.cli.runs import show_run
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.replicates import run_as_configured


def test_rows_that_were_left_out_or_merged_are_in_manifest_report_and_runs_show(tmp_path: Path, capsys):
    rows = [f"u{user},i{(user + place) % 9},{1_700_000_000 + place}" for user in range(8) for place in range(6)]
    (tmp_path / "met.csv").write_text("\n".join(["user,item,time", *rows, rows[0], "u1,unheard-of,1700000009"]) + "\n")
    (tmp_path / "items.csv").write_text("\n".join(["id,title", *(f"i{n},Thing {n}" for n in range(9))]) + "\n")
    own = {
        "interactions": {"path": "met.csv", "user": "user", "item": "item", "timestamp": "time"},
        "items": {"path": "items.csv", "id": "id", "title": "title"},
        "on_problem": "drop",
    }
    content = {
        "name": "notes",
        "seed": 1,
        "dataset": {"name": "own", "own": own},
        "mind": "scripted",
        "site": {"page_size": 2, "max_pages": 1},
        "held_out": False,
        "arms": [{"name": "popular", "recommender": "popular"}],
    }
    (tmp_path / "notes.yaml").write_text(yaml.safe_dump(content))
    run = tmp_path / "run"
    run_as_configured(load_config(tmp_path / "notes.yaml"), run)
    left_out, merged = json.loads((run / "manifest.json").read_text())["dataset"]["notes"]
    assert "1 row left out" in left_out
    assert "unheard-of" in left_out
    assert merged.startswith("interactions: 1 row names")
    show_run(run)
    told = " ".join(capsys.readouterr().out.split())
    page = (run / "report.html").read_text()
    for each in ("1 row left out", "counts once with it"):
        assert each in told
        assert each in page
