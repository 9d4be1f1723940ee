"""What earlier days do to the log-odds of opening an item.

Whether it is known, how often it was shown in vain, and what ties said of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.exposure.fatigue import RepeatFatigue
from groundlings.personas.mind import Shown, Situation
from groundlings.personas.population import Population
from groundlings.personas.repeats.known_items import KnownItems
from groundlings.personas.social.opinions import Opinions, opinions_of
from groundlings.personas.social.options import SocialOptions
from groundlings.personas.social.spread import Spread, spread_of
from groundlings.personas.social.word_of_mouth import WordOfMouth, word_of_mouth


class EarlierDays:
    """The part of a mind that follows `groundlings.personas.mind.Notices`; its subclass sets the attributes.

    Attributes:
        _known: What agents know and how likely they take it up again; None where no item is shown again.
        _fatigue: What repetitions take off; None where no log could tell.
        _word_of_mouth: What agents are told of their ties; None where they have none.
        _social: What that does to the log-odds; None likewise.
        _spread: Which agents are active for which items; None where nothing spreads.
        _opinions: How interests move; None where they do not.
    """

    _known: KnownItems | None
    _fatigue: RepeatFatigue | None
    _word_of_mouth: WordOfMouth | None = None
    _social: SocialOptions | None = None
    _spread: Spread | None = None
    _opinions: Opinions | None = None

    def _hear_from_ties(self, options: SocialOptions | None, population: Population, base_directory: Path) -> None:
        """Begin with ties as an experiment file says, or without.

        Raises:
            UserError: As `WordOfMouth`, `spread_of` and `opinions_of` do.
        """
        self._social = options
        self._word_of_mouth = word_of_mouth(options, population, base_directory)
        if self._word_of_mouth is not None:
            ties = self._word_of_mouth.ties
            self._spread = spread_of(options, ties, population)
            self._opinions = opinions_of(options, ties, self._word_of_mouth, population)

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
        if self._word_of_mouth is not None:
            self._word_of_mouth.notice(day, interactions)
            if self._spread is not None:
                self._spread.notice(day, self._word_of_mouth.liked_and_mentioned(day, interactions))
            if self._opinions is not None:
                self._opinions.notice(self._word_of_mouth.liked(interactions))

    def ties_who_liked(self, users: IntArray, items: NDArray[np.integer]) -> IntArray | None:
        """See `KnowsTies.ties_who_liked`."""
        return None if self._word_of_mouth is None else self._word_of_mouth.counts("liked", users, items)

    def _remembered(self, situation: Situation, odds: FloatArray) -> FloatArray:
        """The log-odds of a page with those of known items in their place, and what fatigue and ties add.

        Args:
            situation: The page.
            odds: Of every slot as if its item were new, shape (n_sessions, n_slots).
        """
        page, users = situation.page, situation.sessions.users
        items = np.where(page.shown, page.items, 0)
        if self._known is not None:
            odds = self._known.put(odds, users, items, situation.sessions.day)
        if self._fatigue is not None:
            odds = odds + self._fatigue.log_odds(users, items)
        if self._word_of_mouth is not None and self._social is not None:
            odds = odds + self._social.log_odds(*self._word_of_mouth.told(page, users))
            if self._spread is not None and self._social.spread is not None:
                odds = odds + self._social.spread.weight * self._spread.is_active(users, items)
            if self._opinions is not None and self._social.opinions is not None:
                odds = odds + self._social.opinions.weight * self._opinions.change(users, items)
        return odds
