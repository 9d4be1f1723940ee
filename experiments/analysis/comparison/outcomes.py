"""What the comparison needs of a log: every agent's totals in every arm and day, who got to the end, who they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.environment import EndedBy
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.comparison.control_variate import controls, read_luck, without_luck
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of, known_before
from groundlings.experiments.analysis.comparison.preference import Preference, read_preference
from groundlings.experiments.analysis.metrics.definitions import BY_NAME
from groundlings.experiments.analysis.metrics.totals import Totals, session_totals
from groundlings.experiments.config.designs import (
    InterleavingDesign,
    ParallelDesign,
    SplitDesign,
    assigned_arms,
    design_of,
    shares_of,
)
from groundlings.experiments.config.schema import PlanConfig

if TYPE_CHECKING:
    from sqlalchemy import Engine

_RUN = "SELECT run_id, experiment, status, seed, config, dataset, dataset_hash, mind, like_from FROM runs"
_ARMS = "SELECT arm_id, name, recommender, options, sees_hidden_preference FROM arms ORDER BY position"
_CUT_SHORT = f"""
SELECT DISTINCT arm_id, agent_id FROM sessions
WHERE ended_by IN ('{EndedBy.UNREADABLE}', '{EndedBy.NOTHING_SHOWN}')
"""

_SLOTS = """
SELECT agent_id, day, rank, item_id, clicked, rating FROM impressions JOIN sessions USING (session_id)
WHERE arm_id = :{arm}
"""
_SLOTS_APART = f"{_SLOTS.format(arm='one')} EXCEPT {_SLOTS.format(arm='other')} LIMIT 1"


@dataclass(frozen=True, slots=True)
class ArmOutcomes:
    """One arm, agents in the order of the log.

    Attributes:
        name: As in the YAML.
        policy: Recommender and options: arms with the same one are an A/A pair.
        bound: Whether it ranks by hidden preference.
        totals: Of all days.
        days: Of each day.
        completed: Whether no visit of the agent was lost to an unreadable reply or an empty list, shape (n_agents,).
        assigned: Whether the agent was to live in this arm, shape (n_agents,).
        share: Of the people, as planned.
        identical: Whether every visit was exactly as in the first arm, slot by slot.
        luck: What the plan has taken out of outcomes (`luck.controls`), shape (n_agents, n_controls); None = nothing.
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
    luck: FloatArray | None = None

    def values(self, metric: str) -> FloatArray:
        """One value an agent, shape (n_agents,), NaN where there is none."""
        found = self.totals.values(BY_NAME[metric])
        return found if self.luck is None else without_luck(found, self.luck)

    def parts(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """Numerator and denominator of the metric's pooled ratio, shape (n_agents,) each."""
        definition = BY_NAME[metric]
        return self.totals.columns[definition.numerator], self.totals.columns[definition.denominator]


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
    """

    run: Mapping[str, Any]
    plan: PlanConfig | None
    design: ParallelDesign | SplitDesign | InterleavingDesign
    estimator: Estimator
    arms: tuple[ArmOutcomes, ...]
    personas: tuple[Mapping[str, Any], ...]
    preference: Preference | None = None

    @property
    def baseline(self) -> ArmOutcomes:
        """The arm that others are compared to."""
        return self.arms[0]


def read_outcomes(engine: Engine) -> Outcomes:
    """The outcomes of a run, also of one that was interrupted.

    Raises:
        RunDirectoryError: The log holds no run, or more than one.
    """
    runs = pd.read_sql_query(_RUN, engine)
    if len(runs) != 1:
        raise RunDirectoryError(f"{engine.url.database}: the log holds {len(runs)} runs; a comparison needs one")
    run = {str(name): value for name, value in runs.astype(object).iloc[0].items()}
    config = json.loads(run.pop("config"))
    declared, design = config.get("plan"), design_of(config)
    people = pd.read_sql_query("SELECT agent_id, source_user_id, persona FROM agents ORDER BY agent_id", engine)
    agents = pd.Index(people.agent_id)
    sessions = session_totals(engine, float(run["like_from"]))
    cut_short = pd.read_sql_query(_CUT_SHORT, engine)
    n_days = int(sessions.day.max()) + 1 if len(sessions) else 0
    found = pd.read_sql_query(_ARMS, engine).to_dict("records")
    histories = {arm["name"]: arm.get("history", "all") for arm in config.get("arms", ())}
    preference = None
    if isinstance(design, InterleavingDesign):
        first, second, *found = found  # nobody visits the two alone
        preference = read_preference(engine, (str(first["name"]), str(second["name"])))
    names, user_ids = [str(arm["name"]) for arm in found], people.source_user_id.tolist()
    personas = tuple(json.loads(persona) for persona in people.persona)
    shares, homes = (1.0,) * len(found), None
    if isinstance(design, SplitDesign):
        shares = shares_of(design, names)
        homes = assigned_arms(int(run["seed"]), user_ids, shares)
    luck = read_luck(engine) if declared and declared.get("take_out_luck") else None
    known = known_before(personas)
    arms: list[ArmOutcomes] = []
    for place, arm in enumerate(found):
        rows = sessions[sessions.arm_id == arm["arm_id"]]
        lost = cut_short.agent_id[cut_short.arm_id == arm["arm_id"]]
        recommender = [arm["recommender"], json.loads(arm["options"]), histories.get(arm["name"], "all")]
        totals = Totals(rows, agents)
        days = tuple(Totals(rows[rows.day == day], agents) for day in range(n_days))
        arms.append(
            ArmOutcomes(
                name=str(arm["name"]),
                policy=json.dumps(recommender, sort_keys=True),
                bound=bool(arm["sees_hidden_preference"]),
                totals=totals,
                days=days,
                completed=np.asarray(~agents.isin(lost)),
                assigned=np.ones(len(agents), dtype=np.bool_) if homes is None else homes == place,
                share=shares[place],
                identical=bool(arms) and _same(days, arms[0].days) and _same_slots(engine, found[0], arm),
                luck=None
                if luck is None
                else controls(_a_session(luck[luck.arm_id == arm["arm_id"]], totals, agents), known),
            )
        )
    return Outcomes(
        run={**run, "mind": json.loads(run["mind"]), "agents": len(agents), "days": n_days},
        plan=None if declared is None else PlanConfig.model_validate(declared),
        design=design,
        estimator=estimator_of(design, int(run["seed"]), names, user_ids, personas),
        arms=tuple(arms),
        personas=personas,
        preference=preference,
    )


def _a_session(luck: pd.DataFrame, totals: Totals, agents: pd.Index[int]) -> FloatArray:
    """Of one arm: luck a session, shape (n_agents,), NaN for those who never came."""
    total = luck.set_index("agent_id").luck.reindex(agents, fill_value=0.0).to_numpy(np.float64)
    visits = totals.columns["sessions"]
    return np.divide(total, visits, out=np.full(len(total), np.nan), where=visits > 0)


def _same(first: Sequence[Totals], second: Sequence[Totals]) -> bool:
    """Whether all totals of all agents are equal, day by day."""
    return all(
        np.array_equal(one.columns[name], other.columns[name])
        for one, other in zip(first, second, strict=True)
        for name in one.columns
    )


def _same_slots(engine: Engine, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    """Whether two arms showed the same in every slot, with the same outcome; asked only of arms whose totals agree."""
    with engine.connect() as connection:
        return not any(
            connection.execute(text(_SLOTS_APART), {"one": one["arm_id"], "other": other["arm_id"]}).first()
            for one, other in ((first, second), (second, first))
        )
