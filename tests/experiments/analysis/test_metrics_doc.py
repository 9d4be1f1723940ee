"""docs/metrics.md says of every metric that ships what its declaration says, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from groundlings.experiments.analysis.metrics.item_counts import PARTS
from groundlings.experiments.analysis.metrics.item_groups import MOST_GROUPS
from groundlings.experiments.analysis.metrics.lists import LISTS, MOST_IMPRESSIONS
from groundlings.experiments.analysis.metrics.registry import BUILT_IN

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = {row.split("`")[1]: row for row in re.findall(r"^\| `\w+` \|.*$", PAGE, flags=re.MULTILINE)}
BETTER = {True: "more", False: "less", None: "neither"}


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=lambda metric: metric.name)
def test_the_page_defines_a_metric_as_it_is_declared(metric):
    one = " or ".join(f"`{name}`" for name in sorted(metric.needs_one))
    needs = ", ".join([*(f"`{name}`" for name in sorted(metric.needs)), *([one] if one else [])]) or "nothing"
    better, source = BETTER[metric.higher_is_better], metric.source or "this project"
    cells = (f"`{metric.name}`", metric.definition, metric.unit, metric.left_out, better, needs, source)
    assert ROWS[metric.name] == f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("figure", LISTS, ids=lambda figure: figure.name)
def test_the_page_defines_a_figure_of_an_arm_as_it_is_declared(figure):
    cells = (f"`{figure.name}`", figure.definition, figure.unit, figure.denominator, figure.source)
    assert ROWS[figure.name] == f"| {' | '.join(cells)} |"


def test_the_page_has_no_other_metric_and_says_how_much_is_measured():
    assert ROWS.keys() == BUILT_IN.keys() | {figure.name for figure in LISTS}
    assert f"{MOST_IMPRESSIONS:,} impressions" in PAGE
    assert (PARTS, MOST_GROUPS) == (30, 12)
    assert "one thirtieth of the" in PAGE
    assert "more\nthan twelve groups" in PAGE
