"""Intervals and measures that a reader can recompute by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.personas.exposure.held_out import gains
from groundlings.personas.exposure.intervals import clustered, mean_with_error, share_interval

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=40)


@given(ROWS)
def test_a_share_lies_in_its_interval_and_the_interval_between_0_and_1(rows):
    happened, people = (np.array(column) for column in zip(*rows, strict=True))
    people = np.unique(people, return_inverse=True)[1]
    share, low, high = share_interval(happened.astype(float), people)
    assert share == pytest.approx(happened.mean())
    assert 0 <= low <= share <= high <= 1


def test_many_independent_people_have_wilsons_interval():
    happened = (np.arange(1000) < 300).astype(float)
    share, low, high = share_interval(happened, np.arange(1000))
    assert (share, low, high) == pytest.approx((0.3, 0.2724, 0.3292), abs=3e-4)


def test_rows_of_one_person_count_as_one_where_they_agree():
    happened = (np.arange(40) < 20).astype(float)
    once = share_interval(happened, np.arange(40))
    ten_times = share_interval(np.repeat(happened, 10), np.repeat(np.arange(40), 10))
    assert ten_times == pytest.approx(once, abs=1e-9)


def test_the_error_of_a_mean_is_that_of_the_people():
    values = np.array([1.0, 1.0, 3.0, 3.0])
    mean, error = mean_with_error(values, np.array([0, 0, 1, 1]))
    assert (mean, error) == pytest.approx((2.0, 1.0))
    assert clustered((values - 2)[:, None], np.array([0, 0, 1, 1]))[0, 0] == pytest.approx(16.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=2, max_size=25))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    happened, score = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows]) / 4
    if not 0 < happened.mean() < 1:
        return
    pairs = [(a > b) + (a == b) / 2 for a in score[happened == 1] for b in score[happened == 0]]
    same = np.full(len(rows), 0.5)
    found = gains(happened, np.arange(len(rows)), fitted=score, preset=same, constant=same)
    (auc,) = (gain for gain in found if gain.measure == "auc")
    assert auc.fitted == pytest.approx(np.mean(pairs))
    assert auc.preset == 0.5


def test_log_likelihood_and_brier_are_means_over_rows():
    told = {"fitted": np.array([0.8, 0.4]), "preset": np.array([0.5, 0.5]), "constant": np.array([0.5, 0.5])}
    likelihood, brier, _ = gains(np.array([1.0, 0.0]), np.array([0, 1]), **told)
    assert likelihood.fitted == pytest.approx(np.log([0.8, 0.6]).mean())
    assert brier.fitted == pytest.approx((0.04 + 0.16) / 2)
    assert brier.over_preset.value == pytest.approx(0.25 - 0.1)
