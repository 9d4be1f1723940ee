"""The memorisation probe: can a stranger tell from the model whether a person's history was learned from?

The loss of the latest items that a prompt names, per token, of people who were learned from and of people who were not.
Who holds the model and a history may guess "learned from" where the loss is low (Yeom et al. 2018); the probability
that the guess separates the two is measured before and after training. It is no coin before: the two groups are of
other times, so their titles differ. What training left is the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.experiments.labs.train_mind.token_trees import Prompts

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network

PEOPLE = 40
"""Of each of the two groups, at most."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the losses of one model tell.

    Attributes:
        learned, others: Mean loss per token of the people who were learned from, and of the others, in nats.
        people: Of each group.
        separated, low, high: P(somebody who was learned from has the lower loss), with its interval over the people who
            were learned from.
    """

    learned: float
    others: float
    people: tuple[int, int]
    separated: float
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def losses_of_people(network: Network, prompts: Prompts, users: int) -> FloatArray:
    """Mean loss per token of what the prompts say of the first people, shape (n,)."""
    return np.array([network.loss(prompts.about(user)) for user in range(min(users, PEOPLE))])


def probe(losses: Mapping[str, FloatArray], times: int, chance: np.random.Generator) -> Probe:
    """What the losses tell.

    Args:
        losses: "learned" and "others", as `losses_of_people` gives them.
        times: Resamples of people.
        chance: Random numbers.
    """
    learned, others = losses["learned"], losses["others"]
    wins = 1 - (rankdata(np.concatenate([learned, others]))[: len(learned)] - rankdata(learned)) / len(others)
    resampled = Resamples.draw(len(learned), times, chance).mean(wins, np.ones(len(learned), dtype=np.bool_))
    sizes = (len(learned), len(others))
    return Probe(float(learned.mean()), float(others.mean()), sizes, float(resampled[0]), *interval(resampled, 0, 1))
