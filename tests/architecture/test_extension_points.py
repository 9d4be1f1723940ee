"""The table of extension points in CONTRIBUTING is true and complete."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from groundlings.environments.datasets.loader import DATASET_LOADERS
from groundlings.environments.registry import ENVIRONMENTS
from groundlings.experiments.analysis.metrics.registry import METRIC_NAMES
from groundlings.experiments.exports.registry import EXPORT_FORMATS
from groundlings.personas.registry import MINDS
from groundlings.recommenders.conversation.registry import CHAT_SYSTEMS
from groundlings.recommenders.registry import ENTRY_POINT_GROUP

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and "`groundlings." in line and "Contract`" in line
]


def test_each_group_stands_there_once():
    points = (CHAT_SYSTEMS, DATASET_LOADERS, ENVIRONMENTS, EXPORT_FORMATS, METRIC_NAMES, MINDS)
    groups = sorted([*(point.group for point in points), ENTRY_POINT_GROUP])
    assert sorted(row[1].strip("`") for row in ROWS) == groups
    assert len(groups) == 7


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_protocol_tests_and_page_are_there(row):
    for cell in row[2:4]:
        module, _, name = re.findall(r"`([\w.]+)`", cell)[0].rpartition(".")
        assert hasattr(importlib.import_module(f"groundlings.{module}"), name), cell
    pages = re.findall(r"\(([\w/.-]+)\)", row[4])
    assert pages
    for page in pages:
        assert (ROOT / page).is_file(), page
    assert row[1].strip("`") in (ROOT / pages[0]).read_text(encoding="utf-8"), "the page does not name the group"
