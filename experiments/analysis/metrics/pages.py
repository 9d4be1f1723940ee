"""How sessions go on and where clicks fall: survival by page and clicks by position, agents as units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Estimate, interval_of_mean, within_one
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Survival:
    """P(a session reaches a page), page 1 first, shape (n_pages,) each, NaN from where on nobody's choice is known.

    Attributes:
        share: The estimate.
        low, high: Ends of its 95 % interval.
    """

    share: FloatArray
    low: FloatArray
    high: FloatArray


def survival_by_arm(log: LogReader, max_pages: int) -> Mapping[str, Survival]:
    """Survival curves of the sessions that were shown something, arm name -> curve."""
    frame = log.session_lengths()
    names = {arm.arm_id: arm.name for arm in log.logged_arms()}
    found = {}
    for arm_id in frame.arm_id.unique().tolist():
        rows = frame[frame.arm_id == arm_id]
        found[names[arm_id]] = survival(
            rows.agent_id.to_numpy(np.int64),
            rows.pages.to_numpy(np.int64),
            rows.by_choice.to_numpy(np.bool_),
            max_pages,
        )
    return {name: found[name] for name in sorted(found)}


def survival(
    agents: np.ndarray[tuple[int], np.dtype[np.int64]],
    pages: np.ndarray[tuple[int], np.dtype[np.int64]],
    left: np.ndarray[tuple[int], np.dtype[np.bool_]],
    max_pages: int,
) -> Survival:
    """The product-limit estimate (Kaplan and Meier 1958), with a variance that knows that agents return.

    A session that ended for another reason than the agent's wish is censored on its last page: it counts among
    those who could have left on the pages before, and on no later one. The variance sums each agent's
    influence on log S (Williams 1995, "Product-limit survival functions with correlated survival times"); with
    one session an agent it is Greenwood's formula. The interval is symmetric on the log scale.

    Args:
        agents: Who, one entry a session, shape (n_sessions,).
        pages: Pages seen, at least 1, same shape.
        left: Whether the agent chose to leave after the last of them, same shape.
        max_pages: Length of the curve.
    """
    numbers = range(1, max_pages)
    # Sessions by their last page, not a row of pages for each: so many users have no table of pages each.
    ended, chose = np.bincount(pages, minlength=max_pages + 1), np.bincount(pages[left], minlength=max_pages + 1)
    total = np.array([ended[number + 1 :].sum() + chose[number] for number in numbers])
    hazard = np.divide(chose[1:max_pages], total, out=np.zeros(len(total)), where=total > 0)
    stays = np.maximum(total * (1 - hazard), 1e-300)
    who, row = np.unique(agents, return_inverse=True)
    influence, error = np.zeros(len(who)), np.zeros(len(total))
    for place, number in enumerate(numbers):
        gone = (pages == number) & left
        at_risk = (pages > number) | gone
        influence += np.bincount(row, weights=gone - hazard[place] * at_risk, minlength=len(who)) / stays[place]
        error[place] = np.sqrt((influence**2).sum())
    share = np.cumprod(1 - hazard)
    # Where all have left, nobody reaches the next page; where the others were cut short, nobody knows who would.
    share[(total == 0) & (share > 0)] = np.nan
    reach = np.exp(np.minimum(ndtri((1 + CONFIDENCE) / 2) * error, 700.0))
    one = np.ones(1)
    return Survival(
        share=np.concatenate([one, share]),
        low=np.concatenate([one, share / reach]),
        high=np.concatenate([one, np.minimum(share * reach, 1.0)]),
    )


def clicks_by_position(log: LogReader) -> Mapping[str, tuple[Estimate, ...]]:
    """Share of impressions that were opened in each position of a page, arm name -> position 0 first.

    The mean of the agents' own shares: about six seconds for 5 million impressions on one slow core.
    """
    found: dict[str, dict[int, Estimate]] = {}
    for each in sorted(log.click_rates_by_position(), key=lambda each: (each.arm, each.position)):
        variance = max(each.squares - each.n * each.mean**2, 0.0) / (each.n - 1) if each.n > 1 else 0.0
        estimate = interval_of_mean(each.mean, float(np.sqrt(variance / max(each.n, 1))), each.n, each.excluded)
        found.setdefault(each.arm, {})[each.position] = within_one(estimate)
    nobody = Estimate(None, None, None, None, 0, 0)
    return {
        arm: tuple(by_position.get(position, nobody) for position in range(max(by_position) + 1))
        for arm, by_position in found.items()
    }
