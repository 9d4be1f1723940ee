"""The funnel's shares and their intervals."""

from __future__ import annotations

import numpy as np

from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.why.funnel import measure_funnel
from groundlings.experiments.analysis.why.reading import PageCounts, Side, StepCounts
from groundlings.experiments.analysis.why.steps import Step


def test_the_share_of_a_step_lies_between_0_and_1_with_its_whole_interval():
    """Of few agents the normal interval of a ratio reaches beyond both, where no share can be."""
    steps = (Step("shown", "Shown", ""), Step("clicks", "Opened", "shown"))

    def side(name, clicks):
        shown = {"shown": np.array([9.0, 1.0, 1.0]), "clicks": np.array(clicks)}
        rows = PageCounts(np.arange(3), np.zeros(3, dtype=np.int64), shown)
        return Side(name, False, False, np.ones(3), np.ones(3), rows, rows, {})

    sides = side("often", [9.0, 0.0, 0.0]), side("seldom", [0.0, 1.0, 1.0])
    counts = StepCounts(sides, (1, 2), steps, Paired(), 1, 3, False)
    arms = measure_funnel(counts).arms
    often, seldom = arms["often"]["clicks"].rate, arms["seldom"]["clicks"].rate
    assert 0 < often.low < often.mean < often.high == 1
    assert 0 == seldom.low < seldom.mean < seldom.high < 1
