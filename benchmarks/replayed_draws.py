"""The same people before the same recommenders, again and again with other luck: the raw material of `make check-aa`.

A thousand A/A experiments need not be simulated one by one. Each arm is played once for every luck (a day number that
nothing else depends on: no refit, no memory), which gives a table of people x lucks. An A/A experiment then draws, for
each of its people, two different lucks at random and calls one of them arm A. Both arms are the same recommender, and
who got which is a coin flip: no effect is there to be found, yet everything that makes people differ is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.random_streams import Draws
from groundlings.experiments.config.schema import ArmConfig
from groundlings.experiments.running.plan import Plan
from groundlings.personas.mind import Visits
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.simulator.arm import World
from groundlings.simulator.session import CohortRecord, EndedBy, browse

NAMES = ("sessions", "known", "clicks", "likes", "ratings", "stars", "pages", "satisfaction", "asked", "left", "luck")
"""As in `metrics.totals.TOTALS`; "left" is 1 where the person chose to leave, "luck" is opened minus expected."""


@dataclass(frozen=True)
class Table:
    """What one arm's people did.

    Attributes:
        totals: Name of `NAMES` -> shape (n_people, n_lucks).
    """

    totals: dict[str, FloatArray]

    def ratio(self, numerator: str, denominator: str) -> FloatArray:
        """A metric of each person and luck, shape (n_people, n_lucks), NaN where there is none."""
        below = self.totals[denominator]
        return np.divide(self.totals[numerator], below, out=np.full(below.shape, np.nan), where=below > 0)


def play(plan: Plan, arms: Sequence[ArmConfig], lucks: int) -> dict[str, Table]:
    """Every arm with the same lucks, by the arm's name."""
    return {arm.name: _play(plan, arm, lucks) for arm in arms}


def play_drafts(plan: Plan, arm: ArmConfig, lucks: int) -> tuple[FloatArray, FloatArray]:
    """What people opened of each team's picks, where both teams are the same recommender, shape (n_people, n_lucks)."""
    world = plan.world(arm)
    world.recommender = TeamDraftRecommender(plan.recommender(arm), plan.recommender(arm))
    clicks = np.zeros((2, len(world.users), lucks))
    for rows, luck, record in _visits(world, lucks):
        teams = record.ranking.teams
        assert teams is not None
        for logged in record.turns:
            turn = logged.turn
            slots = turn.page.first_rank + np.arange(turn.page.items.shape[1])
            picked = teams[turn.rows][:, slots]
            for team in (0, 1):
                clicks[team, rows[turn.rows], luck] += (turn.decision.clicked & (picked == team)).sum(axis=1)
    return clicks[0], clicks[1]


def _play(plan: Plan, arm: ArmConfig, lucks: int) -> Table:
    world = plan.world(arm)
    sums = {name: np.zeros((len(world.users), lucks)) for name in NAMES}
    for rows, luck, record in _visits(world, lucks):
        _add(sums, rows, luck, record, world.like)
    return Table(sums)


def _visits(world: World, lucks: int) -> Iterator[tuple[IntArray, int, CohortRecord]]:
    """Everybody's visits with each luck, cohort by cohort: who, which luck, what happened."""
    world.recommender.fit(world.history, world.catalog)
    users = world.users
    known = sp.csr_array(world.history.matrix)
    for luck in range(lucks):
        for start in range(0, len(users), world.mind.cohort_size):
            rows = np.arange(start, min(start + world.mind.cohort_size, len(users)))
            visits = Visits(rows, users[rows], luck, Draws.for_visits(world.seed, users[rows], luck))
            record = asyncio.run(
                browse(
                    visits, sp.csr_array(known[users[rows]]), recommender=world.recommender, site=world.site,
                    mind=world.mind, like=world.like,
                )
            )  # fmt: skip
            yield rows, luck, record


def _add(sums: dict[str, FloatArray], rows: IntArray, luck: int, record: CohortRecord, like: float) -> None:
    sums["sessions"][rows, luck] += 1
    sums["pages"][rows, luck] += record.pages
    sums["left"][rows, luck] += [ending == EndedBy.EXIT for ending in record.ended_by]
    felt, pages_asked = np.zeros(len(rows)), np.zeros(len(rows))
    for logged in record.turns:
        turn = logged.turn
        here, decision = rows[turn.rows], turn.decision
        stars = np.nan_to_num(decision.stars)
        sums["known"][here, luck] += (turn.page.shown & ~decision.unreadable[:, None]).sum(axis=1)
        sums["clicks"][here, luck] += decision.clicked.sum(axis=1)
        sums["ratings"][here, luck] += (stars > 0).sum(axis=1)
        sums["likes"][here, luck] += (stars >= like).sum(axis=1)
        sums["stars"][here, luck] += stars.sum(axis=1)
        if decision.click_probability is not None:
            sums["luck"][here, luck] += (decision.clicked - decision.click_probability).sum(axis=1)
        felt[turn.rows] += np.nan_to_num(decision.satisfaction)
        pages_asked[turn.rows] += ~np.isnan(decision.satisfaction)
    asked = pages_asked > 0
    sums["asked"][rows, luck] += asked
    sums["satisfaction"][rows, luck] += np.divide(felt, pages_asked, out=np.zeros(len(rows)), where=asked)
