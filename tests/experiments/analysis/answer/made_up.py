"""Outcomes whose truth is known, and their answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.compare import mean_interval
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes, by_name
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.analysis.metrics.summary import ArmSummary, Summary
from groundlings.experiments.analysis.metrics.totals import TOTALS, Totals
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.experiments.config.schema import PlanConfig

N, DAYS = 80, 2
PLAN = PlanConfig(primary="likes_per_session", smallest_effect=0.05)


def totals(likes, satisfaction=6.0, days=1):
    """Totals of people who came each day, saw ten items a session and rated all they opened."""
    n = len(likes)
    columns = {name: np.zeros(n) for name in TOTALS}
    columns |= {
        "sessions": np.full(n, float(days)), "asked": np.full(n, float(days)), "pages": np.full(n, float(days)),
        "shown": np.full(n, 10.0 * days), "known": np.full(n, 10.0 * days), "likes": likes, "clicks": likes + days,
        "ratings": likes + days, "stars": 3 * (likes + days), "satisfaction": np.full(n, satisfaction * days),
        "whole_sessions": np.full(n, float(days)), "whole_likes": likes, "begun_sessions": np.full(n, float(days)),
        "begun_pages": np.full(n, float(days)),
    }  # fmt: skip
    return Totals(pd.DataFrame({**columns, "agent_id": np.arange(n)}), pd.Index(range(n)))


def arm(name, likes, days=None, policy=None, satisfaction=6.0, **changes):
    """An arm in which agents like so much in all days together; `days` says how it is spread over them."""
    parts = np.full(DAYS, 1 / DAYS) if days is None else np.asarray(days)
    everybody = np.ones(len(likes), dtype=bool)
    fields = {
        "name": name, "policy": policy or name, "bound": False, "totals": totals(likes, satisfaction, DAYS),
        "days": tuple(totals(part * likes, satisfaction) for part in parts), "completed": everybody,
        "assigned": everybody, "share": 1.0, "identical": False,
    }  # fmt: skip
    return ArmOutcomes(**{**fields, **changes})


def base_likes(n=N, seed=0, mean=6):
    """Likes of each agent in the baseline."""
    return np.random.default_rng(seed).poisson(mean, n).astype(float)


def shifted(base, shift, spread=1.0, seed=1):
    """The same agents with so many more likes on average."""
    noise = np.random.default_rng(seed).normal(0, spread, len(base))
    return np.maximum(base + shift + noise - noise.mean(), 0)


def run_of(*arms, plan=PLAN, estimator=None, design=None, metrics=METRICS, **facts):
    """A run of these arms, the baseline first."""
    n = len(arms[0].completed)
    run = {"run_id": "a", "experiment": "made up", "status": "done", "agents": n, "days": DAYS, "seed": 0,
           "dataset_hash": "d", "mind": {"kind": "behavioural"}, **facts}  # fmt: skip
    people = tuple({"traits": {}, "demographics": {}} for _ in range(n))
    arms = tuple(replace(each, metrics=by_name(metrics)) for each in arms)
    return Outcomes(run, plan, design or ParallelDesign(), estimator or Paired(), arms, people, metrics=metrics)


def summary_of(outcomes):
    """The figures of a run."""

    def estimates(found):
        return {metric.name: mean_interval(found.values(metric)) for metric in outcomes.metrics}

    arms = tuple(
        ArmSummary(each.name, each.name, each.bound, estimates(each.totals), tuple(map(estimates, each.days)), {}, None,
                   each.lost)
        for each in outcomes.arms
    )  # fmt: skip
    return Summary({**outcomes.run}, arms, outcomes.metrics)


def answer(outcomes, gate=None, others=(), held_out=None, question="", **more):
    """What a run answers."""
    return answer_of(compare_outcomes(outcomes, gate, others, held_out, **more), summary_of(outcomes), question)


def answer_to(*shifts, spread=1.0, plan=PLAN, n=N, mean=6, **more):
    """The answer of a run whose arms `a`, `b`, ... bring so many more likes on average than `base`."""
    base = base_likes(n, mean=mean)
    arms = [arm("base", base)]
    arms += [arm("abcdefghijkl"[place], shifted(base, shift, spread, 1 + place)) for place, shift in enumerate(shifts)]
    return answer(run_of(*arms, plan=plan), **more)
