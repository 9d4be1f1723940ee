"""What the comparison needs of a log: every agent's totals in every arm and day, who got to the end, who they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from environments.arrays import BoolArray, FloatArray
from environments.errors import RunDirectoryError
from experiments.config import PlanConfig
from experiments.metrics.definitions import BY_NAME
from experiments.metrics.totals import Totals, session_totals
from simulator.session import EndedBy

if TYPE_CHECKING:
    from sqlalchemy import Engine

_RUN = "SELECT run_id, experiment, status, seed, config, dataset, dataset_hash, mind, like_from FROM runs"
_ARMS = "SELECT arm_id, name, recommender, options, sees_hidden_preference FROM arms ORDER BY position"
_CUT_SHORT = f"""
SELECT DISTINCT arm_id, agent_id FROM sessions
WHERE ended_by IN ('{EndedBy.UNREADABLE}', '{EndedBy.NOTHING_SHOWN}')
"""


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
    """

    name: str
    policy: str
    bound: bool
    totals: Totals
    days: tuple[Totals, ...]
    completed: BoolArray

    def values(self, metric: str) -> FloatArray:
        """One value an agent, shape (n_agents,), NaN where there is none."""
        return self.totals.values(BY_NAME[metric])

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
        arms: In the order of the YAML, the baseline first.
        personas: What is known of each agent, in the order of the log.
    """

    run: Mapping[str, Any]
    plan: PlanConfig | None
    arms: tuple[ArmOutcomes, ...]
    personas: tuple[Mapping[str, Any], ...]

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
    declared = json.loads(run.pop("config")).get("plan")
    people = pd.read_sql_query("SELECT agent_id, persona FROM agents ORDER BY agent_id", engine)
    agents = pd.Index(people.agent_id)
    sessions = session_totals(engine, float(run["like_from"]))
    cut_short = pd.read_sql_query(_CUT_SHORT, engine)
    n_days = int(sessions.day.max()) + 1 if len(sessions) else 0
    arms = []
    for arm in pd.read_sql_query(_ARMS, engine).to_dict("records"):
        rows = sessions[sessions.arm_id == arm["arm_id"]]
        lost = cut_short.agent_id[cut_short.arm_id == arm["arm_id"]]
        arms.append(
            ArmOutcomes(
                name=str(arm["name"]),
                policy=json.dumps([arm["recommender"], json.loads(arm["options"])], sort_keys=True),
                bound=bool(arm["sees_hidden_preference"]),
                totals=Totals(rows, agents),
                days=tuple(Totals(rows[rows.day == day], agents) for day in range(n_days)),
                completed=np.asarray(~agents.isin(lost)),
            )
        )
    return Outcomes(
        run={**run, "mind": json.loads(run["mind"]), "agents": len(agents), "days": n_days},
        plan=None if declared is None else PlanConfig.model_validate(declared),
        arms=tuple(arms),
        personas=tuple(json.loads(persona) for persona in people.persona),
    )
