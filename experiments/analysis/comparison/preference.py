"""Whose picks do agents open? What interleaved lists tell: an order of two recommenders, and no size of an effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Estimate, mean_interval, within_one
from groundlings.experiments.analysis.comparison.integrity import attrition_p_value
from groundlings.experiments.analysis.comparison.ratios import ratio_estimate
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Preference:
    """One arm against the other, on the lists that both drafted.

    Attributes:
        arm, baseline: Their names; the baseline is the first arm.
        share: Share of the agents who opened more of the arm's picks than of the baseline's, with its interval; who
            opened as many of both counts as half. One half is no preference. Agents of whom no slot is known are left
            out.
        credit: Share of all opened items that the arm had picked, with its interval by the delta method.
        p_value: Of "as many agents prefer one as the other", by the sign test; of several runs by Student's t, and None
            where no share of theirs has any spread.
        prefer_arm, prefer_neither, prefer_baseline: Agents.
        shown: Share of the slots that the arm had picked: near one half, or the draft was not fair.
    """

    arm: str
    baseline: str
    share: Estimate
    credit: Estimate
    p_value: float | None
    prefer_arm: int
    prefer_neither: int
    prefer_baseline: int
    shown: float

    @property
    def clear(self) -> bool:
        """Whether a preference was found, at 5 %."""
        return self.p_value is not None and self.p_value < 1 - CONFIDENCE


def read_preference(log: LogReader, names: tuple[str, str]) -> Preference:
    """The preference in a log of interleaved lists.

    Args:
        log: The run's.
        names: Of the first arm and of the other.
    """
    import pandas as pd

    credit = log.clicks_by_team().fillna(0)
    columns = ["shown", "known", "clicks"]
    wide = credit.pivot_table(index="agent_id", columns="team", values=columns, fill_value=0.0)
    wide = wide.reindex(columns=pd.MultiIndex.from_product([columns, [0, 1]]), fill_value=0.0)
    shown = wide["shown"].to_numpy(np.float64).sum(axis=0)
    # Of whom no slot is known, no preference is known either.
    known = wide["known"].to_numpy(np.float64).sum(axis=1) > 0
    clicks = wide["clicks"].to_numpy(np.float64)[known]
    return preference(clicks[:, 1], clicks[:, 0], names, float(shown[1] / max(shown.sum(), 1)))


def preference(
    arm: FloatArray, baseline: FloatArray, names: tuple[str, str] = ("first", "second"), shown: float = 0.5
) -> Preference:
    """The preference of agents by what they opened.

    The agent is the unit: clicks of one person depend on each other. The sign test asks nothing of their distribution;
    it comes in the mid-p form, because the exact one finds less than it may. Preference as a share follows Chapelle,
    Joachims, Radlinski and Yue (2012), "Large-scale validation and analysis of interleaved search evaluation", TOIS 30.

    Args:
        arm, baseline: Clicks on each one's picks, shape (n_agents,).
        names: Of the baseline and of the arm.
        shown: Share of the slots that the arm had picked.
    """
    prefers_arm, prefers_baseline = arm > baseline, arm < baseline
    return Preference(
        arm=names[1],
        baseline=names[0],
        share=within_one(mean_interval(np.where(prefers_arm, 1.0, np.where(prefers_baseline, 0.0, 0.5)))),
        credit=within_one(ratio_estimate(arm, arm + baseline)),
        p_value=attrition_p_value(prefers_arm, prefers_baseline),  # McNemar's test is the sign test of discordant pairs
        prefer_arm=int(prefers_arm.sum()),
        prefer_neither=int((arm == baseline).sum()),
        prefer_baseline=int(prefers_baseline.sum()),
        shown=shown,
    )
