"""A control variate for outcomes: clicks less expected clicks, known wherever a mind states P(click).

A mind that states P(click) of each slot, and whose click is then drawn by the platform, logs the expected and the
realised number of clicks. Given everything before a slot, their difference has mean zero whatever was shown, so its sum
over an agent's sessions has mean zero, too. It is correlated with the outcomes, so subtracting its regression leaves
their mean and reduces their variance (Lavenberg and Welch 1981, "A perspective on the use of control variables to
increase the efficiency of Monte Carlo simulations", Management Science 27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

AGENTS_A_CONTROL = 40
"""One control per so many agents, the first being the difference itself: few agents do not determine many slopes."""


def read_click_surplus(log: LogReader) -> pd.DataFrame:
    """Clicks less expected clicks per agent and arm, columns arm_id, agent_id, surplus.

    Raises:
        RunDirectoryError: A mind did not say how likely a click was.
    """
    found = log.click_surplus()
    if (found.stated < found.known).any():
        raise RunDirectoryError(
            "plan.take_out_luck: the log holds clicks without p_click, so the expected number of clicks is not known; "
            "take the key out of the plan, or let a mind decide that states its chances"
        )
    return found[["arm_id", "agent_id", "surplus"]]


def controls(surplus: FloatArray, before: FloatArray | None) -> FloatArray:
    """Control variates: clicks less expected clicks, and products with covariates, shape (n_agents, n_controls).

    A click of somebody who hands out five stars is worth more than one of somebody who does not. Products of the
    surplus with what was settled beforehand have mean zero as well.

    Args:
        surplus: Clicks less expected clicks per session, shape (n_agents,), NaN for agents who never came.
        before: As `estimators.known_before` gives it.
    """
    ones = np.ones((len(surplus), 1))
    return surplus[:, None] * (ones if before is None else np.column_stack([ones, before]))


def adjusted_by_controls(outcome: FloatArray, controlled: FloatArray) -> FloatArray:
    """Outcomes adjusted by the control variates, NaN where there is no outcome.

    The slopes are fitted over agents, which biases the mean by an amount of the order 1 / n_agents.

    Args:
        outcome: One value per agent, shape (n_agents,), NaN where there is none.
        controlled: As `controls` gives it; every column has the true mean zero.
    """
    here = ~np.isnan(outcome) & ~np.isnan(controlled).any(axis=1)
    columns = slice(0, int(here.sum()) // AGENTS_A_CONTROL)
    known = controlled[here, columns]
    if not known.size:
        return outcome
    slopes = np.linalg.lstsq(known - known.mean(axis=0), outcome[here] - outcome[here].mean(), rcond=None)[0]
    return outcome - np.where(here, np.nan_to_num(controlled[:, columns]) @ slopes, 0.0)
