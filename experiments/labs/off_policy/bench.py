"""Off-policy estimators held against the truth: one arm logs, the worlds of the others say what they really got.

Only first sessions of the first day are used: there every arm begins with the same history, so that its value is one
number per user and known. Users are put into groups at random; each group is a log of its own, of which every estimator
makes a figure, and the group's truth is what the same users got in the other arm's world. Common random numbers make
the comparison exact: the same user has the same luck in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.experiments.labs.off_policy.estimators import ESTIMATORS, PerSession, estimates, slot_chances
from groundlings.experiments.labs.off_policy.logged import first_sessions, logged_lists, true_values
from groundlings.recommenders.base import AsyncRecommender, Recommender

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.running.plan import Plan

OWN_WORLD = "own_world"
"""The clicks of the policy's own world: what an online test with as many users would have said."""


@dataclass(frozen=True, slots=True)
class EstimatorError:
    """How far an estimator was from the truth for one policy.

    Attributes:
        policy: The arm that is asked about.
        estimator: See `groundlings.experiments.labs.off_policy.estimators`, or `own_world`.
        truth: Expected clicks per session in the policy's own world, all users together.
        estimate: From the log of all users.
        bias: Mean error over groups, and `bias_error` its standard error.
        rmse: Root of the mean squared error over groups.
        groups: Groups that have a figure.
    """

    policy: str
    estimator: str
    truth: float
    estimate: float
    bias: float
    bias_error: float
    rmse: float
    groups: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        logging: The arm that logged.
        users, per_group: How many there are, and in a group at most.
        rows: Per policy and estimator.
        effective: Policy -> how many sessions its estimate by whole weights really rests on (Kish).
        left_out: Arm -> why nothing is said of it.
        unknown: Users who are left out, because an outcome of their first session is not known in some arm.
    """

    logging: str
    users: int
    per_group: int
    rows: tuple[EstimatorError, ...]
    effective: Mapping[str, float]
    left_out: Mapping[str, str]
    unknown: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, None where there is no figure."""
        rows = [
            {name: None if isinstance(value, float) and isnan(value) else value for name, value in asdict(row).items()}
            for row in self.rows
        ]
        return {**asdict(self), "rows": rows}

    def frame(self) -> pd.DataFrame:
        """One row per policy and estimator."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def ranking(self) -> list[tuple[str, float, int]]:
        """Estimators with their mean RMSE as a share of the truth, and of how many policies; the best first.

        One that gives no figure of a policy stands behind those that do: its mean is of easier ones, perhaps. It is
        infinite where there is none at all.
        """
        shares: dict[str, list[float]] = {}
        for row in self.rows:
            shares.setdefault(row.estimator, []).append(row.rmse / row.truth if row.truth else float("nan"))
        known = {name: [share for share in found if np.isfinite(share)] for name, found in shares.items()}
        means = [(name, float(np.mean(found)) if found else float("inf"), len(found)) for name, found in known.items()]
        return sorted(means, key=lambda each: (-each[2], each[1]))


def try_estimators(directory: Path, logging: str | None = None, groups: int = 20) -> Findings:
    """Hold every estimator against the worlds of a finished run.

    Args:
        directory: The run's. Arms are compared in parallel worlds (`design: parallel`).
        logging: The arm whose log is used; the first one that draws lots if absent.
        groups: Logs that the users are split into.

    Raises:
        ConfigError: No arm can serve as log, or arms are no parallel worlds.
        RunDirectoryError: There is no run, it has not ended, or it cannot be measured as it ran.
    """
    from groundlings.experiments.running.as_it_ran import ended_log, plan_as_it_ran

    with ended_log(directory) as log:
        impressions, unknown = first_sessions(log)
    plan = plan_as_it_ran(directory)
    if plan.config.design.kind != "parallel":
        raise ConfigError(f"design: found {plan.config.design.kind}; expected parallel, where every arm has every user")
    recommenders, left_out = _fitted(plan)
    logging = _logging(recommenders, logging)
    logged = logged_lists(plan, impressions, logging)
    if len(logged) < 2:
        raise ConfigError(
            f"arm {logging}: found one user on the first day; expected two or more, to be put into groups"
        )
    if not 2 <= groups <= len(logged):
        raise ConfigError(f"groups: found {groups}; expected 2 to {len(logged)}, the users who came (--groups)")
    chance = np.random.default_rng(plan.config.seed)
    group = chance.permutation(len(logged)) % groups
    try:
        marginals = slot_chances(logged, recommenders[logging])
    except (ConfigError, TypeError) as fault:
        raise ConfigError(f"arm {logging}, which logs: {_unknown(fault)}") from None
    halves = chance.permutation(len(logged)) % 2 == 0
    rows: list[EstimatorError] = []
    effective: dict[str, float] = {}
    for name, recommender in recommenders.items():
        if name == logging:
            continue
        try:
            found = dict(estimates(logged, recommender, marginals, halves))
        except (ConfigError, TypeError) as fault:
            left_out[name] = _unknown(fault)
            continue
        expected, clicks = true_values(plan, impressions, name, logged.users)
        found[OWN_WORLD] = PerSession(clicks, np.ones(len(clicks)))
        weights = found["snips"].denominator
        effective[name] = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
        rows += [_error(name, each, found[each], expected, group) for each in (*ESTIMATORS, OWN_WORLD) if each in found]
    if not rows:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ConfigError(f"no arm beside {logging} has chances that are known: {told}")
    return Findings(logging, len(logged), -(-len(logged) // groups), tuple(rows), effective, left_out, unknown)


def _unknown(fault: ConfigError | TypeError) -> str:
    """Why the chances of an arm's lists are not known; a recommender that takes its time names a class, and no arm."""
    return "a recommender inside of it has to be waited for" if isinstance(fault, TypeError) else str(fault)


def _error(policy: str, name: str, found: PerSession, expected: FloatArray, group: IntArray) -> EstimatorError:
    everybody = np.ones(len(group), dtype=np.bool_)
    each = np.array([found.of(group == g) - expected[group == g].mean() for g in range(int(group.max()) + 1)])
    known = each[~np.isnan(each)]
    nothing = float("nan")
    return EstimatorError(
        policy=policy,
        estimator=name,
        truth=float(expected.mean()),
        estimate=found.of(everybody),
        bias=float(known.mean()) if len(known) else nothing,
        bias_error=float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else nothing,
        rmse=float(np.sqrt((known**2).mean())) if len(known) else nothing,
        groups=len(known),
    )


def _fitted(plan: Plan) -> tuple[dict[str, Recommender], dict[str, str]]:
    """The recommenders of all arms as they are on the first day, and why some are left out."""
    found: dict[str, Recommender] = {}
    left_out: dict[str, str] = {}
    for arm in plan.config.arms:
        recommender: AsyncRecommender = plan.recommender(arm)
        if not isinstance(recommender, Recommender):
            left_out[arm.name] = "it has to be waited for"
        elif arm.history == "none":
            left_out[arm.name] = "it begins without a history"
        else:
            recommender.fit(plan.split.train, plan.dataset.catalog)
            found[arm.name] = recommender
    return found, left_out


def _logging(recommenders: Mapping[str, Recommender], named: str | None) -> str:
    if named is None:
        named = next((name for name, each in recommenders.items() if each.randomised), None)
        if named is None:
            raise ConfigError(
                "no arm draws its lists by chance, so nothing can be said of other lists; add one with epsilon_slots "
                "or plackett_luce"
            )
    if named not in recommenders:
        raise ConfigError(f"arm {named}: found no such arm that can log; expected one of {', '.join(recommenders)}")
    return named
