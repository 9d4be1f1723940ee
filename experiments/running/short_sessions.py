"""One session of some agents outside of a log, with the code that experiments run: for labs and for checks of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.environment import Environment, State
from groundlings.environments.offers import DayOffers
from groundlings.environments.shop_actions import PURCHASE
from groundlings.personas.mind import Mind
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import cohorts
from groundlings.simulator.session import CohortRecord, browse
from groundlings.simulator.shelf import largest_cohort, without

PEOPLE_AT_ONCE = 256


@dataclass(frozen=True)
class ShortSessions:
    """One session of each agent.

    Attributes:
        users: Shape (n,).
        clicks: Number of clicks, shape (n,).
        expected_clicks: Sum of the click probabilities of the pages seen; `clicks` where the mind has none.
        pages: Pages seen, shape (n,).
        left: Whether the agent left by choice, and not because the pages ended, shape (n,).
        shown, clicked: The items of the slots seen, and whether each was clicked, shape (n, depth) each.
        chances: Click probabilities of the slots seen; `clicked` where the mind has none, shape (n, depth).
        purchases: Purchase probabilities likewise; None where nothing is sold.
    """

    users: IntArray
    clicks: FloatArray
    expected_clicks: FloatArray
    pages: IntArray
    left: BoolArray
    shown: ItemArray
    clicked: BoolArray
    chances: FloatArray
    purchases: FloatArray | None = None


async def short_sessions(
    users: IntArray,
    known: sp.csr_array,
    *,
    recommender: AsyncRecommender,
    mind: Mind,
    environment: Environment[State],
    seed: int,
    day: int,
    offers: DayOffers | None = None,
) -> ShortSessions:
    """One session of each of some agents; nothing is logged, and the mind keeps no memory of it.

    Args:
        users: Who, as row numbers of the data set, shape (n,), n at least 1.
        known: Items that are not shown again, shape (n_users, n_items).
        recommender: Ranks; fitted.
        mind: Decides.
        environment: Where they browse; its slots can be clicked.
        seed, day: What the random numbers depend on beside the agent.
        offers: What is offered; what is sold out is not shown.
    """
    depth = environment.page_size * environment.max_pages
    parts = []
    size = min(largest_cohort(mind.cohort_size, None if offers is None else offers.sold_out), PEOPLE_AT_ONCE)
    for session in cohorts(np.arange(len(users)), users, day, seed=seed, size=size, offers=offers):
        seen = sp.csr_array(known[session.users])
        if offers is not None:
            seen = without(seen, offers.sold_out)
        record = await browse(session, seen, recommender=recommender, environment=environment, mind=mind)
        parts.append(_summed(record, depth))
    names = ["users", "clicks", "expected_clicks", "pages", "left", "shown", "clicked", "chances"]
    names += [] if any(part.purchases is None for part in parts) else ["purchases"]
    return ShortSessions(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _summed(record: CohortRecord, depth: int) -> ShortSessions:
    n = len(record.sessions)
    chances = np.zeros((n, depth))
    shown = np.full((n, depth), -1, dtype=np.int32)
    clicked = np.zeros((n, depth), dtype=np.bool_)
    purchases = np.zeros((n, depth)) if PURCHASE in record.schema else None
    for logged in record.turns:
        rows, page, decision = logged.turn.rows, logged.turn.page, logged.turn.decision
        here = slice(page.first_rank, page.first_rank + page.items.shape[1])
        shown[rows, here] = page.items
        clicked[rows, here] = decision["click"]
        probability = decision.trace.probability("click")
        chances[rows, here] = decision["click"] if probability is None else probability
        if purchases is not None:
            expected = decision.trace.purchase_chance
            purchases[rows, here] = decision[PURCHASE] if expected is None else expected
    left = np.array([str(why) == "exit" for why in record.ended_by], dtype=np.bool_)
    clicks = clicked.sum(axis=1).astype(np.float64)
    return ShortSessions(
        record.sessions.users, clicks, chances.sum(axis=1), record.pages, left, shown, clicked, chances, purchases
    )
