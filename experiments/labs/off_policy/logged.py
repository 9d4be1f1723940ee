"""The first sessions of one arm as lists with their chances, and what every other arm really got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.offers import DayOffers
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.simulator.shelf import without

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.running.plan import Plan
    from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True)
class LoggedLists:
    """What was shown in the first sessions of an arm, one row each.

    Attributes:
        users: Row numbers of users, shape (n,).
        items: What was shown, rank by rank, `NO_ITEM` behind the last, shape (n, depth).
        chances: The logged propensities, 1 behind the last, shape (n, depth).
        clicks: 1 for a click, shape (n, depth).
        page_size: Slots of a page.
        seen: What could not be shown, shape (n_users, n_items).
        seed: Of draws.
        offers: Of the first day; None where the data know of none.
    """

    users: IntArray
    items: ItemArray
    chances: FloatArray
    clicks: FloatArray
    page_size: int
    seen: sp.csr_array
    seed: int
    offers: DayOffers | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def pages(self) -> int:
        """The most pages of a session."""
        return self.items.shape[1] // self.page_size

    def by_page(self, slots: FloatArray) -> FloatArray:
        """Cells of slots, shape (n, depth), as (n, pages, page_size)."""
        return slots.reshape(len(slots), -1, self.page_size)

    def request(self, number: int = 0, before: ItemArray | None = None, size: int | None = None) -> RankingRequest:
        """What a recommender is asked for these sessions.

        Args:
            number: Which draws: requests of different numbers share none.
            before: Items that are not to be listed again, `NO_ITEM` for none, shape (n, m).
            size: How many items; a whole session's if absent.
        """
        seen = sp.csr_array(self.seen[self.users])
        if before is not None:
            rows, places = np.nonzero(before != NO_ITEM)
            shape = len(self), seen.shape[1]
            seen = seen + sp.csr_array((np.ones(len(rows)), (rows, before[rows, places])), shape=shape)
        draws = Draws.for_sessions(self.seed, self.users, 0).apart("off-policy", number)
        return RankingRequest(self.users, size or self.items.shape[1], seen, draws, offers=self.offers)


def first_sessions(log: LogReader) -> tuple[pd.DataFrame, int]:
    """The impressions of the first sessions of users who have no lost page there, and how many users are left out.

    They are those of the first day, one of each user and arm: a second one of that day comes after what the first
    showed. What was clicked on a lost page is not known, in the log or in the truth, and not zero.

    Args:
        log: The run's.

    Raises:
        ConfigError: Nobody is left, or something was changed as the first day began.
    """
    for each in log.logged_interventions():
        if each.day == 0 and each.kind in ("site", "withdraw"):
            raise ConfigError(
                f"interventions: found {each.kind} in arm {each.arm} on day 1; expected no change of what is shown "
                "before day 2, because recommenders are asked for lists of the first day as their arm began: estimate "
                "from a run without it"
            )
    sessions = log.sessions(columns=["session_id", "arm", "user_id", "day"])
    begun = sessions[sessions.day == 0].groupby(["arm", "user_id"])["session_id"].min()
    impressions = log.impressions()
    first = impressions[impressions.session_id.isin(begun)]
    lost = first[first.clicked.isna()].user_id.unique()
    kept = first[~first.user_id.isin(lost)]
    if len(lost) and not len(kept):
        raise ConfigError(
            "of every user an outcome of the first session is not known, because pages are lost; `groundlings runs "
            "show` says why"
        )
    return kept, len(lost)


def logged_lists(plan: Plan, impressions: pd.DataFrame, arm: str) -> LoggedLists:
    """The first day's sessions of an arm.

    Args:
        plan: The experiment.
        impressions: As `first_sessions` gives them.
        arm: Whose.

    Raises:
        ConfigError: The arm showed nothing on the first day, or logged no exact propensities.
    """
    rows = impressions[impressions.arm == arm]
    if not len(rows):
        raise ConfigError(f"arm {arm}: found no impression on the first day; expected the arm that logs")
    if (rows.pscore == 1).all():
        raise ConfigError(
            f"arm {arm}: all of its propensities are 1, so nothing can be said of other lists; log with a recommender "
            "that explores, such as epsilon_slots or plackett_luce"
        )
    number = {name: row for row, name in enumerate(plan.dataset.people.user_ids)}
    place = {name: row for row, name in enumerate(plan.dataset.catalog.item_ids)}
    names = rows.user_id.unique()
    session = {name: row for row, name in enumerate(names)}
    depth = plan.environment.page_size * plan.environment.max_pages
    items = np.full((len(names), depth), NO_ITEM, dtype=np.int32)
    chances, clicks = np.ones(items.shape), np.zeros(items.shape)
    cells = rows.user_id.map(session).to_numpy(), rows["rank"].to_numpy()
    items[cells] = rows.item_id.map(place).to_numpy()
    chances[cells] = rows.pscore.to_numpy(dtype=np.float64)
    clicks[cells] = rows.clicked.to_numpy(dtype=np.float64)
    users, offers = np.array([number[name] for name in names], dtype=np.int64), plan.first_offers
    seen = plan.first_seen if offers is None else without(plan.first_seen, offers.sold_out)
    return LoggedLists(users, items, chances, clicks, plan.environment.page_size, seen, plan.config.seed, offers)


def true_values(plan: Plan, impressions: pd.DataFrame, arm: str, users: IntArray) -> tuple[FloatArray, FloatArray]:
    """What the users' first sessions in an arm brought: clicks to be expected there, and clicks.

    Expected clicks are the sum of the probabilities that the clicks were drawn from, so that the luck of clicking is no
    part of them; where no probability is logged they are the clicks.

    Returns:
        Both of shape (n,), 0 for a user who was shown nothing.
    """
    rows = impressions[impressions.arm == arm]
    ids = np.array(plan.dataset.people.user_ids, dtype=object)[users]
    clicked = rows.clicked.to_numpy(dtype=np.float64)
    known = rows.p_click.to_numpy(dtype=np.float64) if "p_click" in rows else np.full(len(rows), np.nan)
    chance = np.where(np.isnan(known), clicked, known)
    sums = rows.assign(expected=chance, clicks=clicked).groupby("user_id")[["expected", "clicks"]].sum()
    found = sums.reindex(ids).fillna(0.0)
    return found.expected.to_numpy(), found.clicks.to_numpy()
