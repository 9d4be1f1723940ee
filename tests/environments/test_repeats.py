"""Which items come back, and where each user's own clock stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.repeats import NEVER, SECONDS_PER_DAY, OwnClock, RepeatRule
from groundlings.environments.split import split_history
from groundlings.experiments.config.environment import SiteConfig


def history(*rows: tuple[int, int, int], ticks: int = 1) -> Interactions:
    """Rows of (user, item, day)."""
    users, items, days = map(np.array, zip(*rows, strict=True))
    return Interactions.of(
        users, items, None, days * SECONDS_PER_DAY * ticks + 5, n_users=3, n_items=6, ticks_per_second=ticks
    )


@pytest.mark.parametrize("ticks", [1, 1000])
def test_days_count_back_from_each_users_own_end_and_the_first_simulated_day_is_0(ticks):
    rows = history((0, 1, 10), (0, 2, 12), (0, 3, 12), (1, 1, 300), (1, 2, 303), ticks=ticks)
    split = split_history(rows, "per_user_temporal", 0.01)
    assert OwnClock.of(split).days(split.train).tolist() == [-3, -1, -1, -4, -1]


def test_where_one_moment_cuts_all_histories_everybody_has_its_clock():
    rows = history((0, 1, 10), (1, 2, 20), (1, 3, 30), (0, 4, 40))
    split = split_history(rows, "global_temporal", 0.25)
    clock = OwnClock.of(split)
    assert clock.days(split.train).tolist() == [-21, -11, -1]
    assert clock.days(split.test).tolist() == [9]


def test_nothing_comes_back_or_everything_does_or_what_lies_some_days_back():
    rows = history((0, 1, 10), (0, 2, 12), (1, 1, 300))
    days = np.array([-3, -1, -1])

    def hidden(rule, day):
        return sorted(zip(*(part.tolist() for part in rule.seen(rows, days, day).nonzero()), strict=True))

    assert hidden(NEVER, 50) == [(0, 1), (0, 2), (1, 1)]
    assert hidden(RepeatRule(0), 0) == []
    assert hidden(RepeatRule(3), 0) == [(0, 2), (1, 1)]
    assert hidden(RepeatRule(3), 2) == []
    again = rows.joined(history((0, 1, 400)))
    seen = RepeatRule(3).seen(again, np.array([-3, -1, -1, 2]), 4)
    assert seen.nonzero()[1].tolist() == [1], "the latest time counts"


@pytest.mark.parametrize("after", [0, 3])
def test_what_was_disliked_does_not_come_back_whatever_comes_back(after):
    kinds = np.array([KINDS.index("purchase"), KINDS.index("dislike"), KINDS.index("purchase")])
    rows = replace(history((0, 1, 10), (0, 2, 12), (1, 1, 300)), kinds=kinds)
    seen = RepeatRule(after).seen(rows, np.array([-30, -20, -10]), 0)
    assert [part.tolist() for part in seen.nonzero()] == [[0], [2]]


def test_the_key_says_never_always_or_after_days_and_never_is_as_if_it_were_not_there():
    assert SiteConfig().repeat_rule == NEVER
    assert SiteConfig.model_validate({"repeats": "never"}) == SiteConfig()
    assert SiteConfig.model_validate({"repeats": "allowed"}).repeat_rule == RepeatRule(0)
    assert SiteConfig.model_validate({"repeats": {"after_days": 7}}).repeat_rule == RepeatRule(7)
    for wrong in ("always", {"after_days": 0}, {"days": 3}):
        with pytest.raises(ValueError, match="repeats"):
            SiteConfig.model_validate({"repeats": wrong})
