"""A recommender that infers what a user does not say from what the user refuses."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.conversation.messages import Briefing
from groundlings.recommenders.conversation.hidden_wishes import HiddenWishes
from groundlings.recommenders.conversation.rules import RuleSystem


class EliminationTalk(RuleSystem):
    """Asks about every field, then names the item that hidden wishes would leave with the highest probability.

    A refusal rules out each wish that the item meets together with all others drawn with it. The first item named is
    thus the one that suits most of the wishes that somebody might have, which is also the choice where nothing may be
    suggested before the recommendation.

    Attributes:
        answerable: P(something suits that meets what was said), before anything is refused.
        least: It abstains when a suitable candidate is left with a lower probability.
    """

    asks = True
    answerable = 0.9
    least = 0.2

    def begin(self, briefing: Briefing) -> None:
        """Start a conversation."""
        super().begin(briefing)
        self._wishes: HiddenWishes | None = None

    def order(self, candidates: IntArray) -> IntArray:
        """The likeliest to suit first, ties by chance."""
        shuffled = self.briefing.chance.permutation(candidates)
        return shuffled[np.argsort(-self._belief(candidates).suits(shuffled), kind="stable")]

    def refused(self, item: int, because: Collection[str]) -> None:
        """Rule out the wishes that the item would meet."""
        super().refused(item, because)
        if self._wishes is not None:
            self._wishes.refuse(item, because)

    def gives_up(self, candidates: IntArray) -> bool:
        """Whether nothing is left, or what is left hardly suits."""
        return not len(candidates) or self._belief(candidates).any_suits(candidates) < self.least

    def _belief(self, candidates: IntArray) -> HiddenWishes:
        """What is believed by now; it begins when the first item is to be named."""
        if self._wishes is None:
            self._wishes = HiddenWishes.draw(self.briefing, self.known)
            self._wishes.expect(candidates, self.answerable)
        return self._wishes
