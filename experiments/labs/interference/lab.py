"""Tests that split people with ties, by agent and by cluster, held against what really changes for everybody.

The truth is known here as it never is on people: all agents in the first arm, and all in the second, in two worlds with
the same draws. Each test then puts some agents into one arm and the others into the other, at the same time and in one
world, where what ties mention crosses the arms; each recommender learns from its own agents alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.environments.words import plural
from groundlings.experiments.labs.interference.estimates import Estimates, estimate, shares_of_ties
from groundlings.experiments.labs.resampling import Resamples, check_times
from groundlings.experiments.running.clusters import clusters_of, share_within

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.plan import Plan

_FEWEST = 4
"""Clusters: fewer say nothing of how much they differ."""

ROWS = ("naive", "direct", "spillover", "total")


@dataclass(frozen=True, slots=True)
class Tested:
    """What tests of one kind told.

    Attributes:
        by: What was assigned: `agents` or `clusters`.
        ties_across: Mean share of the ties that join agents of different arms.
        estimates: One per assignment.
    """

    by: str
    ties_across: float
    estimates: tuple[Estimates, ...]

    def values(self, row: str) -> FloatArray:
        """One estimate per assignment, NaN where the data do not tell."""
        found = (getattr(each, row).value for each in self.estimates)
        return np.array([np.nan if value is None else value for value in found])

    def intervals(self, row: str) -> int:
        """How many assignments have an interval."""
        return sum(getattr(each, row).low is not None for each in self.estimates)

    def holding(self, row: str, truth: float) -> int:
        """In how many assignments the interval holds the truth."""
        return sum(getattr(each, row).holds(truth) for each in self.estimates)


@dataclass(frozen=True, slots=True)
class Findings:
    """How wrong tests among people with ties are.

    Attributes:
        arms: The two; the effect is that of the second against the first.
        agents, ties, clusters: How many there are; `within` is the share of the ties that stay within a cluster.
        before, after: Outcomes per agent with everybody in the first arm, and in the second.
        tested: By agents, then by clusters.
    """

    arms: tuple[str, str]
    agents: int
    ties: int
    clusters: int
    within: float
    before: float
    after: float
    tested: tuple[Tested, ...]

    @property
    def truth(self) -> float:
        """What changes when everybody moves to the second arm, per agent."""
        return self.after - self.before

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON file."""
        across = [None if isnan(each.ties_across) else each.ties_across for each in self.tested]
        told = asdict(self)
        told["tested"] = [{**each, "ties_across": share} for each, share in zip(told["tested"], across, strict=True)]
        return {**told, "within": None if isnan(self.within) else self.within, "truth": self.truth}


def try_splits(config: ExperimentConfig, assignments: int = 5, times: int = 1000) -> Findings:
    """Hold tests that split people with ties against the truth.

    Args:
        config: An experiment with `mind.social`, two arms and the design `parallel`.
        assignments: How many times agents, and clusters, are assigned anew.
        times: Resamples of clusters for the intervals.

    Raises:
        ConfigError: It is another experiment, there are fewer than four clusters, or pages are lost.
    """
    check_times(times)
    if assignments < 1:
        raise ConfigError(f"assignments: found {assignments}; expected at least 1")
    social = getattr(config.mind, "social", None)
    if social is None or len(config.arms) != 2 or config.design.kind != "parallel":
        raise ConfigError(
            f"found {plural(len(config.arms), 'arm')}, the design {config.design.kind}, and "
            f"{'no' if social is None else 'a'} key mind.social; expected two arms, the design parallel, and agents "
            "with ties (mind.social)"
        )
    from groundlings.experiments.running.plan import build_plan
    from groundlings.personas.social.word_of_mouth import WordOfMouth

    plan = build_plan(config)
    users, seed = plan.population.users, config.seed
    ties = WordOfMouth(social, plan.population, config.base).ties
    chance = np.random.default_rng(name_key("interference", seed))
    clusters = clusters_of(ties, users, chance)
    number = int(clusters.max()) + 1
    if number < _FEWEST:
        raise ConfigError(f"mind.social.ties: found {plural(number, 'cluster')} of agents; expected at least {_FEWEST}")
    resamples = Resamples.draw(number, times, chance)
    before, after = (_outcomes(plan, np.full(len(users), arm)) for arm in (0, 1))
    tested = []
    for by, units in (("agents", np.arange(len(users))), ("clusters", clusters)):
        homes = [_halves(units, chance)[units] for _ in range(assignments)]
        found: list[Estimates] = []
        for home in homes:
            shares = shares_of_ties(ties, users, home)
            found += estimate(_outcomes(plan, home), home, shares, clusters, resamples)
        across = float(np.mean([1 - share_within(ties, users, home) for home in homes]))
        tested.append(Tested(by, across, tuple(found)))
    return Findings(
        arms=(config.arms[0].name, config.arms[1].name),
        agents=len(users),
        ties=len(ties),
        clusters=number,
        within=share_within(ties, users, clusters),
        before=float(before.mean()),
        after=float(after.mean()),
        tested=tuple(tested),
    )


def _halves(units: IntArray, chance: np.random.Generator) -> IntArray:
    """An arm for each unit, 0 or 1: half of the units each."""
    number = int(units.max()) + 1
    return np.asarray(chance.permutation(number) % 2, dtype=np.int64)


def _outcomes(plan: Plan, home: IntArray) -> FloatArray:
    """Interactions of each agent if agents live in these arms, side by side in one world, shape (n_agents,)."""
    from groundlings.experiments.running.manifest import run_row
    from groundlings.experiments.running.simulating import simulate
    from groundlings.simulator.log.reader import LogReader

    arms = enumerate(plan.config.arms)
    side_by_side = [replace(plan.make_arm(arm), residents=home == place, learns_alone=True) for place, arm in arms]
    plan.built.stages = [side_by_side]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        asyncio.run(simulate(plan, run_row(plan), path))
        with LogReader(path) as log:
            if unknown := sum(rows.unknown for rows in log.rows_by_arm().values()):
                raise ConfigError(
                    f"mind: pages are lost, and what agents did with {plural(unknown, 'impression')} is not known, so "
                    "that nobody knows how many interactions they had; expected a mind whose every reply can be read, "
                    "such as behavioural"
                )
            taken = log.interactions().user_id.value_counts()
    ids = plan.dataset.people.user_ids
    return np.array([float(taken.get(ids[user], 0)) for user in plan.population.users])
