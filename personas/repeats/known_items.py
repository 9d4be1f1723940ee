"""Log-odds of opening what an agent knows, on one scale with what they do not, as the simulated days go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, logsumexp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.repeats.model import RepeatModel
from groundlings.personas.repeats.ownership import Known


class OwnLevels:
    """What each user's log-odds of new items lack to the share that they really take up on an occasion.

    Args:
        model: Knows these shares.
        score: Log-odds of all items for some users, up to a constant of each user, shape (n, n_items).
        capacity: How many users may be asked about at once.
        train: Says what is new.
    """

    def __init__(
        self,
        model: RepeatModel,
        score: Callable[[IntArray], NDArray[np.floating]],
        capacity: int,
        train: Interactions,
    ) -> None:
        self._model = model
        self._score = score
        self._capacity = capacity
        self._train = train
        self._found = np.full(train.n_users, np.nan)

    def of(self, users: IntArray) -> FloatArray:
        """Of some users, shape (n,); measured when they are first asked about."""
        missing = users[np.isnan(self._found[users])]
        size = min(self._capacity, _AT_ONCE)
        for first in range(0, len(missing), size):
            self._measure(missing[first : first + size])
        return self._found[users]

    def _measure(self, users: IntArray) -> None:
        new = self._train.matrix[users].toarray() == 0
        odds = np.where(new, self._score(users), -np.inf)
        # Shares are small, so that the mean chance is about the mean of the odds.
        mean = logsumexp(odds, axis=1) - np.log(np.maximum(new.sum(axis=1), 1))
        wanted = logit(self._model.new_shares[users])
        self._found[users] = np.where(new.any(axis=1), wanted - np.where(np.isfinite(mean), mean, 0.0), 0.0)


_AT_ONCE = 64


class KnownItems:
    """What the agents of one arm know, and how likely they take it up again.

    Args:
        model: Of real repeats.
        constant: What the log-odds of new items that are handed over hold already.
        shift: What the log-odds of an occasion of the real history lack to those of a session.
        levels: The constants of each user for new items; None where they keep the one that they hold.
    """

    def __init__(self, model: RepeatModel, constant: float, shift: float, levels: OwnLevels | None) -> None:
        self._model = model
        self._constant = constant
        self._shift = shift
        self._levels = levels
        self._owned = model.owned

    def notice(self, day: int, interactions: Interactions) -> None:
        """Remember what was taken up on a simulated day, 0 for the first."""
        self._owned = self._owned.after(interactions.users, interactions.items.astype(np.int64), day)

    def put(self, odds: FloatArray, users: IntArray, items: NDArray[np.integer], day: int) -> FloatArray:
        """The log-odds with each user's own level, and those of known items in their place.

        Args:
            odds: Of the items as if they were new, shape (n, m); not changed.
            users: Shape (n,).
            items: Shape (n, m).
            day: The simulated day.
        """
        whose, what = np.broadcast_arrays(users[:, None], items.astype(np.int64))
        return self._placed(self._levelled(odds, users), self._owned.of_pairs(whose, what), whose, what, day)

    def put_in_catalog(self, odds: FloatArray, users: IntArray) -> FloatArray:
        """The same for all items, shape (n, n_items), as it is before the first simulated day."""
        result = self._levelled(odds, users)
        owned = self._model.owned
        for row, user in enumerate(users.tolist()):
            items = owned.items_of(user)
            whose = np.full(len(items), user)
            result[row, items] = self._placed(result[row, items], owned.of_pairs(whose, items), whose, items, 0)
        return result

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values, for manifests."""
        return {**self._model.describe(), "shift": self._shift}

    def _levelled(self, odds: FloatArray, users: IntArray) -> FloatArray:
        """A copy of the log-odds of new items, at each user's own level."""
        if self._levels is None:
            return odds.astype(np.float64)
        return odds + (self._levels.of(users) + self._shift - self._constant)[:, None]

    def _placed(self, odds: FloatArray, known: Known, users: IntArray, items: IntArray, day: int) -> FloatArray:
        here = known.known
        if here.any():
            found = known.take(here)
            state = users[here], items[here], found.count, found.first, found.latest
            odds[here] = self._model.log_odds(*state, day) + self._shift
        return odds
