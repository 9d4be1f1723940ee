"""Two recommenders draft one list together, so that one session compares them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.wrapping import OuterRecommender

TEAM_DRAFT = "team_draft"
"""How a log calls this recommender."""


class TeamDraftRecommender(OuterRecommender):
    """Team-draft interleaving (Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval
    quality?", CIKM, section 3.3).

    Slots are filled two at a time. A coin of (seed, person, day, "team_draft", round) says which team picks first; each
    takes the best item of its own list that is not on the common list yet. A team that has nothing left lets the other
    pick for both. `Ranking.teams` says whose pick a slot is, and clicks are credited to it. Whoever ranks better gets
    more clicks; two teams with the same list get, on average, the same.

    With teams that are not randomised the chance of every slot is exact. At the first slot of a round no earlier coin
    matters any more, because the items taken are the same whoever took them; so

        P(x first)          = sum over both orders of 1/2 [the team that begins would take x]
        P(y second | x)     = P(x, y in this order) / P(x first).

    With a randomised team these are the chances given the lists that were drawn, marked as "estimated".

    Args:
        first, second: The teams; both are fitted, and told of each day, with all that happened on their common lists.
    """

    randomised = True

    def __init__(self, first: AsyncRecommender, second: AsyncRecommender) -> None:
        for team in (first, second):
            if team.presents:
                raise ConfigError(
                    f"interleaving: found {type(team).__name__}, which says something of each item; a drafted list "
                    "says nothing, so people would choose among items that are presented and others. Compare it in "
                    "arms of their own (design: parallel)"
                )
        super().__init__(first, second)
        self.teams = (first, second)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`; both teams are asked at once."""
        lists = await side_by_side(team.rank(request) for team in self.teams)
        kinds = {ranking.propensity_kind for ranking in lists}
        drafted = _draft(lists, request, "exact" if kinds == {"deterministic"} else "estimated")
        calls = [replace(call, team=team) for team, ranking in enumerate(lists) for call in ranking.calls]
        return replace(drafted, calls=tuple(calls))


def _draft(lists: list[Ranking], request: RankingRequest, kind: str) -> Ranking:
    sessions, size = len(request), max(ranking.items.shape[1] for ranking in lists)
    rounds = -(-size // 2)
    begins = (request.draws.uniform("team_draft", np.arange(rounds)[None]) < 0.5).astype(np.int64)
    begins = np.broadcast_to(begins, (sessions, rounds))
    items = np.full((sessions, 2 * rounds), NO_ITEM, dtype=np.int32)
    scores = np.full(items.shape, np.nan)
    chances = np.ones(items.shape)
    teams = np.full(items.shape, -1, dtype=np.int64)
    board = _Board(lists)
    for number in range(rounds):
        orders = [board.round(beginner) for beginner in (0, 1)]  # picks if the first team begins, or the second
        drawn = begins[:, number]
        for place, slot in enumerate((2 * number, 2 * number + 1)):
            picked = np.where(drawn == 0, orders[0].items[place], orders[1].items[place])
            items[:, slot] = picked
            teams[:, slot] = np.where(drawn == 0, orders[0].teams[place], orders[1].teams[place])
            same = [(order.items[: place + 1] == items[:, 2 * number : slot + 1].T).all(axis=0) for order in orders]
            chances[:, slot] = np.mean(same, axis=0)
        chances[:, 2 * number + 1] /= chances[:, 2 * number]
        board.take(items[:, 2 * number : 2 * number + 2])
    teams[items == NO_ITEM] = -1
    for place, ranking in enumerate(lists):
        scores = np.where(teams == place, _scores_of(ranking, items), scores)
    kept = slice(0, size)
    listed = items[:, kept] != NO_ITEM
    return Ranking(
        items=items[:, kept],
        scores=scores[:, kept],
        propensities=np.where(listed, chances[:, kept], 1.0),
        explored=np.zeros((sessions, size), dtype=np.bool_),
        propensity_kind="exact" if kind == "exact" else "estimated",
        teams=teams[:, kept],
    )


def _scores_of(ranking: Ranking, items: ItemArray) -> FloatArray:
    """The score that a team gave to each item of the common list; of no meaning where it did not list it."""
    places = (ranking.items[:, None, :] == items[:, :, None]).argmax(axis=2)
    return np.take_along_axis(ranking.scores, places, axis=1)


class _Round(NamedTuple):
    """What a round would be if one team began: items and whose pick, shape (2, n_sessions) each."""

    items: ItemArray
    teams: IntArray


class _Board:
    """Which items are on the common list already, and how far down its own list each team has come."""

    def __init__(self, lists: list[Ranking]) -> None:
        sessions = lists[0].items.shape[0]
        # One column more than items: a list ends with NO_ITEM, which is never taken.
        ends = np.full((sessions, 1), NO_ITEM, dtype=np.int32)
        self._queues = [np.concatenate([ranking.items, ends], axis=1) for ranking in lists]
        self._places = [np.zeros(sessions, dtype=np.int64) for _ in lists]
        self._taken: ItemArray = np.zeros((sessions, 0), dtype=np.int32)

    def round(self, beginner: int) -> _Round:
        """Two picks, the beginner's first, without taking them."""
        own, other = self._next(beginner), self._next(1 - beginner)
        first = np.where(own == NO_ITEM, other, own)
        whose_first = np.where(own == NO_ITEM, 1 - beginner, beginner)
        theirs, mine = self._next(1 - beginner, first), self._next(beginner, first)
        second = np.where(theirs == NO_ITEM, mine, theirs)
        whose_second = np.where(theirs == NO_ITEM, beginner, 1 - beginner)
        return _Round(np.stack([first, second]), np.stack([whose_first, whose_second]))

    def take(self, items: ItemArray) -> None:
        """Put items, shape (n_sessions, some), on the common list."""
        self._taken = np.concatenate([self._taken, items], axis=1)

    def _next(self, team: int, besides: ItemArray | None = None) -> ItemArray:
        """The first item of a team's list that is not taken, nor the one named, shape (n_sessions,)."""
        queue, place = self._queues[team], self._places[team]
        rows = np.arange(len(queue))
        while True:  # the team's own place moves past what is taken for good
            found = queue[rows, place]
            stale = self._is_taken(found)
            if not stale.any():
                break
            place[stale] += 1
        if besides is None:
            return found
        ahead = place.copy()
        while True:
            found = queue[rows, ahead]
            stale = self._is_taken(found) | ((found != NO_ITEM) & (found == besides))
            if not stale.any():
                return found
            ahead[stale] += 1

    def _is_taken(self, items: ItemArray) -> BoolArray:
        """Whether the item of each session is on the common list, shape (n_sessions,)."""
        return np.asarray((items != NO_ITEM) & (self._taken == items[:, None]).any(axis=1))
