"""Pages and the check of what is done with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.actions import Click, Decision, Exit, NextPage, Rate
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import PaginatedSite
from groundlings.environments.ranking import Ranking


def ranking_of(*rows: list[int]) -> Ranking:
    width = max(map(len, rows))
    items = np.array([row + [NO_ITEM] * (width - len(row)) for row in rows], dtype=np.int32).reshape(len(rows), width)
    return Ranking.deterministic(items, np.zeros(items.shape))


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    page_size=st.integers(1, 7),
    max_pages=st.integers(1, 6),
)
def test_pages_show_each_ranking_in_order_once_and_no_deeper_than_allowed(lengths, page_size, max_pages):
    site = PaginatedSite(page_size, max_pages, RatingScale())
    ranking = ranking_of(*(list(range(length)) for length in lengths))
    shown: list[list[int]] = [[] for _ in lengths]
    number = 1
    while (page := site.paginate(ranking, number)) is not None:
        offered = site.actions(ranking, page).may_go_on
        following = site.paginate(ranking, number + 1)
        for row in range(len(lengths)):
            shown[row] += page.items[row][page.shown[row]].tolist()
            assert offered[row] == (following is not None and bool(following.shown[row].any()))
        number += 1
    assert number - 1 <= max_pages
    assert shown == [list(range(min(length, site.depth))) for length in lengths]


def decided(*actions):
    site = PaginatedSite(2, 1, RatingScale())
    ranking = ranking_of([5, 6], [7])
    page = site.paginate(ranking, 1)
    decision = Decision.from_actions(page, actions)
    return site.check(decision, page, site.actions(ranking, page))


def test_legal_actions_pass_unchanged():
    checked = decided([Click(1), Rate(1, 4.0), Exit()], [Click(0)])
    assert checked.illegal == ()
    assert checked.decision.clicked.tolist() == [[False, True], [True, False]]
    assert checked.decision.stars[0, 1] == 4.0


@pytest.mark.parametrize(
    ("action", "position", "reason"),
    [
        (Click(9), None, "slots 0 to 1"),
        (Click(-1), None, "slots 0 to 1"),
        (Click(1), 1, "empty"),
        (Rate(0, 4.0), 0, "opened"),
        (NextPage(), None, "no next page"),
    ],
)
def test_what_the_page_does_not_offer_is_refused_named_and_not_carried_out(action, position, reason):
    checked = decided([], [action])
    (illegal,) = checked.illegal
    assert (illegal.row, illegal.position) == (1, position)
    assert reason in illegal.reason
    assert not checked.decision.clicked.any()
    assert not checked.decision.goes_on.any()
    assert np.isnan(checked.decision.stars).all()


@given(st.floats(-10, 10))
def test_only_stars_on_the_scale_are_given(stars):
    checked = decided([Click(0), Rate(0, stars)], [])
    if stars in RatingScale().values:
        assert checked.decision.stars[0, 0] == stars
        assert not checked.illegal
    else:
        assert np.isnan(checked.decision.stars[0, 0])
        assert f"{stars:g}" in checked.illegal[0].said
        assert checked.decision.clicked[0, 0]


def test_an_unreadable_reply_leaves_no_action_behind():
    site = PaginatedSite(2, 2, RatingScale())
    ranking = ranking_of([1, 2, 3, 4])
    page = site.paginate(ranking, 1)
    checked = site.check(Decision.lost(page, ()), page, site.actions(ranking, page))
    assert checked.decision.unreadable.all()
    assert not checked.decision.clicked.any()
    assert not checked.decision.goes_on.any()


def test_a_site_without_slots_is_a_config_error():
    with pytest.raises(ConfigError, match="page_size"):
        PaginatedSite(0, 3, RatingScale())
