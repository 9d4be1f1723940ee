"""Two teams draft a list: whose pick is whose, fairly, with the chances that are logged."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.interleaving import TeamDraftRecommender


class Listed(Recommender):
    """Gives everybody the same list."""

    def __init__(self, items):
        self.items = items

    def fit(self, interactions, catalog):
        pass

    def recommend(self, request):
        row = np.array(self.items[: request.size], dtype=np.int32)
        items = np.tile(row, (len(request), 1)) if len(row) else np.zeros((len(request), 0), dtype=np.int32)
        return Ranking.deterministic(items, np.where(items == NO_ITEM, np.nan, 10.0 - np.arange(items.shape[1])))


def drafted(first, second, size, sessions=400, n_items=9, seed=5):
    users = np.arange(sessions)
    request = RankingRequest(users, size, sp.csr_array((sessions, n_items)), Draws.for_sessions(seed, users, 0))
    ranking = asyncio.run(TeamDraftRecommender(Listed(first), Listed(second)).rank(request))
    ranking.check(request, n_items)
    return ranking


def by_hand(first, second, coins, size):
    """Radlinski, Kurup and Joachims' algorithm, one session, one pick at a time."""
    left, items, teams = [list(first), list(second)], [], []
    for coin in coins:
        for team in (coin, 1 - coin):
            queue = next((q for q in (left[team], left[1 - team]) if set(q) - set(items) - {NO_ITEM}), None)
            if queue is None or len(items) == size:
                return items, teams
            items.append(next(item for item in queue if item not in items and item != NO_ITEM))
            teams.append(team if queue is left[team] else 1 - team)
    return items, teams


lists = st.lists(st.integers(0, 8), unique=True, min_size=4, max_size=4)


@given(lists, lists)
def test_every_list_is_one_that_the_algorithm_makes_and_comes_as_often_as_its_chance_says(first, second):
    ranking = drafted(first, second, size=4)
    possible = Counter(
        (tuple(items), tuple(teams))
        for items, teams in (by_hand(first, second, coins, 4) for coins in itertools.product((0, 1), repeat=2))
    )
    found = Counter((tuple(row), tuple(whose)) for row, whose in zip(ranking.items, ranking.teams, strict=True))
    assert set(found) <= set(possible)
    whole = {items: 0.0 for items, _ in possible}
    for (items, _), times in possible.items():
        whole[items] += times / 4
    for row, chance in zip(ranking.items, ranking.propensities.prod(axis=1), strict=True):
        assert chance == pytest.approx(whole[tuple(row)])


def test_a_team_that_runs_out_lets_the_other_pick_and_a_short_list_ends():
    ranking = drafted([0, NO_ITEM, NO_ITEM, NO_ITEM], [1, 2, 3, NO_ITEM], size=4)
    assert {tuple(sorted(row)) for row in ranking.items} == {(0, 1, 2, 3)}
    assert ((ranking.teams == 0).sum(axis=1) == 1).all()
    short = drafted([0, NO_ITEM, NO_ITEM, NO_ITEM], [0, NO_ITEM, NO_ITEM, NO_ITEM], size=4)
    assert (short.items == [0, NO_ITEM, NO_ITEM, NO_ITEM]).all()
    assert (short.teams[:, 1:] == -1).all()


def test_teams_of_one_mind_begin_equally_often_and_draws_are_the_sessions_own():
    ranking = drafted([3, 1, 2, 0], [3, 1, 2, 0], size=4)
    assert (ranking.items == [3, 1, 2, 0]).all()
    assert (ranking.propensities == 1).all(), "the same list whoever begins"
    begins = (ranking.teams[:, 0] == 0).mean()
    assert abs(begins - 0.5) < 3 * 0.5 / np.sqrt(400)
    assert ((ranking.teams == 0).sum(axis=1) == 2).all()
    assert np.array_equal(ranking.teams[:50], drafted([3, 1, 2, 0], [3, 1, 2, 0], size=4, sessions=50).teams)


def test_scores_are_those_of_the_team_that_picked():
    ranking = drafted([0, 1, 2, 3], [4, 3, 2, 1], size=2)
    for row, teams, scores in zip(ranking.items, ranking.teams, ranking.scores, strict=True):
        for item, team, score in zip(row, teams, scores, strict=True):
            assert score == 10.0 - ([0, 1, 2, 3], [4, 3, 2, 1])[team].index(item)
