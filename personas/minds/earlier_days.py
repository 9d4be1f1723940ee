"""What earlier days do to the log-odds of opening an item: whether it is known, and how often it was shown in vain."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.exposure.fatigue import RepeatFatigue
from groundlings.personas.mind import Shown, Situation
from groundlings.personas.repeats.known_items import KnownItems


class EarlierDays:
    """The part of a mind that follows `groundlings.personas.mind.Notices`; its subclass sets both attributes.

    Attributes:
        _known: What agents know and how likely they take it up again; None where no item is shown again.
        _fatigue: What repetitions take off; None where no log could tell.
    """

    _known: KnownItems | None
    _fatigue: RepeatFatigue | None

    def counts_shown(self) -> bool:
        """See `Notices.counts_shown`."""
        return self._fatigue is not None

    def notice(self, day: int, interactions: Interactions, shown: Shown) -> None:
        """See `Notices.notice`."""
        if self._known is not None:
            self._known.notice(day, interactions)
        if self._fatigue is not None:
            opened = interactions.users, interactions.items.astype(np.int64)
            self._fatigue.notice((shown.users, shown.items), opened)

    def _remembered(self, situation: Situation, odds: FloatArray) -> FloatArray:
        """The log-odds of a page with those of known items in their place, and what fatigue takes off.

        Args:
            situation: The page.
            odds: Of every slot as if its item were new, shape (n_sessions, n_slots).
        """
        page, users = situation.page, situation.sessions.users
        items = np.where(page.shown, page.items, 0)
        if self._known is not None:
            odds = self._known.put(odds, users, items, situation.sessions.day)
        return odds if self._fatigue is None else odds + self._fatigue.log_odds(users, items)
