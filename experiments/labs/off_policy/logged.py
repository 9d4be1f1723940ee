"""The first sessions of one arm as lists with their chances, and what every other arm really got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.running.plan import Plan


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
    """

    users: IntArray
    items: ItemArray
    chances: FloatArray
    clicks: FloatArray
    page_size: int
    seen: sp.csr_array
    seed: int

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
        return RankingRequest(self.users, size or self.items.shape[1], seen, draws)


def without_lost_pages(impressions: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The impressions of users who have no lost page on the first day, in any arm, and how many users are left out.

    What was clicked on such a page is not known, in the log or in the truth, and not zero.

    Args:
        impressions: As `LogReader.impressions` gives them.

    Raises:
        ConfigError: Nobody is left.
    """
    first = impressions[impressions.day == 0]
    lost = first[first.clicked.isna()].user_id.unique()
    kept = impressions[~impressions.user_id.isin(lost)]
    if len(lost) and not (kept.day == 0).any():
        raise ConfigError(
            "of every user an outcome of the first session is not known, because pages are lost; `groundlings runs "
            "show` says why"
        )
    return kept, len(lost)


def logged_lists(plan: Plan, impressions: pd.DataFrame, arm: str) -> LoggedLists:
    """The first day's sessions of an arm.

    Args:
        plan: The experiment.
        impressions: As `LogReader.impressions` gives them.
        arm: Whose.

    Raises:
        ConfigError: The arm showed nothing on the first day, or logged no exact propensities.
    """
    rows = impressions[(impressions.arm == arm) & (impressions.day == 0)]
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
    users = np.array([number[name] for name in names], dtype=np.int64)
    return LoggedLists(users, items, chances, clicks, plan.environment.page_size, plan.first_seen, plan.config.seed)


def true_values(plan: Plan, impressions: pd.DataFrame, arm: str, users: IntArray) -> tuple[FloatArray, FloatArray]:
    """What the users' first sessions in an arm brought: clicks to be expected there, and clicks.

    Expected clicks are the sum of the probabilities that the clicks were drawn from, so that the luck of clicking is no
    part of them; where no probability is logged they are the clicks.

    Returns:
        Both of shape (n,), 0 for a user who was shown nothing.
    """
    rows = impressions[(impressions.arm == arm) & (impressions.day == 0)]
    ids = np.array(plan.dataset.people.user_ids, dtype=object)[users]
    clicked = rows.clicked.to_numpy(dtype=np.float64)
    known = rows.p_click.to_numpy(dtype=np.float64) if "p_click" in rows else np.full(len(rows), np.nan)
    chance = np.where(np.isnan(known), clicked, known)
    sums = rows.assign(expected=chance, clicks=clicked).groupby("user_id")[["expected", "clicks"]].sum()
    found = sums.reindex(ids).fillna(0.0)
    return found.expected.to_numpy(), found.clicks.to_numpy()
