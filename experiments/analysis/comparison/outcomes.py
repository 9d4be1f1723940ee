"""What the comparison needs of a log: every agent's totals in every arm and day, who got to the end, who they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.analysis.comparison.control_variate import (
    adjusted_by_controls,
    controls,
    read_click_surplus,
)
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of, known_before
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas, Personas
from groundlings.experiments.analysis.comparison.preference import Preference, read_preference
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.analysis.metrics.lost import (
    LostPages,
    altogether,
    limit_of,
    read_lost,
)
from groundlings.experiments.analysis.metrics.lost_lessons import Lessons, read_lessons
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.analysis.metrics.totals import RunTotals, Totals
from groundlings.experiments.archive.log_check import LogCheck
from groundlings.experiments.config.designs import (
    InterleavingDesign,
    ParallelDesign,
    SplitDesign,
    assigned_arms,
    design_of,
    shares_of,
)
from groundlings.experiments.config.interventions import in_words
from groundlings.experiments.config.returning import arms_change_sessions
from groundlings.experiments.config.schema import PlanConfig
from groundlings.simulator.assignment import Assignment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.lost_pages import MAX_UNREADABLE

if TYPE_CHECKING:
    import pandas as pd

_FACTS = (
    "run_id", "experiment", "status", "seed", "dataset", "dataset_hash", "mind", "like_from", "identity",
    "accepted_changes",
)  # fmt: skip
"""What a comparison tells of a run: columns of `runs`."""


@dataclass(frozen=True, slots=True)
class ArmOutcomes:
    """One arm, agents in the order of the log.

    Attributes:
        name: As in the YAML.
        policy: Recommender, options and what changes on the way: arms with the same one are an A/A pair.
        bound: Whether it ranks by hidden preference.
        totals: Of all days.
        days: Of each day.
        completed: Whether no session of the agent was cut short by a lost page or an empty list, shape (n_agents,).
        assigned: Whether the agent was to live in this arm, shape (n_agents,).
        share: Of the people, as planned.
        identical: Whether every session was exactly as in the first arm, slot by slot; of lost pages that is not known.
        control_variates: What the plan takes out of them (`controls`), shape (n_agents, n_controls); None: nothing.
        metrics: Those of the experiment, by name.
        lost: The pages of which nothing is known, and why.
        lessons: What its recommender asked in order to learn, and what of it is lost; None where it asked nothing.
        purchases: How many, how many with a known price, and how many with a known cost; None where no metric is money.
        caps: Metric -> what larger values of agents are set to (`PlanConfig.winsorise`).
    """

    name: str
    policy: str
    bound: bool
    totals: Totals
    days: tuple[Totals, ...]
    completed: BoolArray
    assigned: BoolArray
    share: float
    identical: bool
    control_variates: FloatArray | None = None
    metrics: Mapping[str, Metric] = field(default_factory=lambda: by_name(METRICS))
    lost: LostPages = field(default_factory=LostPages)
    lessons: Lessons | None = None
    purchases: tuple[int, int, int] | None = None
    caps: Mapping[str, float] = field(default_factory=dict)

    def values(self, metric: str) -> FloatArray:
        """One value per agent, shape (n_agents,), NaN where there is none."""
        found = self.counted(metric)
        return found if self.control_variates is None else adjusted_by_controls(found, self.control_variates)

    def counted(self, metric: str) -> FloatArray:
        """As `values`, before control variates are taken out: what an arm's own mean is of."""
        found = self.totals.values(self.metrics[metric])
        return np.minimum(found, self.caps[metric]) if metric in self.caps else found

    def parts(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """Numerator and denominator of the metric's pooled ratio, shape (n_agents,) each."""
        numerator, denominator = self.metrics[metric].totals
        return self.totals.columns[numerator], self.totals.columns[denominator]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One run.

    Attributes:
        run: Its row of `runs`, with "mind" parsed.
        plan: What was declared before it ran; None where nothing was.
        design: How arms met people.
        estimator: How two arms of this design are compared.
        arms: In the order of the YAML, the baseline first.
        personas: What is known of each agent, in the order of the log.
        preference: What interleaved lists tell; None in any other design.
        metrics: Those of the experiment, in the order of its file.
        max_unreadable: The share of lost pages that the run allowed.
        changes: What became of the log since it was written; None where nobody looked.
        arms_change_sessions: Whether what an arm shows decides on who comes when.
        assignment: Who lives in which arm, if ties may join agents of different arms.
    """

    run: Mapping[str, Any]
    plan: PlanConfig | None
    design: ParallelDesign | SplitDesign | InterleavingDesign
    estimator: Estimator
    arms: tuple[ArmOutcomes, ...]
    personas: Personas
    preference: Preference | None = None
    metrics: tuple[Metric, ...] = METRICS
    max_unreadable: float = MAX_UNREADABLE
    changes: LogCheck | None = None
    arms_change_sessions: bool = False
    assignment: Assignment | None = None

    @property
    def baseline(self) -> ArmOutcomes:
        """The arm that others are compared to."""
        return self.arms[0]

    @property
    def lost(self) -> LostPages:
        """The lost pages of all arms."""
        return altogether([arm.lost for arm in self.arms])


def by_name(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Name -> metric, in order."""
    return {metric.name: metric for metric in metrics}


def read_outcomes(
    log: LogReader, metrics: Sequence[Metric] | None = None, measured: RunTotals | None = None
) -> Outcomes:
    """The outcomes of a run, also of one that was interrupted.

    Args:
        log: The run's.
        metrics: What is measured; what the run's experiment file names if absent.
        measured: The totals of the run where they were read before, with their metrics in place of `metrics`.

    Raises:
        RunDirectoryError: The log holds no run, or more than one.
        ConfigError: A metric of the file cannot be imported any more, or does not fit what is in the log.
    """
    row = log.run()
    run, config = {name: row[name] for name in _FACTS}, row["config"]
    changes = log.logged_interventions()
    if asked := in_words([each for each in changes if each.origin == "live"]):
        run["changed_while_it_ran"] = asked
    swaps = [each for each in sorted(changes, key=lambda each: -each.day) if each.kind == "recommender"]
    if swaps:
        run["other_recommender_from_day"] = {each.arm: each.day + 1 for each in swaps}  # the first of each arm
    declared, design = config.get("plan"), design_of(config)
    if measured is None:
        wanted = metrics_of(config, actions=log.action_names()) if metrics is None else metrics
        measured = RunTotals(log, float(run["like_from"]), wanted)
    wanted = measured.metrics
    agents, named = measured.agents, by_name(wanted)
    cut_short = log.agents_cut_short()
    found = log.logged_arms()
    histories = {arm["name"]: arm.get("history", "all") for arm in config.get("arms", ())}
    preference = None
    if isinstance(design, InterleavingDesign):
        first, second, *_ = found
        found = found[2:]  # nobody has a session in the two alone
        preference = read_preference(log, (first.name, second.name))
    names, user_ids = [arm.name for arm in found], log.user_ids()
    personas = LoggedPersonas(log).columns()
    shares, homes, assignment = (1.0,) * len(found), None, log.assignment()
    if isinstance(design, SplitDesign):
        shares = shares_of(design, names)
        homes = assigned_arms(int(run["seed"]), user_ids, shares) if assignment is None else assignment.homes
    surplus = read_click_surplus(log) if declared and declared.get("take_out_luck") else None
    before = known_before(personas)
    bought = log.purchases_known() if any(metric.money for metric in wanted) else None
    missing = read_lost(log, [arm.arm_id for arm in found], run["mind"])
    lessons = read_lessons(log, config)
    arms: list[ArmOutcomes] = []
    for place, arm in enumerate(found):
        lost = cut_short.agent_id[cut_short.arm_id == arm.arm_id]
        policy: list[Any] = [arm.recommender, arm.options, histories.get(arm.name, "all")]
        policy += [[each.day, each.kind, each.detail] for each in changes if each.arm == arm.name]
        totals, days = measured.of(arm.arm_id), measured.by_day(arm.arm_id)
        known = not (arms and arms[0].lost.lost) and not missing[arm.arm_id].lost
        same = bool(arms) and known and _same(days, arms[0].days) and log.same_slots(found[0].arm_id, arm.arm_id)
        arms.append(
            ArmOutcomes(
                name=arm.name,
                policy=json.dumps(policy, sort_keys=True),
                bound=arm.sees_hidden_preference,
                totals=totals,
                days=days,
                completed=np.asarray(~agents.isin(lost)),
                assigned=np.ones(len(agents), dtype=np.bool_) if homes is None else homes == place,
                share=shares[place],
                identical=same,
                control_variates=None
                if surplus is None
                else controls(_a_session(surplus[surplus.arm_id == arm.arm_id], totals, agents), before),
                metrics=named,
                lost=missing[arm.arm_id],
                lessons=lessons.get(arm.arm_id),
                purchases=None if bought is None else bought.get(arm.arm_id, (0, 0, 0)),
            )
        )
    plan = None if declared is None else PlanConfig.model_validate(declared)
    caps = {} if plan is None else _caps(plan, arms)
    return Outcomes(
        run={**run, "agents": len(agents), "came": measured.came, "days": measured.n_days},
        plan=plan,
        design=design,
        estimator=estimator_of(design, int(run["seed"]), names, user_ids, personas, assignment),
        arms=tuple(replace(arm, caps=caps) for arm in arms) if caps else tuple(arms),
        personas=personas,
        preference=preference,
        metrics=wanted,
        max_unreadable=limit_of(config),
        arms_change_sessions=arms_change_sessions(config),
        assignment=assignment,
    )


def _caps(plan: PlanConfig, arms: Sequence[ArmOutcomes]) -> dict[str, float]:
    """Metric -> the quantile that the plan winsorises at, of all arms' agents together."""
    found = {}
    for name, quantile in (plan.winsorise or {}).items():
        if name not in arms[0].metrics:
            continue
        values = np.concatenate([arm.totals.values(arm.metrics[name]) for arm in arms])
        known = values[~np.isnan(values)]
        if len(known):
            found[name] = float(np.quantile(known, quantile))
    return found


def _a_session(surplus: pd.DataFrame, totals: Totals, agents: pd.Index[int]) -> FloatArray:
    """Of one arm: clicks less expected clicks per session, shape (n_agents,), NaN for those who never came."""
    total = surplus.set_index("agent_id").surplus.reindex(agents, fill_value=0.0).to_numpy(np.float64)
    sessions = totals.columns["sessions"]
    return np.divide(total, sessions, out=np.full(len(total), np.nan), where=sessions > 0)


def _same(first: Sequence[Totals], second: Sequence[Totals]) -> bool:
    """Whether all totals of all agents are equal, day by day."""
    return all(
        np.array_equal(one.columns[name], other.columns[name])
        for one, other in zip(first, second, strict=True)
        for name in one.columns
    )
