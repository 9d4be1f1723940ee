"""What every mind promises, as tests to inherit: subclass, write `make_mind`, run pytest.

    class TestMyMind(MindContract):
        def make_mind(self) -> Mind:
            return MyMind(...)

The users of the situations are 0 to `n_users` - 1 and the items 0 to `n_items` - 1: a mind that knows a
population must know these. A mind that keeps something of what it was asked is made anew for every question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from groundlings.environments.actions import Decision, LegalActions
from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.feed import PaginatedSite
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.personas.mind import Mind, Situation, SoFar, Visits


class MindContract:
    """Inheritable tests of a mind."""

    n_users = 12
    n_items = 40
    page_size = 5
    scale = RatingScale()

    def make_mind(self) -> Mind:
        """A mind as it is on the first day."""
        raise NotImplementedError

    def situation(self, *, may_go_on: bool = True, day: int = 0) -> Situation:
        """Everybody on the first page; the last visit's page ends in empty slots."""
        agents = np.arange(self.n_users, dtype=np.int64)
        starts = 3 * agents[:, None]
        items = ((starts + np.arange(self.page_size)) % self.n_items).astype(np.int32)
        items[-1, -2:] = NO_ITEM
        return Situation(
            visits=Visits(agents, agents.copy(), day, Draws.for_visits(7, agents, day)),
            page=Page(1, 0, items),
            actions=LegalActions(self.scale.values, np.full(self.n_users, may_go_on)),
            so_far=SoFar.nothing(self.n_users),
            earlier=(),
        )

    def decide(self, situation: Situation) -> Decision:
        """What a new mind decides, asked in cohorts of its size."""
        mind = self.make_mind()
        size = min(mind.cohort_size, len(situation.visits))
        assert size >= 1, "cohort_size must be at least 1"
        parts = []
        for first in range(0, len(situation.visits), size):
            some = np.arange(first, min(first + size, len(situation.visits)))
            parts.append(asyncio.run(mind.decide(take(situation, some))))
        return joined(parts)

    def test_answers_for_every_slot_of_every_visit(self) -> None:
        """Shapes follow the page; satisfaction lies in 1 to 10 or is NaN."""
        situation = self.situation()
        decision = self.decide(situation)
        assert decision.clicked.shape == decision.stars.shape == situation.page.items.shape
        for answer in (decision.goes_on, decision.satisfaction, decision.unreadable):
            assert answer.shape == (self.n_users,)
        asked = decision.satisfaction[~np.isnan(decision.satisfaction)]
        assert np.all((asked >= 1) & (asked <= 10))

    def test_does_only_what_the_page_offers(self) -> None:
        """The site finds nothing to take out."""
        situation = self.situation()
        site = PaginatedSite(self.page_size, 5, self.scale)
        assert site.check(self.decide(situation), situation.page, situation.actions).illegal == ()

    def test_leaves_where_there_is_no_next_page(self) -> None:
        """`goes_on` is False for everybody on a last page."""
        assert not self.decide(self.situation(may_go_on=False)).goes_on.any()

    def test_decides_the_same_twice(self) -> None:
        """Two minds made alike agree on the same situation."""
        assert same(self.decide(self.situation()), self.decide(self.situation()))

    def test_a_visit_decided_alone_is_decided_as_in_company(self) -> None:
        """No row looks at another one."""
        situation = self.situation()
        together = self.decide(situation)
        for row in range(self.n_users):
            some = np.array([row])
            assert same(self.decide(take(situation, some)), together.take(some)), f"row {row} depends on its company"

    def test_changes_nothing_it_is_given(self) -> None:
        """Every array of the situation is as before."""
        situation, untouched = self.situation(), self.situation()
        self.decide(situation)
        assert np.array_equal(situation.page.items, untouched.page.items)
        assert np.array_equal(situation.actions.may_go_on, untouched.actions.may_go_on)
        assert np.array_equal(situation.visits.agents, untouched.visits.agents)
        assert np.array_equal(situation.visits.users, untouched.visits.users)
        assert np.array_equal(situation.visits.draws.who, untouched.visits.draws.who)
        for part in fields(SoFar):
            assert np.array_equal(getattr(situation.so_far, part.name), getattr(untouched.so_far, part.name))

    def test_looks_at_all_that_it_opens(self) -> None:
        """Where examination is known, it holds every click and no empty slot."""
        situation = self.situation()
        decision = self.decide(situation)
        if decision.examined is not None:
            assert not np.any(decision.clicked & ~decision.examined)
            assert not np.any(decision.examined & ~situation.page.shown)

    def test_clicks_can_be_audited(self) -> None:
        """Where a probability is known, so is the draw, and a click is exactly draw < probability."""
        decision = self.decide(self.situation())
        assert (decision.click_probability is None) == (decision.click_draw is None)
        if decision.click_probability is not None and decision.click_draw is not None:
            assert np.array_equal(decision.clicked, decision.click_draw < decision.click_probability)

    def test_describes_itself_in_plain_values(self) -> None:
        """The manifest can hold it, and it names its kind."""
        described = self.make_mind().describe()
        assert is_plain(described)
        assert "kind" in described


def take(situation: Situation, rows: IntArray) -> Situation:
    """The situation of some visits."""
    return Situation(
        situation.visits.take(rows),
        situation.page.take(rows),
        situation.actions.take(rows),
        situation.so_far.take(rows),
        tuple(turn.take(rows) for turn in situation.earlier),
    )


_ARRAYS = (
    "clicked",
    "stars",
    "goes_on",
    "satisfaction",
    "unreadable",
    "examined",
    "click_probability",
    "click_draw",
)


def joined(parts: list[Decision]) -> Decision:
    """Decisions of several cohorts, one below the other, without their calls."""
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        some = [getattr(part, name) for part in parts]
        arrays[name] = None if some[0] is None else np.concatenate(some)
    return Decision(**arrays, stray=tuple(stray for part in parts for stray in part.stray))


def same(first: Decision, second: Decision) -> bool:
    """Whether two decisions agree in every array."""
    for name in _ARRAYS:
        one, other = getattr(first, name), getattr(second, name)
        if (one is None) != (other is None):
            return False
        if one is not None and not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            return False
    return True


def is_plain(value: Any) -> bool:
    """Whether JSON can hold the value as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(is_plain(each) for each in value)
    return value is None or isinstance(value, str | int | float | bool)
