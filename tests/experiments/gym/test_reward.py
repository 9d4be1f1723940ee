"""Rewards: what an expression is worth on a page, and which expressions are refused."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import feed_schema
from groundlings.experiments.gym.open_sessions import Outcome
from groundlings.experiments.gym.reward import Reward

SCHEMA = feed_schema((1.0, 2.0, 3.0, 4.0, 5.0))
NAN = np.nan


@pytest.fixture
def outcome():
    """Three pages of two slots; the second user left, the third page is lost."""
    return Outcome(
        np.array([[1, 2], [3, NO_ITEM], [4, 5]], dtype=np.int32),
        {
            "click": np.array([[True, True], [True, False], [False, False]]),
            "rate": np.array([[5.0, NAN], [2.0, NAN], [NAN, NAN]]),
            "next_page": np.array([True, False, False]),
            "satisfaction": np.array([8.0, NAN, NAN]),
        },
        left=np.array([False, True, False]),
        cut=np.zeros(3, dtype=bool),
        lost=np.array([False, False, True]),
    )


@pytest.mark.parametrize(
    ("expression", "first", "second"),
    [
        ("sum(click)", 2, 1),
        ("sum(rate >= 4)", 1, 0),
        ("sum(rate)", 5, 2),
        ("sum(click * 2) - 0.5 * left", 4, 1.5),
        ("sum(click) / shown", 1, 1),
        ("next_page", 1, 0),
        ("-left + 1", 1, 0),
        ("satisfaction", 8, NAN),
        ("1 / left", NAN, 1),
        ("3", 3, 3),
        ("(sum(click) == 2) * 7", 7, 0),
    ],
)
def test_an_expression_is_worth_what_it_says_and_nothing_is_known_of_a_lost_page(outcome, expression, first, second):
    assert Reward(expression, SCHEMA).of(outcome) == pytest.approx([first, second, NAN], nan_ok=True)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("click", r"click is an action per slot; write sum\(click\)"),
        ("sum(left)", r"left is said of a page, not of its slots"),
        (
            "sum(buy)",
            "no 'buy'; inside of sum: click, rate; outside: next_page, satisfaction, shown, left",
        ),
        ("sum(sum(click))", "expected numbers"),
        ("__import__('os').system('true')", "expected numbers"),
        ("sum(click) if left else 0", "expected numbers"),
        ("sum(click", "is no expression"),
        ("'a'", "expected numbers"),
        ("1 < sum(click) < 3", "expected numbers"),
        ("2 ** 99", "expected numbers"),
        (3, "reward: found 3, expected a text"),
        ("(" * 400 + "1" + ")" * 400, "is no expression|characters"),
    ],
)
def test_what_is_no_reward_is_refused_with_what_there_is(expression, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Reward(expression, SCHEMA)
