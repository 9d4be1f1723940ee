"""An arm whose rows are laid out by whoever simulates its shards: what the log is told, and what is left for later."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.interactions import Interactions
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import Schedule, live_together
from groundlings.simulator.effects import Effects
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.shard_rows import Counts, ShardRows
from groundlings.simulator.sessions_written import WrittenSessions
from groundlings.simulator.shards import Outcome
from tests.simulator.test_days import make_arm as make_arm_of_days

make_arm = make_arm_of_days
ROWS = ShardRows(Origin(1, 1, 1, 1, 1, 1, 1), Counts(3, 6, 9, 0), 1, 0, None)


class Elsewhere:
    """An engine that lays out rows of each day's sessions, in one shard."""

    def __init__(self):
        self.asked = []

    async def outcomes(self, occasion, concurrency, cut_short):
        self.asked.append((occasion.destination, occasion.claim))
        agents = occasion.agents
        clicks = Interactions.of(
            agents, np.zeros(len(agents), dtype=int), None, np.zeros(len(agents)), n_users=3, n_items=6, synthetic=True
        )
        yield Outcome(
            replace(ROWS, day=occasion.day), Effects(agents, WrittenSessions("only", len(agents)), 1, 0, clicks)
        )

    def over(self, arm):
        pass


class Ledger:
    """A log that takes the rows of some days."""

    def __init__(self, follows):
        self.rows, self._follows = [], follows

    def destination(self, arm, *, sim_time, policy_version):
        return arm, sim_time

    def claim(self, counts):
        raise AssertionError("nobody numbers anything here")

    def follows(self, rows):
        return self._follows(rows)

    def write(self, sessions, **_):
        self.rows.append(sessions.day)

    def flush(self):
        pass


@pytest.fixture
def lived(make_arm, make_mind):
    def lived(follows, size=4096) -> tuple[Arm, Ledger, Elsewhere]:
        engine, log = Elsewhere(), Ledger(follows)
        arm = make_arm(make_mind(pages=1, cohort_size=size), engine=engine)
        asyncio.run(live_together([arm], Schedule(3, 2, 1, 1.0), log, lambda _: None))
        return arm, log, engine

    return lived


def test_rows_that_come_laid_out_are_written_and_their_clicks_learnt(lived):
    arm, log, engine = lived(lambda rows: True)
    assert log.rows == [0, 1, 2]
    assert [destination[0] for destination, _ in engine.asked] == ["only"] * 3
    assert all(claim is not None for _, claim in engine.asked)
    assert len(arm.history) == 2 + 9
    assert arm.cut_short == []


def test_rows_behind_some_that_are_missing_are_left_for_a_resumed_run(lived):
    arm, log, _ = lived(lambda rows: rows.day != 1)
    assert log.rows == [0, 2]
    assert arm.cut_short == [(1, 0), (1, 1), (1, 2)]
    assert len(arm.history) == 2 + 6, "what is not written is not learnt"


def test_small_shards_come_as_what_happened(lived):
    _, _, engine = lived(lambda rows: True, size=8)
    assert [(destination, claim) for destination, claim in engine.asked] == [(None, None)] * 3
