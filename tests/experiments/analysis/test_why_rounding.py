"""Arms that differ in nothing are told apart by no rounding, and items are told of by the arms that moved them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.report.why_bars import told_of
from groundlings.experiments.analysis.why.decomposition import decompose
from groundlings.experiments.analysis.why.items import ItemPart, _opened
from groundlings.experiments.analysis.why.reading import PageCounts, Side, StepCounts
from groundlings.experiments.analysis.why.steps import CLICKS
from groundlings.experiments.analysis.why.target import Target


def test_what_is_left_of_sums_is_no_effect():
    """Everybody takes one item in both arms, after fewer pages in one of them."""

    def side(name, lengths):
        agents = np.repeat(np.arange(len(lengths)), lengths)
        pages = np.concatenate([np.arange(length) for length in lengths])
        taken = np.concatenate([np.arange(length) == length - 1 for length in lengths]).astype(np.float64)
        rows = PageCounts(agents, pages, {"shown": np.ones(len(pages)), "accept": taken})
        return Side(name, False, False, np.ones(len(lengths)), np.ones(len(lengths)), rows, rows, {})

    sides = (
        side("first", [1 + agent % 6 for agent in range(25)]),
        side("second", [1 + agent % 9 for agent in range(25)]),
    )
    counts = StepCounts(sides, (0, 1), (), None, 1, 25, False)
    target = Target("", "Items accepted per session", "", 2, ("shown", "accept"), missing="no count")
    (arm,) = decompose(counts, target, SimpleNamespace(arms=())).arms
    assert (arm.effect.mean, arm.effect.low, arm.effect.high) == (0.0, 0.0, 0.0)
    assert arm.parts[0].effect.mean > 0.1


def test_an_item_stands_among_what_was_lost_by_an_arm_in_which_it_lost():
    def part(mean, clear=False):
        return ItemPart(Estimate(mean, None, mean - 1, mean + 1, 9, 0), clear)

    card = SimpleNamespace(parts={"a": part(5.0), "b": part(-2.0), "c": part(3.0, clear=True)})
    assert told_of(card, ["a", "b", "c"], 1) == ["c"]
    assert told_of(card, ["a", "b", "c"], -1) == ["b"]


def test_the_share_of_an_items_openings_knows_that_impressions_of_one_agent_are_alike():
    known, alike, mixed = np.full((20, 1), 10.0), np.tile([[10.0], [0.0]], (10, 1)), np.full((20, 1), 5.0)
    of_each, of_all = (
        _opened({"known": sp.csr_array(known), CLICKS: sp.csr_array(clicks)}, 0) for clicks in (mixed, alike)
    )
    assert of_each.mean == of_all.mean == 0.5
    assert (of_each.n, of_all.n) == (200, 200)
    assert 0.42 < of_each.low < of_each.high < 0.58
    assert of_all.low < 0.31, "twenty agents of one mind each"
    assert 0.69 < of_all.high
    nobody = _opened({"known": sp.csr_array(np.zeros((20, 1))), CLICKS: sp.csr_array(np.zeros((20, 1)))}, 0)
    assert (nobody.mean, nobody.low) == (None, None)
