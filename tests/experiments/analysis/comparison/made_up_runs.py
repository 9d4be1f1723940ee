"""Runs whose truth is known: a baseline, an arm that brings more likes, and a copy of the baseline."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.metrics.totals import TOTALS, Totals
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.experiments.config.schema import PlanConfig

N, DAYS = 120, 3
PLAN = PlanConfig(primary="likes_per_session", smallest_effect=0.1, guardrails={"satisfaction": 0.05})
LEVELS = ("low", "medium", "high")


def totals(likes, satisfaction=6.0, days=1):
    """Totals of people who came each day and saw ten items a session."""
    columns = {name: np.zeros(N) for name in TOTALS}
    columns |= {
        "sessions": np.full(N, float(days)), "asked": np.full(N, float(days)), "pages": np.full(N, float(days)),
        "shown": np.full(N, 10.0 * days), "known": np.full(N, 10.0 * days), "likes": likes, "clicks": likes + days,
        "ratings": likes + days, "stars": 3 * (likes + days), "satisfaction": np.full(N, satisfaction * days),
        "whole_sessions": np.full(N, float(days)), "whole_likes": likes, "begun_sessions": np.full(N, float(days)),
        "begun_pages": np.full(N, float(days)),
    }  # fmt: skip
    frame = pd.DataFrame({**columns, "agent_id": np.arange(N)})
    return Totals(frame, pd.Index(range(N)))


def arm(name, policy, likes, satisfaction=6.0, completed=None, identical=False):
    days = tuple(totals(likes / DAYS, satisfaction) for _ in range(DAYS))
    done = np.ones(N, dtype=bool) if completed is None else completed
    everybody = np.ones(N, dtype=bool)
    return ArmOutcomes(name, policy, False, totals(likes, satisfaction, DAYS), days, done, everybody, 1.0, identical)


def outcomes(shift=1.0, plan=PLAN, twin=True, seed=0, run_id="a", **changed):
    """A baseline, an arm that brings `shift` more likes on average, and a copy of the baseline."""
    rng = np.random.default_rng(seed)
    base = rng.poisson(6, N).astype(float)
    better = np.maximum(base + rng.normal(shift, 1.0, N), 0)
    arms = [arm("base", "popular", base), arm("new", "ease", better, **changed)]
    if twin:
        arms.append(arm("base again", "popular", base))
    personas = tuple(
        {"traits": {"activity": {"level": LEVELS[n % 3]}}, "demographics": {"gender": "FM"[n % 2], "zip": str(n)}}
        for n in range(N)
    )
    run = {"run_id": run_id, "experiment": "made up", "status": "done", "agents": N, "days": DAYS, "seed": seed,
           "dataset_hash": "d", "mind": {"kind": "behavioural"}}  # fmt: skip
    return Outcomes(run, plan, ParallelDesign(), Paired(), tuple(arms), personas)
