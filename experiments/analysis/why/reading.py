"""What the agents of a run did step by step, read once for everything that asks why arms differ.

A run of more than `MOST_IMPRESSIONS` is read in part: one of so many agents, from the first of the log on, the same
ones in every arm, so that pairs stay pairs. Nothing here is an array of agents by items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.metrics.item_counts import PARTS
from groundlings.experiments.analysis.why.steps import CLICKS, LOOKED, Step, kinds_of, steps_of
from groundlings.experiments.config.designs import InterleavingDesign
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

MOST_IMPRESSIONS = 2_000_000
"""About so many are read: some ten seconds on one slow core. Of a larger run, those of one of so many agents."""

MOST_PAGES = 10
"""Pages that are told apart; the later ones are put together with the last of these."""

_OF_SLOTS = ("known", LOOKED, CLICKS)


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How often each step was taken, one row per agent and page of an arm.

    Attributes:
        agents: Places among the agents that are read, shape (n_rows,).
        pages: 0 is the first, same shape.
        counts: Name of a step -> how often, same shape; "known" and "told" are impressions with known outcome, and
            those of them of which the mind says whether it looked.
    """

    agents: IntArray
    pages: IntArray
    counts: Mapping[str, FloatArray]

    def by_agent(self, name: str, n_agents: int) -> FloatArray:
        """How often each agent took a step, shape (n_agents,)."""
        return np.bincount(self.agents, weights=self.counts[name], minlength=n_agents).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Side:
    """One arm; of lists that two arms drafted together, what became of the picks of one of the two.

    Attributes:
        name: As in the YAML.
        bound: Whether it ranks by hidden preference.
        identical: Whether it did exactly what the first arm did.
        sessions: Of each agent, without a lost page, shape (n_agents,).
        values: Of each agent, the primary metric as the results table has it, same shape, NaN where there is none.
        whole: Of sessions without a lost page.
        known: Of impressions with known outcome.
        slots: "whole" or "known" -> "known", "looked", "clicks" -> by part of the agents and slot, shape
            (PARTS, n_slots).
    """

    name: str
    bound: bool
    identical: bool
    sessions: FloatArray
    values: FloatArray
    whole: PageCounts
    known: PageCounts
    slots: Mapping[str, Mapping[str, FloatArray]]


@dataclass(frozen=True, slots=True)
class StepCounts:
    """A run as it is read here.

    Attributes:
        sides: In the order of the YAML, the baseline first.
        arm_ids: The log's number of each.
        steps: What could be done, in the order of happening.
        estimator: How two sides are compared.
        every: One of so many agents was read.
        agents: How many that are.
        together: Whether the two sides drafted their lists together.
    """

    sides: tuple[Side, ...]
    arm_ids: tuple[int, ...]
    steps: tuple[Step, ...]
    estimator: Estimator
    every: int
    agents: int
    together: bool

    @property
    def told(self) -> bool:
        """Whether it is known what was looked at."""
        return not any(step.missing for step in self.steps)


def read_steps(log: LogReader, outcomes: Outcomes, primary: str, most: int = MOST_IMPRESSIONS) -> StepCounts:
    """What every arm's agents did, step by step.

    Args:
        log: The run's.
        outcomes: What `read_outcomes` read from it.
        primary: Name of the primary metric.
        most: About how many impressions are read.
    """
    run = log.run()
    like_from = float(run["like_from"])
    shown = sum(float(arm.totals.columns["shown"].sum()) for arm in outcomes.arms)
    every = max(1, int(-(-shown // most)))
    agents = len(range(0, len(outcomes.personas), every))
    together = isinstance(outcomes.design, InterleavingDesign)
    logged = log.logged_arms()[:2] if together else log.visited_arms()
    arms: Sequence[ArmOutcomes] = outcomes.arms * 2 if together else outcomes.arms
    rows = log.steps_by_page(every, like_from)
    told = bool(rows.known.sum()) and bool((rows.told == rows.known).all())
    steps = steps_of(run["config"], log.logged_actions(), like_from, told)
    kinds = kinds_of(steps, money=outcomes.baseline.metrics[primary].money)
    if kinds:
        key = ["arm_id", "agent_id", "page", "whole"]
        rows = rows.merge(log.deeds_by_page(every, kinds), on=key, how="left").fillna(0)
    slots = log.steps_by_slot(PARTS, every)
    width = int(slots.slot.max()) + 1 if len(slots) else 1
    first = min(log.agent_ids(), default=0)
    sides = tuple(
        Side(
            name=about.name,
            bound=about.sees_hidden_preference,
            identical=arm.identical and not together,
            sessions=arm.totals.columns["whole_sessions"][::every],
            values=arm.totals.values(arm.metrics[primary])[::every],
            whole=_page_counts(rows[(rows.arm_id == about.arm_id) & (rows.whole == 1)], first, every),
            known=_page_counts(rows[(rows.arm_id == about.arm_id) & (rows.known > 0)], first, every),
            slots={
                "whole": _slot_counts(slots[(slots.arm_id == about.arm_id) & (slots.whole == 1)], width),
                "known": _slot_counts(slots[slots.arm_id == about.arm_id], width),
            },
        )
        for about, arm in zip(logged, arms, strict=True)
    )
    taken = np.zeros(len(outcomes.personas), dtype=np.bool_)
    taken[::every] = True
    estimator = outcomes.estimator if every == 1 else outcomes.estimator.among(taken)
    return StepCounts(sides, tuple(about.arm_id for about in logged), tuple(steps), estimator, every, agents, together)


def _page_counts(rows: pd.DataFrame, first: int, every: int) -> PageCounts:
    names = [str(name) for name in rows if name not in ("arm_id", "agent_id", "page", "whole")]
    return PageCounts(
        (rows.agent_id.to_numpy(np.int64) - first) // every,
        np.minimum(rows.page.to_numpy(np.int64), MOST_PAGES) - 1,
        {name: rows[name].to_numpy(np.float64) for name in names},
    )


def _slot_counts(rows: pd.DataFrame, width: int) -> dict[str, FloatArray]:
    place = rows.part.to_numpy(np.int64) * width + rows.slot.to_numpy(np.int64)
    return {
        name: np.bincount(place, weights=rows[name].to_numpy(np.float64), minlength=PARTS * width)
        .astype(np.float64)
        .reshape(PARTS, width)
        for name in _OF_SLOTS
    }
