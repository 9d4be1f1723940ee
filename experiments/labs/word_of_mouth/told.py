"""Who told whom of what in an arm, and whether it was shown to whoever was told: worked out from the log.

The log needs no table of it: mentions follow from the ratings in it, the ties, and `mind.social.seed`. What language
agents said in social turns is in its events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from groundlings.environments.arrays import BoolArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.social.word_of_mouth import WordOfMouth

COLUMNS = ("teller", "hearer", "item", "day", "mention", "shown_on", "rank", "pscore", "clicked")


@dataclass(frozen=True)
class ArmLog:
    """What happened in an arm, by row numbers of the data set.

    Attributes:
        impressions: One row per impression, in the order of the log: user, item, day, rank, pscore, clicked (NaN where
            the page is lost).
        taken: Its interactions, in the same order: user, item, day, rating.
        n_users, n_items: Size of the world.
        said: What was said in social turns, one row per person told: teller, hearer, item, day; None where no agent
            takes any.
    """

    impressions: pd.DataFrame
    taken: pd.DataFrame
    n_users: int
    n_items: int
    said: pd.DataFrame | None = None

    def interactions_on(self, day: int) -> Interactions:
        """The interactions of a day, as minds are told of them."""
        today = self.taken[self.taken.day == day]
        return Interactions.of(
            today.user.to_numpy(),
            today["item"].to_numpy(),
            today.rating.to_numpy(dtype=np.float64, na_value=np.nan),
            np.zeros(len(today), dtype=np.int64),
            n_users=self.n_users,
            n_items=self.n_items,
            synthetic=True,
        )


def told_in(arm: ArmLog, heard: WordOfMouth, said: pd.DataFrame | None = None) -> pd.DataFrame:
    """Who told whom of what, one row per teller, hearer, item and day of telling.

    Args:
        arm: What happened.
        heard: Ties and mentions; it is not changed.
        said: As `ArmLog.said`, of this arm or of the same arm in another world; that of `arm` if absent.

    Returns:
        teller, hearer, item (row numbers); day (0 for the first); mention (`liked`, `disliked`, or `said` in words);
        and of the first impression of the item that the hearer had while it was remembered: shown_on (day), rank,
        pscore, clicked (NaN = it was not shown to the hearer in these days).
    """
    said = arm.said if said is None else said
    parts = [] if said is None else [said.assign(mention="said")]
    for day in sorted(arm.taken.day.unique().tolist()):
        today = arm.interactions_on(day)
        mentioned = heard.mentioned_on(day, today)
        for mention, which in zip(("liked", "disliked"), heard.likes_and_dislikes(today), strict=True):
            parts.append(_spread(today, which & mentioned, heard).assign(day=day, mention=mention))
    told = pd.concat(parts) if parts else pd.DataFrame(columns=list(COLUMNS[:5]))
    told = told.drop_duplicates(list(COLUMNS[:5])).reset_index(drop=True)
    shown = arm.impressions.rename(columns={"user": "hearer", "day": "shown_on"})
    met = told.reset_index().merge(shown, on=["hearer", "item"])
    later = met[(met.shown_on > met.day) & (met.shown_on <= met.day + heard.days)]
    first = later.drop_duplicates("index").set_index("index")  # impressions come in the order of happening
    return told.join(first[list(COLUMNS[5:])])[list(COLUMNS)]


def _spread(today: Interactions, which: BoolArray, heard: WordOfMouth) -> pd.DataFrame:
    """Each of some interactions once per tie of whoever had it."""
    tellers = today.users[which]
    row, hearers = heard.ties.each_of(tellers)
    items = today.items[which].astype(np.int64)
    return pd.DataFrame({"teller": tellers[row], "hearer": hearers, "item": items[row]})
