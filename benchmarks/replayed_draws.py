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
from groundlings.environments.environment import EndedBy
from groundlings.experiments.config.schema import ArmConfig
from groundlings.experiments.running.plan import Plan
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.cohorts import cohorts
from groundlings.simulator.session import CohortRecord, browse

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


def play_drafts(plan: Plan, config: ArmConfig, lucks: int) -> tuple[FloatArray, FloatArray]:
    """What people opened of each team's picks, where both teams are the same recommender, shape (n_people, n_lucks)."""
    arm = plan.make_arm(config)
    arm.recommender = TeamDraftRecommender(plan.recommender(config), plan.recommender(config))
    clicks = np.zeros((2, len(arm.users), lucks))
    for rows, luck, record in _visits(arm, lucks):
        for logged in record.turns:
            turn, teams = logged.turn, logged.served.teams
            assert teams is not None
            for team in (0, 1):
                clicks[team, rows[turn.rows], luck] += (turn.decision["click"] & (teams == team)).sum(axis=1)
    return clicks[0], clicks[1]


def _play(plan: Plan, config: ArmConfig, lucks: int) -> Table:
    arm = plan.make_arm(config)
    sums = {name: np.zeros((len(arm.users), lucks)) for name in NAMES}
    for rows, luck, record in _visits(arm, lucks):
        _add(sums, rows, luck, record, plan.dataset.scale.like)
    return Table(sums)


def _visits(arm: Arm, lucks: int) -> Iterator[tuple[IntArray, int, CohortRecord]]:
    """Everybody's sessions with each luck, cohort by cohort: who, which luck, what happened."""
    arm.recommender.fit(arm.history, arm.catalog)
    users = arm.users
    known = sp.csr_array(arm.history.matrix)
    for luck in range(lucks):
        for visits in cohorts(np.arange(len(users)), users, luck, seed=arm.seed, size=arm.mind.cohort_size):
            record = asyncio.run(
                browse(
                    visits, sp.csr_array(known[visits.users]), recommender=arm.recommender, environment=arm.environment,
                    mind=arm.mind,
                )
            )  # fmt: skip
            yield visits.agents, luck, record


def _add(sums: dict[str, FloatArray], rows: IntArray, luck: int, record: CohortRecord, like: float) -> None:
    sums["sessions"][rows, luck] += 1
    sums["pages"][rows, luck] += record.pages
    sums["left"][rows, luck] += [ending == EndedBy.EXIT for ending in record.ended_by]
    felt, pages_asked = np.zeros(len(rows)), np.zeros(len(rows))
    for logged in record.turns:
        turn = logged.turn
        here, decision = rows[turn.rows], turn.decision
        stars = np.nan_to_num(decision["rate"])
        sums["known"][here, luck] += (turn.page.shown & ~decision.unreadable[:, None]).sum(axis=1)
        sums["clicks"][here, luck] += decision["click"].sum(axis=1)
        sums["ratings"][here, luck] += (stars > 0).sum(axis=1)
        sums["likes"][here, luck] += (stars >= like).sum(axis=1)
        sums["stars"][here, luck] += stars.sum(axis=1)
        probability = decision.trace.probability("click")
        if probability is not None:
            sums["luck"][here, luck] += (decision["click"] - probability).sum(axis=1)
        felt[turn.rows] += np.nan_to_num(decision["satisfaction"])
        pages_asked[turn.rows] += ~np.isnan(decision["satisfaction"])
    asked = pages_asked > 0
    sums["asked"][rows, luck] += asked
    sums["satisfaction"][rows, luck] += np.divide(felt, pages_asked, out=np.zeros(len(rows)), where=asked)
