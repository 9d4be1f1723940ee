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
from typing import Any

import numpy as np

from groundlings.environments.actions import Cells
from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision, checked
from groundlings.environments.feed import feed_actions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import Mind, Situation


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
        """Everybody on the first page; the last session's page ends in empty slots."""
        agents = np.arange(self.n_users, dtype=np.int64)
        starts = 3 * agents[:, None]
        items = ((starts + np.arange(self.page_size)) % self.n_items).astype(np.int32)
        items[-1, -2:] = NO_ITEM
        return Situation(
            sessions=Sessions(agents, agents.copy(), day, Draws.for_sessions(7, agents, day)),
            page=Page(1, 0, items),
            legal=feed_actions(self.scale.values, np.full(self.n_users, may_go_on)),
            rows=agents.copy(),
        )

    def decide(self, situation: Situation) -> Decision:
        """What a new mind decides, asked in cohorts of its size."""
        mind = self.make_mind()
        size = min(mind.cohort_size, len(situation.sessions))
        assert size >= 1, "cohort_size must be at least 1"
        parts = []
        for first in range(0, len(situation.sessions), size):
            some = np.arange(first, min(first + size, len(situation.sessions)))
            parts.append(asyncio.run(mind.decide(take(situation, some))))
        return Decision.joined(parts)

    def test_answers_for_every_slot_of_every_session(self) -> None:
        """Shapes follow the page; satisfaction lies in 1 to 10 or is NaN."""
        situation = self.situation()
        decision = self.decide(situation)
        for spec in situation.legal.schema.specs:
            assert decision[spec.name].shape == spec.idle(situation.page).shape, f"{spec.name} has another shape"
        assert decision.unreadable.shape == (self.n_users,)
        satisfaction = decision["satisfaction"]
        asked = satisfaction[~np.isnan(satisfaction)]
        assert np.all((asked >= 1) & (asked <= 10))

    def test_does_only_what_the_page_offers(self) -> None:
        """The check finds nothing to take out."""
        situation = self.situation()
        assert checked(self.decide(situation), situation.page, situation.legal).illegal == ()

    def test_takes_no_action_that_it_does_not_name(self) -> None:
        """What `Mind.actions` leaves out stays idle."""
        situation = self.situation()
        decision, able = self.decide(situation), self.make_mind().actions
        for spec in situation.legal.schema.specs:
            if spec.name not in able:
                assert not spec.taken(decision[spec.name]).any(), f"{spec.name} is taken and not named"

    def test_leaves_where_there_is_no_next_page(self) -> None:
        """Nobody turns the page after the last one."""
        assert not self.decide(self.situation(may_go_on=False))["next_page"].any()

    def test_decides_the_same_twice(self) -> None:
        """Two minds made alike agree on the same situation."""
        assert same(self.decide(self.situation()), self.decide(self.situation()))

    def test_a_session_decided_alone_is_decided_as_in_company(self) -> None:
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
        for name, where in situation.legal.available.items():
            assert np.array_equal(where, untouched.legal.available[name])
        assert np.array_equal(situation.sessions.agents, untouched.sessions.agents)
        assert np.array_equal(situation.sessions.users, untouched.sessions.users)
        assert np.array_equal(situation.sessions.draws.who, untouched.sessions.draws.who)
        assert np.array_equal(situation.rows, untouched.rows)

    def test_looks_at_all_that_it_opens(self) -> None:
        """Where examination is known, it holds every click and no empty slot."""
        situation = self.situation()
        decision = self.decide(situation)
        examined = decision.trace.examined
        if examined is not None:
            assert not np.any(decision["click"] & ~examined)
            assert not np.any(examined & ~situation.page.shown)

    def test_draws_can_be_audited(self) -> None:
        """Where a mind says what an action was drawn from, the flag is exactly draw < probability."""
        decision = self.decide(self.situation())
        for name, chance in decision.trace.chances.items():
            if decision.actions.schema[name].kind == "flag":
                assert np.array_equal(decision[name], chance.draw < chance.probability), name

    def test_describes_itself_in_plain_values(self) -> None:
        """The manifest can hold it, and it names its kind."""
        described = self.make_mind().describe()
        assert is_plain(described)
        assert "kind" in described


def take(situation: Situation, rows: IntArray) -> Situation:
    """The situation of some sessions."""
    return Situation(
        situation.sessions.take(rows),
        situation.page.take(rows),
        situation.legal.take(rows),
        situation.rows[rows],
        situation.turns,
    )


def same(first: Decision, second: Decision) -> bool:
    """Whether two decisions agree in every array."""
    one, other = _arrays(first), _arrays(second)
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one
    )


def _arrays(decision: Decision) -> dict[str, Cells]:
    arrays = {"unreadable": decision.unreadable, **decision.actions.columns}
    if decision.trace.examined is not None:
        arrays["examined"] = decision.trace.examined
    for name, chance in decision.trace.chances.items():
        arrays |= {f"P({name})": chance.probability, f"draw of {name}": chance.draw}
    return arrays


def is_plain(value: Any) -> bool:
    """Whether JSON can hold the value as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(is_plain(each) for each in value)
    return value is None or isinstance(value, str | int | float | bool)
