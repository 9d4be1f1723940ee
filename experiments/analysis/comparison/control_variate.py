"""The luck of opening, taken out of outcomes: a control variate that every simulation with stated chances has for free.

A mind that states P(open) of each slot, and whose click is then drawn by the platform, leaves in the log what was due
and what came. The difference (opened - expected) is luck and nothing else: given everything before a slot its mean is
zero, whatever was shown, so its sum over an agent's visits has mean zero, too. Outcomes rise and fall with it. What is
left after that is taken out has the same mean and a smaller variance (Lavenberg and Welch 1981, "A perspective on the
use of control variables to increase the efficiency of Monte Carlo simulations", Management Science 27).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.reader import LogReader

AGENTS_A_CONTROL = 40
"""For so many agents one control is taken out, the first being luck itself: few agents cannot tell many slopes."""


def read_luck(log: LogReader) -> pd.DataFrame:
    """Opened minus expected of each agent in each arm: arm_id, agent_id, luck.

    Raises:
        RunDirectoryError: A mind did not say how likely a click was.
    """
    found = log.click_surplus().rename(columns={"surplus": "luck"})
    if (found.stated < found.known).any():
        raise RunDirectoryError(
            "plan.take_out_luck: the log holds clicks without p_click, so nobody knows which of them were luck; take "
            "the key out of the plan, or let a mind decide that states its chances"
        )
    return found[["arm_id", "agent_id", "luck"]]


def controls(luck: FloatArray, before: FloatArray | None) -> FloatArray:
    """What is taken out: luck, and luck times all that was known of the agent before, shape (n_agents, n_controls).

    A click of somebody who hands out five stars is worth more than one of somebody who does not. Products of luck with
    what was settled beforehand have mean zero as well.

    Args:
        luck: Opened minus expected a session, shape (n_agents,), NaN for agents who never came.
        before: As `estimators.known_before` gives it.
    """
    ones = np.ones((len(luck), 1))
    return luck[:, None] * (ones if before is None else np.column_stack([ones, before]))


def without_luck(outcome: FloatArray, controlled: FloatArray) -> FloatArray:
    """Outcomes less what luck made of them, NaN where there is no outcome.

    The slopes are fitted over agents, which biases the mean by an amount of the order 1 / n_agents.

    Args:
        outcome: One value an agent, shape (n_agents,), NaN where there is none.
        controlled: As `controls` gives it; every column has the true mean zero.
    """
    here = ~np.isnan(outcome) & ~np.isnan(controlled).any(axis=1)
    columns = slice(0, int(here.sum()) // AGENTS_A_CONTROL)
    known = controlled[here, columns]
    if not known.size:
        return outcome
    slopes = np.linalg.lstsq(known - known.mean(axis=0), outcome[here] - outcome[here].mean(), rcond=None)[0]
    return outcome - np.where(here, np.nan_to_num(controlled[:, columns]) @ slopes, 0.0)
