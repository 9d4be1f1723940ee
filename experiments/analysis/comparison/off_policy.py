"""What another recommender would have got, from the log of one that explored with known chances.

A session is a sequence of steps. At step k the logging policy took item a_k with known chance p_k given the items
before it, and the target policy would have taken it with chance q_k; w_k = q_k / p_k. `epsilon_slots` and
`plackett_luce` log exact p_k; a deterministic list has p = 1 and supports only itself.

Whole pages are seen at once: a click may depend on every slot of its page, and going on depends on it, too. A step is
therefore a page unless told otherwise, and its weight the product of its slots' weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.earlier_names import earlier_attributes
from groundlings.experiments.analysis.compare import CONFIDENCE, Estimate
from groundlings.experiments.analysis.comparison.ratios import ratio_estimate


@dataclass(frozen=True, slots=True)
class LoggedSessions:
    """Sessions as sequences of steps; a session that ended early is filled up with weight 1 and reward 0.

    Attributes:
        agents: Who came, shape (n_sessions,): sessions of one agent depend on each other.
        weights: q / p of each step, shape (n_sessions, n_steps).
        rewards: What each step brought, clicks for instance, same shape.
    """

    agents: IntArray
    weights: FloatArray
    rewards: FloatArray

    def __post_init__(self) -> None:
        if self.weights.shape != self.rewards.shape or len(self.agents) != len(self.weights):
            raise ValueError(
                f"agents {self.agents.shape}, weights {self.weights.shape} and rewards {self.rewards.shape} must agree:"
                " one agent a session, one weight and reward a step"
            )

    @classmethod
    def from_slots(
        cls, sessions: IntArray, agents: IntArray, steps: IntArray, logged: FloatArray, target: FloatArray,
        rewards: FloatArray,
    ) -> LoggedSessions:  # fmt: skip
        """From one row per slot shown, in any order; shape (n_slots,) each.

        Args:
            sessions: Which session (`impressions.session_id`).
            agents: Whose (`sessions.agent_id`).
            steps: Which step, from 0 (`impressions.page` - 1, or `impressions.rank` for slots as steps).
            logged: Chance under the policy that was run (`impressions.pscore`).
            target: Chance under the other one, given the same earlier items.
            rewards: `impressions.clicked`, say.

        Raises:
            ValueError: A slot was logged with chance 0, which its own policy could never have shown.
        """
        if np.any(logged <= 0):
            raise ValueError("a logged slot has chance 0 under its own policy; pscore must lie in (0, 1]")
        names, first, rows = np.unique(sessions, return_index=True, return_inverse=True)
        shape = (len(names), int(steps.max(initial=-1)) + 1)
        weights, gained = np.ones(shape), np.zeros(shape)
        np.multiply.at(weights, (rows, steps), target / logged)
        np.add.at(gained, (rows, steps), rewards)
        return cls(agents[first], weights, gained)


def inverse_propensity(sessions: LoggedSessions, confidence: float = CONFIDENCE) -> Estimate:
    """IPS: mean of (product of all weights) * (all rewards), a session; unbiased, and wild where sessions are long.

    Horvitz and Thompson (1952); Precup, Sutton and Singh (2000), "Eligibility traces for off-policy policy evaluation",
    section 2.
    """
    whole = sessions.weights.prod(axis=1)
    return _over_agents(sessions, whole * sessions.rewards.sum(axis=1), np.ones(len(whole)), confidence)


def self_normalised(sessions: LoggedSessions, confidence: float = CONFIDENCE) -> Estimate:
    """SNIPS: as IPS, divided by the sum of the weights instead of their expectation.

    Swaminathan and Joachims (2015), "The self-normalized estimator for counterfactual learning", NeurIPS. Slightly
    biased, far steadier, and never outside the range of the rewards. Its interval is the ratio's.
    """
    whole = sessions.weights.prod(axis=1)
    return _over_agents(sessions, whole * sessions.rewards.sum(axis=1), whole, confidence)


def cascade(sessions: LoggedSessions, confidence: float = CONFIDENCE) -> Estimate:
    """Each reward weighted by the steps up to its own and none after: unbiased, as later steps cannot cause it.

    Reward interaction IPS: McInerney et al. (2020), "Counterfactual evaluation of slate recommendations with sequential
    reward interactions", KDD, without its self-normalisation.
    """
    upto = np.cumprod(sessions.weights, axis=1)
    return _over_agents(sessions, (upto * sessions.rewards).sum(axis=1), np.ones(len(upto)), confidence)


def doubly_robust(
    sessions: LoggedSessions, value_of_logged: FloatArray, value_of_target: FloatArray, confidence: float = CONFIDENCE
) -> Estimate:
    """As `cascade`, around a guess of what is still to come: right if the guess or the propensities are right.

    Mean over sessions of  sum_k W_k (r_k - Q_k(a_k)) + W_{k-1} V_k  with W_k the product of the weights up to k and
    V_k = E_target[Q_k]. With one step it is the estimator of Dudik, Langford and Li (2011), "Doubly robust policy
    evaluation and learning", ICML; with many, the per-decision form of Jiang and Li (2016), "Doubly robust off-policy
    value evaluation", ICML, whose Q_k is the reward still to come from step k on; then r_k - Q_k(a_k) + V_{k+1} is what
    the guess missed. Kiyohara et al. (2022), "Doubly robust off-policy evaluation for ranking policies under the
    cascade behavior model", WSDM, is the same estimator for slates.

    Args:
        sessions: What was logged.
        value_of_logged: Q_k(a_k), guessed reward from step k on after the logged item, shape of the rewards.
        value_of_target: V_k, guessed reward from step k on under the target policy, same shape. Both are 0 after the
            end of a session. They must not be fitted on the same sessions.
        confidence: Coverage wanted.
    """
    upto = np.cumprod(sessions.weights, axis=1)
    before = np.column_stack([np.ones(len(upto)), upto[:, :-1]])
    each = (upto * (sessions.rewards - value_of_logged) + before * value_of_target).sum(axis=1)
    return _over_agents(sessions, each, np.ones(len(upto)), confidence)


def effective_sessions(sessions: LoggedSessions) -> float:
    """Kish's effective sample size (sum w)^2 / sum w^2: how many sessions the estimate really rests on."""
    whole = sessions.weights.prod(axis=1)
    squares = float((whole**2).sum())
    return float(whole.sum() ** 2 / squares) if squares else 0.0


def other_epsilon(logged: FloatArray, epsilon: float, target_epsilon: float) -> FloatArray:
    """Chances of the same slots under `epsilon_slots` with another epsilon, the recommender inside the same.

    A slot's chance is epsilon / c for a candidate and 1 - epsilon more for the next best. With epsilon below one half
    the two cannot be confused, so the logged chance alone tells which it was, and c.

    Args:
        logged: `impressions.pscore` of an `epsilon_slots` arm, any shape.
        epsilon: What that arm explored with, in (0, .5).
        target_epsilon: What is asked about; 0 is the inner recommender itself.
    """
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon {epsilon}: slots can be told apart only where it lies between 0 and 0.5")
    is_next = logged > 0.5
    by_chance = np.where(is_next, logged - (1 - epsilon), logged) / epsilon
    return np.where(is_next, 1 - target_epsilon, 0.0) + target_epsilon * by_chance


def _over_agents(
    sessions: LoggedSessions, numerator: FloatArray, denominator: FloatArray, confidence: float
) -> Estimate:
    """A ratio of sums over sessions, with the agent as unit."""
    _, rows = np.unique(sessions.agents, return_inverse=True)
    sums = [np.bincount(rows, part).astype(np.float64) for part in (numerator, denominator)]
    return ratio_estimate(sums[0], sums[1], confidence)


if not TYPE_CHECKING:  # type checkers know today's names only
    __getattr__ = earlier_attributes(__name__, LoggedVisits="LoggedSessions", effective_visits="effective_sessions")
