"""The shipped audience of real people, once: the bounds bound it, and README shows its figures."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import run_experiment

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "experiments" / "configs" / "audience.yaml"
COLUMNS = ("view_ratio", "likes_per_session", "like_ratio", "exit_page", "satisfaction")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("GROUNDLINGS_OFFLINE") == "1", reason="MovieLens-100K may have to be fetched"),
]


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """audience.yaml with its two bounds added, as summary.json tells it: arm name -> arm."""
    arms = yaml.safe_load(SHIPPED.read_text())["arms"]
    arms += [{"name": name, "recommender": name} for name in ("oracle", "anti_oracle")]
    config = load_config(SHIPPED, [f"arms={json.dumps(arms)}"])
    with pytest.MonkeyPatch.context() as patched:  # nobody looks at the report
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)
        directory = run_experiment(config, tmp_path_factory.mktemp("audience")).directory
    return {arm["name"]: arm for arm in json.loads((directory / "summary.json").read_text())["arms"]}


def test_the_hidden_preference_bounds_every_arm(summary):
    likes = {name: arm["metrics"]["likes_per_session"]["mean"] for name, arm in summary.items()}
    assert likes["anti_oracle"] < likes["random_order"] < likes["oracle"]
    assert likes["anti_oracle"] == min(likes.values())
    assert likes["oracle"] == max(likes.values())
    assert [name for name, arm in summary.items() if arm["bound"]] == ["oracle", "anti_oracle"]


def test_readme_shows_these_figures(summary):
    section = (ROOT / "README.md").read_text().partition("## What it found")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    assert {name for name, _ in rows} == set(summary) - {"oracle", "anti_oracle"}
    for name, cells in rows:
        shown = [float(cell.split()[0]) for cell in cells.split("|")]
        for column, value in zip(COLUMNS, shown, strict=True):
            found = summary[name]["metrics"][column]
            # Another processor may round a recommender's scores another way; a tenth of the interval tells drift.
            assert abs(value - found["mean"]) <= 0.1 * (found["high"] - found["low"]) + 0.006, (name, column, found)
