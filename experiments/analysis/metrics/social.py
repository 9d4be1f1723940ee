"""Metrics of word of mouth: how much social ties tell, and how much of that is shown and opened.

Who told whom follows from what agents did and from their ties, which the log does not hold. It is counted when a run is
done (`Background.told`), where the experiment file names one of these metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundlings.experiments.analysis.metrics.background import MISSING
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.scanning import BY_DAY

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.metrics.scanning import Scanned

NO_TIES = "agents of this run have no social ties, or no metric of them was named when it ran"


def told(run: Scanned) -> pd.DataFrame | str:
    """Tellings that reached each agent, and days."""
    return _of(run, "told", "days")


def shown(run: Scanned) -> pd.DataFrame | str:
    """Tellings whose item was shown, and tellings."""
    return _of(run, "shown", "told")


def opened(run: Scanned) -> pd.DataFrame | str:
    """Tellings whose item was opened, and tellings whose item was shown with a known outcome."""
    return _of(run, "opened", "known")


def _of(run: Scanned, numerator: str, denominator: str) -> pd.DataFrame | str:
    import pandas as pd

    if run.background is None:
        return MISSING
    if run.background.told is None:
        return NO_TIES
    agents, days = run.log.agent_ids(), int(run.log.run()["config"]["simulation"]["days"])
    arms = {arm.name: arm.arm_id for arm in run.log.logged_arms()}
    assignment, parts = run.log.assignment(), []
    for name, rows in run.background.told.items():
        counts = np.zeros((len(agents), days, 5))
        counts[:, :, 4] = 1
        for agent, day, *counted in rows:
            counts[agent, day, :4] = counted
        table = pd.DataFrame(counts.reshape(-1, 5), columns=["told", "shown", "known", "opened", "days"])
        table = table.assign(arm_id=arms[name], agent_id=np.repeat(agents, days))
        table = table.assign(day=np.tile(np.arange(days), len(agents)))
        if assignment is not None:  # who lives in another arm hears there
            table = table[np.repeat(assignment.homes == assignment.arms.index(name), days)]
        parts.append(table.assign(numerator=table[numerator], denominator=table[denominator]))
    return pd.concat(parts, ignore_index=True)[[*BY_DAY, "numerator", "denominator"]]


TOLD: tuple[Metric, ...] = (
    Metric(
        name="told_per_day",
        label="Told by ties",
        definition="Tellings that reach an agent, divided by days: a social tie told of an item because it liked it, or"
        " told of it in words; one for each tie, item and day.",
        unit="tellings per day",
        denominator="day",
        decimals=2,
        higher_is_better=None,
        scan=told,
    ),
    Metric(
        name="told_and_shown",
        label="Told and shown",
        definition="Tellings whose item the agent was shown while they were remembered, divided by tellings.",
        unit="share of tellings",
        denominator="telling",
        higher_is_better=None,
        scan=shown,
    ),
    Metric(
        name="told_and_opened",
        label="Told and opened",
        definition="Tellings whose item the agent opened the first time that it was shown while they were remembered,"
        " divided by tellings whose item was shown with a known outcome. Agents open much of it untold:"
        " `groundlings word-of-mouth` holds it against the same world without ties.",
        unit="share of tellings shown",
        denominator="telling whose item was shown with a known outcome",
        higher_is_better=None,
        scan=opened,
    ),
)
"""Measured where the experiment file names them."""
