"""What every environment promises, as tests to inherit: subclass, write `make_environment`, run pytest.

    class TestMyShop(EnvironmentContract):
        def make_environment(self):
            return MyShop(page_size=3)

Twelve sessions with forty items, ranked by item number; session r has seen items 0 to r - 1 before. Actions are drawn
from the schema: every legal action is taken somewhere.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.actions import Actions, ActionSpec, Cells
from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray
from groundlings.environments.decision import Decision, checked
from groundlings.environments.environment import EndedBy, Environment, Observation, SessionState
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.environments.sessions import Sessions

N_SESSIONS, N_ITEMS = 12, 40

_MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class Walk:
    """A cohort's way through an environment: what was seen and done, page by page, and the state at the end."""

    observations: tuple[Observation, ...]
    decisions: tuple[Decision, ...]
    requests: tuple[RankingRequest, ...]
    state: SessionState


class EnvironmentContract(ABC):
    """Inheritable tests of an environment."""

    @abstractmethod
    def make_environment(self) -> Environment[Any]:
        """An environment that can show the toy world's items."""

    def walk(self, users: Sequence[int] = range(N_SESSIONS), *, unreadable: Sequence[int] = ()) -> Walk:
        """Simulate some sessions; their actions depend on user and page alone."""
        return asyncio.run(_walk(self.make_environment(), np.array(users, dtype=np.int64), np.array(unreadable)))

    def test_every_session_comes_to_an_end_that_is_known(self) -> None:
        """Nobody is left when nothing more is shown, and each ending is an `EndedBy`."""
        walk = self.walk()
        assert len(walk.observations) < _MOST_PAGES, f"nobody has left after {_MOST_PAGES} pages"
        assert set(map(str, walk.state.ended_by)) <= set(map(str, EndedBy))

    def test_a_page_is_shown_to_sessions_that_are_here(self) -> None:
        """Rows are ascending, whoever is gone stays gone, and page numbers count from 1."""
        here = set(range(N_SESSIONS))
        for number, observation in enumerate(self.walk().observations, start=1):
            rows = observation.rows.tolist()
            assert rows == sorted(set(rows)), "rows must be ascending"
            assert set(rows) <= here, "a session that was over sees a page"
            assert observation.page.number == number
            here = set(rows)

    def test_everything_has_the_shape_of_its_page(self) -> None:
        """What is offered, and where items come from, row by row and slot by slot."""
        environment = self.make_environment()
        for observation in self.walk().observations:
            page, served = observation.page, observation.served
            assert len(page.items) == len(observation.rows)
            asked = [observation.legal.offers(spec.name, page) for spec in environment.schema.specs if spec.goes_on]
            silent = ~page.shown.any(axis=1) & ~np.any([*asked, np.zeros(len(page.items), dtype=np.bool_)], axis=0)
            assert not silent.any(), "a page without any item was shown, and nothing that can be said leads on from it"
            for cells in (served.scores, served.propensities, served.explored):
                assert cells.shape == page.items.shape
            assert observation.legal.schema == environment.schema
            for name, where in observation.legal.available.items():
                assert where.shape == environment.schema[name].idle(page).shape, name
            assert all(len(cells) == len(page.items) for cells in page.further.values())

    def test_nothing_is_shown_twice_or_against_the_request(self) -> None:
        """Each session is shown items it has not seen before, each once, on no more and no larger pages than stated."""
        environment = self.make_environment()
        shown: dict[int, list[int]] = {row: [] for row in range(N_SESSIONS)}
        for observation in self.walk().observations:
            for row, items in zip(observation.rows.tolist(), observation.page.items, strict=True):
                shown[row] += items[items != NO_ITEM].tolist()
        for row, items in shown.items():
            assert len(items) == len(set(items)), "an item was shown twice"
            assert not set(items) & set(range(row)), "an item was shown that had been seen before"
        pages = [observation.page for observation in self.walk().observations]
        assert len(pages) <= environment.max_pages, "more pages than `max_pages`"
        assert all(page.items.shape[1] <= environment.page_size for page in pages), "more slots than `page_size`"

    def test_a_session_alone_goes_as_in_company(self) -> None:
        """No row looks at another one."""
        together = self.walk()
        for row in (0, N_SESSIONS - 1):
            alone = self.walk([row])
            pages = [_of(each, row) for each in together.observations if row in each.rows]
            assert [_of(each, 0) for each in alone.observations] == pages
            assert alone.state.ended_by[0] == together.state.ended_by[row]

    def test_the_same_sessions_go_the_same_way_twice(self) -> None:
        """All random numbers come from the sessions' draws, and nothing is kept outside of states."""
        first, second = self.walk(), self.walk()
        assert [each.page.items.tolist() for each in first.observations] == [
            each.page.items.tolist() for each in second.observations
        ]

    def test_a_session_without_a_readable_reply_is_over(self) -> None:
        """What it did is unknown, so nothing can follow."""
        walk = self.walk(unreadable=[1])
        assert [1 in each.rows for each in walk.observations] == [True] + [False] * (len(walk.observations) - 1)
        assert walk.state.ended_by[1] == EndedBy.UNREADABLE

    def test_a_session_with_nothing_to_see_sees_nothing(self) -> None:
        """Where the recommender lists nothing, no page has an item."""
        environment, sessions = self.make_environment(), _sessions(np.arange(2))

        async def rank(request: RankingRequest) -> Ranking:
            empty = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
            return Ranking.deterministic(empty, np.full(empty.shape, np.nan))

        async def observed() -> Observation | None:
            state = await environment.open(sessions, sp.csr_array((2, N_ITEMS)), rank)
            return await environment.observe(state, rank)

        observation = asyncio.run(observed())
        assert observation is None or not observation.page.shown.any()

    def test_describes_itself_in_plain_values(self) -> None:
        """The manifest can hold it, and it names its kind."""
        described = self.make_environment().describe()
        assert json.loads(json.dumps(described)) == dict(described)
        assert "kind" in described


async def _walk(environment: Environment[Any], users: IntArray, unreadable: IntArray) -> Walk:
    requests: list[RankingRequest] = []

    async def rank(request: RankingRequest) -> Ranking:
        requests.append(request)
        scores: FloatArray = np.broadcast_to(-np.arange(float(N_ITEMS)), (len(request), N_ITEMS)).copy()
        ranking = top_items(scores, request)
        ranking.check(request, N_ITEMS)
        return ranking

    observations: list[Observation] = []
    decisions: list[Decision] = []
    seen = sp.csr_array((np.arange(N_ITEMS)[None] < users[:, None]).astype(np.float64))
    state = await environment.open(_sessions(users), seen, rank)
    while len(observations) < _MOST_PAGES and (observation := await environment.observe(state, rank)) is not None:
        said = _said(environment.schema.specs, users[observation.rows], observation)
        decision = Decision(
            Actions(environment.schema, said), np.isin(users[observation.rows], unreadable, assume_unique=True)
        )
        legal = checked(decision, observation.page, observation.legal).decision
        observations.append(observation)
        decisions.append(legal)
        state = environment.apply(state, observation, legal)
    return Walk(tuple(observations), tuple(decisions), tuple(requests), state)


def _sessions(users: IntArray) -> Sessions:
    return Sessions(users, users, 0, Draws.for_sessions(7, users, 0))


def _said(specs: Sequence[ActionSpec], users: IntArray, observation: Observation) -> dict[str, Cells]:
    """Every action, taken where a hash of user, page and slot says so."""
    page, said = observation.page, {}
    for number, spec in enumerate(specs):
        cells = spec.idle(page)
        places = np.arange(page.items.shape[1])[None] if spec.per == "slot" else np.zeros((1,), dtype=np.int64)
        turn = users[:, None] if spec.per == "slot" else users
        taken = (turn + 2 * places + page.number + number) % 3 != 0
        if spec.kind == "flag":
            cells = taken
        elif spec.kind == "number":
            legal = spec.values or (spec.within or (1.0, 1.0))
            cells = np.where(taken, np.array(legal)[(turn + places) % len(legal)], np.nan)
        else:
            cells[taken] = "item"
        said[spec.name] = cells
    return said


def _of(observation: Observation, row: int) -> list[int]:
    items: list[int] = observation.page.items[int(np.flatnonzero(observation.rows == row)[0])].tolist()
    return items
