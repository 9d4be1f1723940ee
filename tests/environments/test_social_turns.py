"""The social turn before a site keeps what environments promise, and asks for no list of whoever stays away."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.contract import EnvironmentContract
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.search_site import SearchSite
from groundlings.environments.social_turns import ENTER, SocialTurns, site_alone

SCALE = RatingScale()


class TestFeedBehindATurn(EnvironmentContract):
    def make_environment(self):
        return SocialTurns(PaginatedFeed(3, 2, SCALE))

    def test_only_those_who_enter_are_listed_anything(self):
        walk = self.walk()
        entered = np.flatnonzero(walk.decisions[0][ENTER])
        assert 0 < len(entered) < len(walk.observations[0].rows)
        (request,) = walk.requests
        assert request.users.tolist() == entered.tolist()
        assert walk.observations[1].rows.tolist() == entered.tolist()
        assert walk.observations[1].page.first_rank == 0, "ranks count the items that were shown"
        assert (walk.state.ended_by[np.setdiff1d(np.arange(12), entered)] == "exit").all()

    def test_nothing_of_the_site_can_be_done_before_it_and_nothing_of_the_turn_behind_it(self):
        turn, *site = self.walk().observations
        offered = [name for name in turn.legal.schema.names if turn.legal.offers(name, turn.page).any()]
        assert offered == ["enter", "chat", "post", "to", "about", "say"]
        for page in site:
            assert not any(page.legal.offers(name, page.page).any() for name in offered)


class TestSearchBehindATurn(EnvironmentContract):
    def make_environment(self):
        return SocialTurns(SearchSite(3, 4, scale=SCALE))


def test_the_site_alone_is_the_one_that_was_given():
    feed = PaginatedFeed(3, 2, SCALE)
    assert site_alone(SocialTurns(feed)) is site_alone(feed) is feed
    assert SocialTurns(feed).describe() == {**feed.describe(), "social_turns": True}


def test_a_site_that_has_the_actions_itself_is_refused():
    with pytest.raises(ConfigError, match=r"mind\.social\.turns: the environment has the actions about, chat"):
        SocialTurns(SocialTurns(PaginatedFeed(3, 2, SCALE)))
