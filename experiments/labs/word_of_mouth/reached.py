"""What reached whom: how much agents were told of, how much of that they were shown, and opened, agent by agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.labs.word_of_mouth.pair import arms_in
from groundlings.experiments.labs.word_of_mouth.told import told_in

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan
    from groundlings.simulator.log.reader import LogReader

COUNTED = ["told", "shown", "known", "opened"]


def reached(told: pd.DataFrame) -> pd.DataFrame:
    """Tellings of a like, or in words, by who heard them and the day of telling.

    Args:
        told: From `told_in`.

    Returns:
        hearer, day; told (tellings: one per teller, item and day), shown (of those, whose item the hearer was shown
        while it was remembered), known (of those, whose outcome is known), opened (of those, whose item was opened the
        first time that it was shown).
    """
    good = told[told.mention != "disliked"]
    counted = good[["hearer", "day"]].assign(
        told=1,
        shown=good.shown_on.notna().astype(np.int64),
        known=good.clicked.notna().astype(np.int64),
        opened=good.clicked.astype("boolean").fillna(False).astype(np.int64),
    )
    return counted.groupby(["hearer", "day"], as_index=False)[COUNTED].sum()


def reached_shares(told: pd.DataFrame, resamples: Resamples) -> Mapping[str, FloatArray]:
    """The same as figures of all agents, shape (1 + times,) each: how much was told, shown, and opened of that.

    Args:
        told: From `told_in`.
        resamples: Of the users of the data set.
    """
    rows = reached(told)
    hearers, n_users = rows.hearer.to_numpy(dtype=np.int64), resamples.weights.shape[1]
    sums = {name: np.bincount(hearers, weights=rows[name], minlength=n_users).astype(np.float64) for name in COUNTED}
    everybody = np.ones(n_users, dtype=np.bool_)
    return {
        "tellings per agent": np.asarray(resamples.weights @ sums["told"] / resamples.weights.sum(axis=1)),
        "told and shown": resamples.ratio(sums["shown"], sums["told"], everybody),
        "told and opened": resamples.ratio(sums["opened"], sums["known"], everybody),
    }


def reached_in(plan: Plan, log: LogReader) -> Mapping[str, tuple[tuple[int, ...], ...]] | None:
    """Of each arm, one row per agent and day on which ties told it something; None where agents have no ties.

    Returns:
        Name of the arm -> (place of the agent in the log, day, told, shown, known, opened), as of `reached`.
    """
    from groundlings.personas.social.word_of_mouth import WordOfMouth

    social = getattr(plan.config.mind, "social", None)
    if social is None:
        return None
    heard = WordOfMouth(social, plan.population, plan.config.base)
    found, assignment = {}, plan.assignment
    arms = arms_in(log, plan)
    everywhere = pd.concat([arm.taken for arm in arms.values()], ignore_index=True)
    for place, (name, arm) in enumerate(arms.items()):
        if assignment is None:
            rows = reached(told_in(arm, heard))
        else:  # ties tell across arms, and each arm has the ears of its own agents
            here = plan.population.users[assignment.homes == place]
            told = told_in(replace(arm, taken=everywhere), heard)
            rows = reached(told[told.hearer.isin(here)])
        agents = np.searchsorted(plan.population.users, rows.hearer.to_numpy(dtype=np.int64))
        columns = np.column_stack([agents, rows[["day", *COUNTED]].to_numpy(dtype=np.int64)])
        found[name] = tuple(tuple(row) for row in columns.tolist())
    return found
