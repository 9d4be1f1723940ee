"""Figures while a run goes on: every row is read once, and looking at any time misleads no more often than it says."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.experiments.analysis.live_effects import ALPHA, LiveEffects, _band
from groundlings.experiments.analysis.metrics.summary import summarise
from groundlings.simulator.log.reader import LogReader, ReadUpTo, Spent


def test_a_look_at_a_finished_run_has_the_means_of_its_report(small_run) -> None:
    with LogReader(small_run) as log:
        figures = LiveEffects().look(log)
        summary = summarise(log)
        totals = log.call_totals()
    assert figures.metric is not None
    expected = {arm.name: arm.metrics[figures.metric.name] for arm in summary.arms if not arm.bound}
    assert [arm.arm for arm in figures.arms] == list(expected)
    for arm in figures.arms:
        assert arm.mean == pytest.approx(expected[arm.arm].mean)
    assert figures.spent.calls == totals.calls.sum()
    assert figures.spent.prompt_tokens == totals.prompt_tokens.sum()
    shown = sum(arm.counts.impressions for arm in summary.arms)
    unknown = sum(arm.counts.unknown_impressions for arm in summary.arms)
    assert figures.unknown == (unknown, shown)


def test_nothing_is_read_twice_and_nothing_is_missed(small_run) -> None:
    with LogReader(small_run) as log:
        whole, _ = log.newer_session_totals(4.0, ReadUpTo())
        assert whole.set_index("session_id").shown.sum() == log.session_totals(4.0).shown.sum()
        middle = int(whole.session_id.median())
        last = int(log.query("SELECT max(impression_id) AS i FROM impressions WHERE session_id <= :s", s=middle).i[0])
        rest, reached = log.newer_session_totals(4.0, ReadUpTo(middle, last))
        assert sorted(rest.session_id) == sorted(whole.session_id[whole.session_id > middle])
        assert rest.clicks.sum() == whole.clicks[whole.session_id > middle].sum()
        nothing, still = log.newer_session_totals(4.0, reached)
        assert len(nothing) == 0
        assert still == reached
        effects = LiveEffects()
        first, second = effects.look(log), effects.look(log)
    assert first == second


def test_spending_is_added_up_over_looks(small_run) -> None:
    with LogReader(small_run) as log:
        whole = log.spent_since(Spent())
        assert log.spent_since(whole) == whole
        calls = log.calls_after(0, 10_000)
    assert whole.calls == len(calls)
    assert whole.unreadable == sum(call["status"] == "unreadable" for call in calls)


def test_bands_of_identical_recommenders_exclude_zero_in_one_run_of_twenty_at_most() -> None:
    """All looks of a run count, from the first band to the last user; a plain interval would fail by far."""
    rng, runs, users = np.random.default_rng(5), 400, 600
    wrong = plain = 0
    for _ in range(runs):
        gaps = rng.normal(size=users)
        looks = range(20, users, 20)
        bands = [_band(gaps[:n], ALPHA) for n in looks]
        wrong += any(low > 0 or high < 0 for _, low, high in bands)
        plain += any(abs(gaps[:n].mean()) > 1.96 * gaps[:n].std(ddof=1) / np.sqrt(n) for n in looks)
    assert wrong / runs <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert plain / runs > 0.15


def test_few_users_have_no_band_and_none_no_difference() -> None:
    assert _band(np.array([]), ALPHA) == (None, None, None)
    assert _band(np.ones(5), ALPHA) == (1.0, None, None)
