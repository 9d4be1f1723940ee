"""The recommenders: what each would show, and what people really liked of it.

The real like rate of a recommender is measured among the items that were drawn at random for people, and that lie in
the first fifth of its list of all candidates: likes divided by such items, pooled over people. Nobody chose these
items, so the rate is that of the recommender's choice and of nothing else. A person of whom no random item lies in the
first fifth adds nothing to either total. Equal scores are in the order in which the recommender lists them, because
that is the order in which people would see them (shipped ones put the smaller item number first).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.experiments.labs.truth.config import FEWEST_RECOMMENDERS, too_few
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.experiments.running.event_loop import completed
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import build_recommender, parts_of

PEOPLE_AT_ONCE = 256

COPY = 0.95
"""A recommender whose first fifth holds, in the mean over people, so much of an earlier one's is a copy of it."""


@dataclass(frozen=True)
class Arm:
    """One fitted recommender.

    Attributes:
        name: As in the file.
        counts: Whether it counts in the order.
        copy_of: The earlier recommender that it is a copy of, None where there is none.
        recommender: Ranks in sessions.
        lists: What it shows to each person in a session, shape (n_people, depth); on the first day, where chance has a
            part in it.
        shown: Random items in its first fifth, per person, shape (n_people,); mean over days where lists are random.
        liked: How many of them were liked, likewise.
    """

    name: str
    counts: bool
    copy_of: str | None
    recommender: AsyncRecommender
    lists: ItemArray
    shown: FloatArray
    liked: FloatArray


@dataclass(frozen=True)
class _Ranked:
    """What one recommender lists for everybody on one day.

    Attributes:
        lists: The part that a session can show, shape (n_people, depth).
        top: Items of each person's first fifth, 1.0 each, shape (n_people, n_items).
        shown, liked: Random items in it, shape (n_people,).
    """

    lists: ItemArray
    top: sp.csr_array
    shown: FloatArray
    liked: FloatArray


def fit_arms(ground: Ground) -> list[Arm]:
    """Fit every recommender on the self-chosen interactions, and rank all candidates of all people.

    Raises:
        ConfigError: Too few recommenders count.
    """
    config = ground.config
    built = [
        build_recommender(arm.recommender, arm.options, ground.context, where=f"recommenders[{number}]")
        for number, arm in enumerate(config.recommenders)
    ]
    for number, recommender in enumerate(built):
        _check(recommender, number, ground)
    arms: list[Arm] = []
    tops: dict[str, sp.csr_array] = {}
    for number, (arm, countable) in enumerate(zip(config.recommenders, config.countable, strict=True)):
        recommender = built.pop(0)  # which is let go of where its lists are all that is needed
        _fit(recommender, number, ground)
        days = ground.config.truth.sessions if recommender.randomised else 1
        ranked = [_rank(ground, recommender, day) for day in range(days)]
        shown, liked = (
            np.mean([each.shown for each in ranked], axis=0),
            np.mean([each.liked for each in ranked], axis=0),
        )
        fixed = not recommender.randomised and ground.site.rank_each == "visit"
        server = FixedLists(ground.people, ranked[0].lists) if fixed else recommender
        original = next((name for name, top in tops.items() if _shared(ranked[0].top, top) > COPY), None)
        counts = countable and original is None
        if counts:
            tops[arm.name] = ranked[0].top
        arms.append(Arm(arm.name, counts, original if countable else None, server, ranked[0].lists, shown, liked))
    if len(tops) < FEWEST_RECOMMENDERS:
        copies = ", ".join(f"{arm.name} of {arm.copy_of}" for arm in arms if arm.copy_of)
        raise ConfigError(f"{too_few(len(tops))}" + (f" (copies here: {copies})" if copies else ""))
    return arms


def _check(recommender: AsyncRecommender, number: int, ground: Ground) -> None:
    with _named(number, ground):
        for part in parts_of(recommender):
            if isinstance(part, AsyncRecommender):
                part.check_data(ground.train, ground.dataset.catalog)


def _fit(recommender: AsyncRecommender, number: int, ground: Ground) -> None:
    with _named(number, ground):
        recommender.fit(ground.train, ground.dataset.catalog)


@contextmanager
def _named(number: int, ground: Ground) -> Iterator[None]:
    """Name a recommender that these data do not suit by its place in the file."""
    try:
        yield
    except DataError as fault:
        usual = (
            ""
            if "recommenders" in ground.config.model_fields_set
            else f"; the file names no `recommenders`, and this is one of the usual ones: name "
            f"{FEWEST_RECOMMENDERS} or more that suit these data"
        )
        raise ConfigError(f"recommenders[{number}]: {fault}{usual}") from None
    except ConfigError as fault:
        raise ConfigError(f"recommenders[{number}]: {fault}") from None


def _shared(top: sp.csr_array, other: sp.csr_array) -> float:
    """The share of one list's items that the other holds too."""
    return float(top.multiply(other).sum() / max(top.sum(), 1))


def _rank(ground: Ground, recommender: AsyncRecommender, day: int) -> _Ranked:
    """Everybody's list of all candidates, and what is in its first fifth."""
    seen, n_items = ground.train.matrix, ground.train.n_items
    depth = min(ground.site.depth, n_items)
    inside = np.zeros(len(ground.exposures), dtype=np.bool_)
    lists, tops = [], []
    for first in range(0, len(ground.people), PEOPLE_AT_ONCE):
        some = ground.people[first : first + PEOPLE_AT_ONCE]
        draws = Draws.for_sessions(ground.seed, some, day)
        request = RankingRequest(some, depth, sp.csr_array(seen[some]), draws)
        top = np.ceil(request.unseen_counts() * ground.config.truth.top).astype(np.int64)
        request = RankingRequest(some, max(depth, int(top.max(initial=1))), request.seen, draws)
        items = completed(recommender.rank(request)).items
        places = _places(items, n_items)
        rows = np.flatnonzero((ground.place >= first) & (ground.place < first + len(some)))
        here = ground.place[rows] - first
        inside[rows] = places[here, ground.exposures.items[rows]] < top[here]
        lists.append(items[:, :depth])
        tops.append(sp.csr_array((places < top[:, None]).astype(np.float64)))
    shown, liked = ground.by_person(inside.astype(np.float64)), ground.by_person(inside * ground.positive)
    return _Ranked(np.concatenate(lists), sp.csr_array(sp.vstack(tops)), shown, liked)


def _places(items: ItemArray, n_items: int) -> IntArray:
    """The place of every item in each list from 0, shape (n, n_items); `n_items` for an item that is not listed."""
    places = np.full((len(items), n_items), n_items, dtype=np.int64)
    rows, columns = np.nonzero(items != NO_ITEM)
    places[rows, items[rows, columns]] = columns
    return places


class FixedLists(AsyncRecommender):
    """Gives each person the list that a fitted recommender gave once: the same lists, ranked once for all sessions.

    Args:
        people: Users, ascending, shape (n_people,).
        items: Their lists, shape (n_people, depth).
    """

    def __init__(self, people: IntArray, items: ItemArray) -> None:
        self._people = people
        self._items = items

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """It was fitted before."""

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        items = self._items[np.searchsorted(self._people, request.users), : request.size]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))
