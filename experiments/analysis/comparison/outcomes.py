"""What the comparison needs of a log: every agent's totals in every arm and day, who got to the end, who they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
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
from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts, read_lost_afterthoughts
from groundlings.experiments.analysis.metrics.lost_lessons import Lessons, read_lessons
from groundlings.experiments.analysis.metrics.lost_replies import LostReplies, read_lost_replies
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.analysis.metrics.totals import RunTotals, Totals
from groundlings.experiments.archive.log_check import LogCheck
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.designs import (
    InterleavingDesign,
    ParallelDesign,
    SplitDesign,
    assigned_arms,
    design_of,
    shares_of,
)
from groundlings.experiments.config.returning import arms_change_sessions
from groundlings.simulator.assignment import Assignment
from groundlings.simulator.interventions import Intervention, in_words
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reading.participants import LoggedArm
from groundlings.simulator.log.reply_forms import builds_by_arm
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
        afterthoughts: What is lost of what its agents were asked after sessions; None where nothing is.
        lessons: What its recommender asked in order to learn, and what of it is lost; None where it asked nothing.
        lost_replies: What is lost of the replies to its recommender about lists; None where nothing is.
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
    afterthoughts: LostAfterthoughts | None = None
    lessons: Lessons | None = None
    lost_replies: LostReplies | None = None
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
        builds: Arm -> fingerprint of the model that answered its agents -> calls; empty where none is known.
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
    builds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
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
    config, declared = row["config"], row["config"].get("plan")
    changes = log.logged_interventions()
    if measured is None:
        wanted = metrics_of(config, actions=log.action_names()) if metrics is None else metrics
        measured = RunTotals(log, float(row["like_from"]), wanted)
    design, found, preference = design_of(config), log.logged_arms(), None
    if isinstance(design, InterleavingDesign):
        preference = read_preference(log, (found[0].name, found[1].name))
        found = found[2:]  # nobody has a session in the two alone
    names, user_ids, assignment = [arm.name for arm in found], log.user_ids(), log.assignment()
    personas = LoggedPersonas(log).columns()
    homes = _homes(design, names, int(row["seed"]), user_ids, assignment)
    surplus = read_click_surplus(log) if declared and declared.get("take_out_luck") else None
    arms = _Arms(log, measured, config, changes, found, homes, surplus, known_before(personas)).outcomes()
    plan = None if declared is None else PlanConfig.model_validate(declared)
    caps = {} if plan is None else _caps(plan, arms)
    counts = {"agents": len(measured.agents), "came": measured.came, "days": measured.n_days}
    return Outcomes(
        run={**{name: row[name] for name in _FACTS}, **_changed_by_hand(changes), **_contradicted(measured), **counts},
        plan=plan,
        design=design,
        estimator=estimator_of(design, int(row["seed"]), names, user_ids, personas, assignment),
        arms=tuple(replace(arm, caps=caps) for arm in arms) if caps else arms,
        personas=personas,
        preference=preference,
        metrics=measured.metrics,
        max_unreadable=limit_of(config),
        builds=builds_by_arm(log) if row["model_fingerprint"] else {},
        arms_change_sessions=arms_change_sessions(config),
        assignment=assignment,
    )


def _changed_by_hand(changes: Sequence[Intervention]) -> dict[str, Any]:
    """What interventions add to the facts of a run."""
    facts: dict[str, Any] = {}
    if asked := in_words([each for each in changes if each.origin == "live"]):
        facts["changed_while_it_ran"] = asked
    swaps = [each for each in sorted(changes, key=lambda each: -each.day) if each.kind == "recommender"]
    if swaps:
        facts["other_recommender_from_day"] = {each.arm: each.day + 1 for each in swaps}  # the first of each arm
    return facts


def _contradicted(measured: RunTotals) -> dict[str, Any]:
    """What a plan that contradicts its metrics adds to the facts of a run."""
    return {"contradicted_metrics": list(measured.contradicted)} if measured.contradicted else {}


def _homes(
    design: ParallelDesign | SplitDesign | InterleavingDesign,
    arms: Sequence[str],
    seed: int,
    user_ids: Sequence[str],
    assignment: Assignment | None,
) -> tuple[IntArray | None, tuple[float, ...]]:
    """The arm that each agent is to live in, shape (n_agents,), and the share of each; None: in every arm."""
    if not isinstance(design, SplitDesign):
        return None, (1.0,) * len(arms)
    shares = shares_of(design, arms)
    return assigned_arms(seed, user_ids, shares) if assignment is None else assignment.homes, shares


@dataclass(frozen=True, slots=True)
class _Arms:
    """Reads the outcomes of all arms: what is asked of the log once, for all of them.

    Attributes:
        log: The run's.
        measured: Its totals.
        config: Its experiment file.
        changes: Its interventions.
        logged: The arms that people met.
        homes: As of `_homes`.
        surplus: As of `read_click_surplus`; None where luck is not taken out.
        before: As of `known_before`.
    """

    log: LogReader
    measured: RunTotals
    config: Mapping[str, Any]
    changes: Sequence[Intervention]
    logged: Sequence[LoggedArm]
    homes: tuple[IntArray | None, tuple[float, ...]]
    surplus: pd.DataFrame | None
    before: FloatArray | None

    def outcomes(self) -> tuple[ArmOutcomes, ...]:
        """Of each arm, in the order of the YAML."""
        metrics, agents = self.measured.metrics, self.measured.agents
        named, cut_short = by_name(metrics), self.log.agents_cut_short()
        missing = read_lost(self.log, [arm.arm_id for arm in self.logged], self.log.run()["mind"])
        unsaid, lessons = read_lost_afterthoughts(self.log), read_lessons(self.log, self.config)
        unread = read_lost_replies(self.log, self.config)
        bought = self.log.purchases_known() if any(metric.money for metric in metrics) else None
        homes, shares = self.homes
        arms: list[ArmOutcomes] = []
        for place, arm in enumerate(self.logged):
            totals, days = self.measured.of(arm.arm_id), self.measured.by_day(arm.arm_id)
            known = not (arms and arms[0].lost.lost) and not missing[arm.arm_id].lost
            same = bool(arms) and known and _same(days, arms[0].days)
            arms.append(
                ArmOutcomes(
                    name=arm.name,
                    policy=self._policy(arm),
                    bound=arm.sees_hidden_preference,
                    totals=totals,
                    days=days,
                    completed=np.asarray(~agents.isin(cut_short.agent_id[cut_short.arm_id == arm.arm_id])),
                    assigned=np.ones(len(agents), dtype=np.bool_) if homes is None else homes == place,
                    share=shares[place],
                    identical=same and self.log.same_slots(self.logged[0].arm_id, arm.arm_id),
                    control_variates=self._controls(arm, totals),
                    metrics=named,
                    lost=missing[arm.arm_id],
                    afterthoughts=unsaid.get(arm.arm_id),
                    lessons=lessons.get(arm.arm_id),
                    lost_replies=unread.get(arm.arm_id),
                    purchases=None if bought is None else bought.get(arm.arm_id, (0, 0, 0)),
                )
            )
        return tuple(arms)

    def _policy(self, arm: LoggedArm) -> str:
        """As of `ArmOutcomes.policy`."""
        histories = {each["name"]: each.get("history", "all") for each in self.config.get("arms", ())}
        policy: list[Any] = [arm.recommender, arm.options, histories.get(arm.name, "all")]
        policy += [[each.day, each.kind, each.detail] for each in self.changes if each.arm == arm.name]
        return json.dumps(policy, sort_keys=True)

    def _controls(self, arm: LoggedArm, totals: Totals) -> FloatArray | None:
        """As of `ArmOutcomes.control_variates`."""
        if self.surplus is None:
            return None
        ours = self.surplus[self.surplus.arm_id == arm.arm_id]
        return controls(_a_session(ours, totals, self.measured.agents), self.before)


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
