"""docs/interventions.md works as it is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.live_requests import read_request
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TEXT = (Path(__file__).parents[3] / "docs" / "interventions.md").read_text(encoding="utf-8")


def row(name: str) -> list[int]:
    (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", TEXT, flags=re.MULTILINE)
    return [int(cell) for cell in cells.split("|")]


def test_the_whole_file_gives_what_the_page_says(tmp_path):
    ((name, block),) = re.findall(r'```yaml title="([^"]+)"\n(.*?)```', TEXT, flags=re.DOTALL)
    (tmp_path / name).write_text(block, encoding="utf-8")
    config = load_config(tmp_path / name)
    log_experiment(config, tmp_path / LOG_NAME)
    with LogReader(tmp_path / LOG_NAME) as log:
        shown = log.impressions()
    of_the_three = shown.item_id.isin(config.interventions[0].withdraw)
    for arm in ("popular", "als"):
        by_day = shown.assign(three=of_the_three)[shown.arm == arm].groupby("day").three
        assert row(f"{arm}, all") == by_day.size().tolist()
        assert row(f"{arm}, of the three items") == by_day.sum().tolist()
    (line,) = re.findall(r"echo '(.*)' >>", TEXT)
    assert read_request(line, config, 2).withdraw == tuple(json.loads(line)["withdraw"])
