"""Replications of the same agents and recommenders with other random numbers: the data of `make check-aa`.

A thousand A/A experiments need not be simulated one by one. Each arm is simulated once per replication (a day number
that nothing else depends on: no refit, no memory), which gives a table of agents x replications. An A/A experiment then
draws two different replications per agent at random and calls one of them arm A. Both arms are the same recommender and
the assignment is random, so there is no effect, while agents differ as in an experiment.
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

NAMES = (
    "sessions",
    "known",
    "clicks",
    "likes",
    "ratings",
    "stars",
    "pages",
    "satisfaction",
    "asked",
    "left",
    "surplus",
)
"""As in `metrics.totals.TOTALS`; "left" is 1 where the agent chose to leave, "surplus" clicks less expected clicks."""


@dataclass(frozen=True)
class Table:
    """Totals of one arm's agents.

    Attributes:
        totals: Name of `NAMES` -> shape (n_people, n_replications).
    """

    totals: dict[str, FloatArray]

    def ratio(self, numerator: str, denominator: str) -> FloatArray:
        """A metric of each agent and replication, shape (n_people, n_replications), NaN where there is none."""
        below = self.totals[denominator]
        return np.divide(self.totals[numerator], below, out=np.full(below.shape, np.nan), where=below > 0)


def play(plan: Plan, arms: Sequence[ArmConfig], replications: int) -> dict[str, Table]:
    """The table of each arm, with the same replications, by the arm's name."""
    return {arm.name: _play(plan, arm, replications) for arm in arms}


def play_drafts(plan: Plan, config: ArmConfig, replications: int) -> tuple[FloatArray, FloatArray]:
    """Clicks on each team's picks, both teams being the same recommender, shape (n_people, n_replications)."""
    arm = plan.make_arm(config)
    arm.recommender = TeamDraftRecommender(plan.recommender(config), plan.recommender(config))
    clicks = np.zeros((2, len(arm.users), replications))
    for rows, replication, record in _sessions(arm, replications):
        for logged in record.turns:
            turn, teams = logged.turn, logged.served.teams
            assert teams is not None
            for team in (0, 1):
                clicks[team, rows[turn.rows], replication] += (turn.decision["click"] & (teams == team)).sum(axis=1)
    return clicks[0], clicks[1]


def _play(plan: Plan, config: ArmConfig, replications: int) -> Table:
    arm = plan.make_arm(config)
    sums = {name: np.zeros((len(arm.users), replications)) for name in NAMES}
    for rows, replication, record in _sessions(arm, replications):
        _add(sums, rows, replication, record, plan.dataset.scale.like)
    return Table(sums)


def _sessions(arm: Arm, replications: int) -> Iterator[tuple[IntArray, int, CohortRecord]]:
    """All sessions of each replication, cohort by cohort: rows of agents, replication, record."""
    arm.recommender.fit(arm.history, arm.catalog)
    users = arm.users
    known = sp.csr_array(arm.history.matrix)
    for replication in range(replications):
        for sessions in cohorts(np.arange(len(users)), users, replication, seed=arm.seed, size=arm.mind.cohort_size):
            record = asyncio.run(
                browse(
                    sessions, sp.csr_array(known[sessions.users]), recommender=arm.recommender,
                    environment=arm.environment, mind=arm.mind,
                )
            )  # fmt: skip
            yield sessions.agents, replication, record


def _add(sums: dict[str, FloatArray], rows: IntArray, replication: int, record: CohortRecord, like: float) -> None:
    sums["sessions"][rows, replication] += 1
    sums["pages"][rows, replication] += record.pages
    sums["left"][rows, replication] += [ending == EndedBy.EXIT for ending in record.ended_by]
    felt, pages_asked = np.zeros(len(rows)), np.zeros(len(rows))
    for logged in record.turns:
        turn = logged.turn
        here, decision = rows[turn.rows], turn.decision
        stars = np.nan_to_num(decision["rate"])
        sums["known"][here, replication] += (turn.page.shown & ~decision.unreadable[:, None]).sum(axis=1)
        sums["clicks"][here, replication] += decision["click"].sum(axis=1)
        sums["ratings"][here, replication] += (stars > 0).sum(axis=1)
        sums["likes"][here, replication] += (stars >= like).sum(axis=1)
        sums["stars"][here, replication] += stars.sum(axis=1)
        probability = decision.trace.probability("click")
        if probability is not None:
            sums["surplus"][here, replication] += (decision["click"] - probability).sum(axis=1)
        felt[turn.rows] += np.nan_to_num(decision["satisfaction"])
        pages_asked[turn.rows] += ~np.isnan(decision["satisfaction"])
    asked = pages_asked > 0
    sums["asked"][rows, replication] += asked
    sums["satisfaction"][rows, replication] += np.divide(felt, pages_asked, out=np.zeros(len(rows)), where=asked)
