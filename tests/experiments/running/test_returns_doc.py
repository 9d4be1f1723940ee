"""docs/returns.md works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TEXT = (Path(__file__).parents[3] / "docs" / "returns.md").read_text(encoding="utf-8")


def figures(arm: str) -> list[float]:
    """Each figure of a row of the table, without half its interval."""
    (row,) = re.findall(rf"^\| {arm} \|(.*)\|$", TEXT, flags=re.MULTILINE)
    return [float(cell.split("±")[0]) for cell in row.split("|")]


def test_the_whole_file_gives_what_the_page_says(tmp_path):
    ((name, block),) = re.findall(r'```yaml title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL)
    (tmp_path / name).write_text(block, encoding="utf-8")
    log_experiment(load_config(tmp_path / name), tmp_path / LOG_NAME)
    with LogReader(tmp_path / LOG_NAME) as log:
        found = summarise(log)
    assert f"Of the {found.run['agents']} users {found.run['came']} had a session" in TEXT
    names = ("sessions_per_user", "return_gap", "rolling_retention_7")
    for arm in found.arms:
        assert figures(arm.name) == [pytest.approx(arm.metrics[name].mean, abs=0.006) for name in names]
    assert figures("difference") == [
        pytest.approx(found.arms[1].differences[each].difference, abs=0.006) for each in names
    ]
