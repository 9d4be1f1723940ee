"""A system of somebody's own does what it likes with the process; figures lie where they were asked for."""

from __future__ import annotations

import json
from pathlib import Path

WANDERING = """
import os

from groundlings.recommenders.popular import PopularRecommender

os.chdir("/")


class Wandering(PopularRecommender):
    pass
"""


def test_figures_lie_where_they_were_asked_for_when_a_system_changes_the_directory(
    tmp_path: Path, monkeypatch, in_process
):
    wares = {
        f"w{number}": {"name": f"Ware{number:02}", "shelf": ["bread", "cheese"][number % 2]} for number in range(40)
    }
    (tmp_path / "id2info.json").write_text(json.dumps(wares))
    turns = [
        {"dialog_id": str(number), "turn_id": 1, "context": ["What is new?"], "rec": [f"Ware{number + 5:02}"]}
        for number in range(12)
    ]
    (tmp_path / "turns.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    (tmp_path / "wandering_system.py").write_text(WANDERING)
    monkeypatch.syspath_prepend(tmp_path)
    words = ("--seeker", "attribute_leaky", "--system", "wandering_system:Wandering", "--json", "figures.json")
    done = in_process("dialogues", ".", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "figures.json").read_text())["judged"] == 12
