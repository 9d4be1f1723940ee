from __future__ import annotations

import numpy as np
import pytest

from groundlings.experiments.analysis.metrics.pages import clicks_by_position, survival, survival_by_arm

ALL_LEFT = np.ones(6, dtype=bool)


def test_without_censoring_survival_is_the_share_that_got_so_far():
    curve = survival(np.arange(6), np.array([1, 1, 2, 3, 3, 4]), ALL_LEFT, max_pages=4)
    assert curve.share == pytest.approx([1.0, 4 / 6, 3 / 6, 1 / 6])


def test_a_censored_session_counts_until_it_was_cut_short():
    left = np.array([True, True, False, True])
    curve = survival(np.arange(4), np.array([1, 3, 1, 3]), left, max_pages=3)
    # The third session is unknown after page 1: it is in no denominator.
    assert curve.share == pytest.approx([1.0, 2 / 3, 2 / 3])


def test_with_one_session_an_agent_the_variance_is_greenwoods():
    rng = np.random.default_rng(1)
    pages, left = rng.integers(1, 6, 80), rng.random(80) < 0.7
    curve = survival(np.arange(80), pages, left, max_pages=5)
    share, total = 1.0, 0.0
    for page in range(1, 5):
        gone = int(((pages == page) & left).sum())
        at_risk = int((pages > page).sum()) + gone
        share *= 1 - gone / at_risk
        total += gone / (at_risk * (at_risk - gone))
        assert curve.share[page] == pytest.approx(share)
        assert curve.low[page] == pytest.approx(share * np.exp(-1.959964 * np.sqrt(total)), rel=1e-6)


def test_copies_of_a_session_add_no_certainty_when_they_are_the_same_agents():
    pages = np.array([1, 1, 2, 3, 3, 4])
    once = survival(np.arange(6), pages, ALL_LEFT, 4)
    copied = survival(np.tile(np.arange(6), 3), np.tile(pages, 3), np.tile(ALL_LEFT, 3), 4)
    assert copied.share == pytest.approx(once.share)
    assert copied.low == pytest.approx(once.low)


def test_everybody_leaving_gives_zero_and_not_a_fault():
    curve = survival(np.arange(3), np.ones(3, dtype=int), np.ones(3, dtype=bool), max_pages=3)
    assert list(curve.share) == [1.0, 0.0, 0.0]
    assert np.all((curve.low <= curve.share) & (curve.share <= curve.high))


def test_curves_and_clicks_of_a_log(small_log):
    curves, clicks = survival_by_arm(small_log, 3), clicks_by_position(small_log)
    assert curves.keys() == clicks.keys() == {"chance", "good & <new>", "again", "best"}
    counted = small_log.query(
        "SELECT agent_id, avg(clicked) AS x FROM impressions JOIN sessions USING (session_id)"
        " WHERE arm_id = 1 AND impressions.position = 2 GROUP BY agent_id"
    )
    assert len(clicks["chance"]) == 4
    assert clicks["chance"][2].mean == pytest.approx(counted.x.mean())
    assert clicks["chance"][2].n == counted.x.notna().sum()
