"""What was shown and not opened is opened less often, as a log of exposures says."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.personas.exposure.fatigue import RepeatFatigue


def days(*rows):
    """(user, item) pairs as two arrays."""
    pairs = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def test_each_day_that_an_item_was_shown_in_vain_counts_and_opening_it_starts_anew():
    fatigue = RepeatFatigue(-0.7, n_items=4)
    users, items = np.array([0, 2]), np.array([[0, 1, 3], [0, 1, 3]])
    assert not fatigue.log_odds(users, items).any()
    fatigue.notice(days((0, 1), (0, 3), (2, 0)), days())
    fatigue.notice(days((0, 1), (2, 0), (2, 1)), days((2, 0)))
    expected = -0.7 * np.log2([[1, 3, 2], [1, 2, 1]])
    np.testing.assert_allclose(fatigue.log_odds(users, items), expected)
    fatigue.notice(days((2, 0)), days())
    assert fatigue.log_odds(users, items)[1, 0] == pytest.approx(-0.7)


def test_nothing_is_counted_where_no_calibration_could_tell():
    assert RepeatFatigue.of(None, 4) is None
