"""Any two arms of the page are compared on the same outcomes as the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import PLAN, N, arm, base_likes, run_of, shifted, summary_of

from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.report.pairs import pairs
from groundlings.experiments.analysis.report.palette import styles
from groundlings.experiments.analysis.report.sections.material import Material, Volume


def material(outcomes):
    summary, comparison = summary_of(outcomes), compare_outcomes(outcomes, None)
    answer, volume = answer_of(comparison, summary), Volume(1, 0, 0, 0, 0)
    return Material(Path(), None, summary, outcomes, comparison, styles(summary), answer, volume)


def lucky(name, likes, seed, **changes):
    """An arm with luck in its outcomes, and the control variate that takes it out again."""
    luck = np.random.default_rng(seed).normal(0, 2, (N, 1))
    return arm(name, likes + 20 + luck[:, 0], control_variates=luck, **changes)


@pytest.mark.parametrize("adjusted", [True, False])
def test_chance_is_taken_out_of_every_pair_as_the_verdict_does(adjusted):
    base = base_likes()
    arms = [
        lucky(name, shifted(base, shift), seed)
        for seed, (name, shift) in enumerate({"base": 0, "a": 2, "b": 1}.items())
    ]
    if not adjusted:
        arms = [replace(each, control_variates=None) for each in arms]
    page = material(run_of(*arms))
    found = pairs(page)
    primary = [metric["name"] for metric in found["metrics"]].index(PLAN.primary)
    standing, effects = page.comparison.standing, {each.name: each.headline.effect for each in page.comparison.arms}
    expected = {"0-1": effects["a"].difference, "0-2": effects["b"].difference,
                "1-2": standing.between("b", "a").difference}  # fmt: skip
    assert {key: gap[primary][0] for key, gap in found["gaps"].items()} == pytest.approx(expected, rel=1e-5)
    raw = page.summary.arms[2].metrics[PLAN.primary].mean - page.summary.arms[1].metrics[PLAN.primary].mean
    assert (found["gaps"]["1-2"][primary][0] == pytest.approx(raw, rel=1e-5)) is not adjusted, "they differ by luck"
    assert found["adjusted"] is adjusted


def test_large_values_are_capped_in_every_pair():
    base = base_likes()
    arms = [replace(arm(name, likes), caps={PLAN.primary: 3.0}) for name, likes in (("base", base), ("a", 2 * base))]
    found = pairs(material(run_of(*arms)))
    primary = [metric["name"] for metric in found["metrics"]].index(PLAN.primary)
    capped = np.minimum(base, 3.0 * 2) / 2
    assert found["gaps"]["0-1"][primary][0] == pytest.approx((np.minimum(base, 3.0) - capped).mean(), rel=1e-5)
