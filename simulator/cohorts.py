"""Cohorts: how sessions of one day are grouped for the mind, and what recommenders may learn from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import DayOffers
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.environments.shop_actions import PURCHASE, units_bought
from groundlings.environments.social_turns import TURN, Told, takes_turns
from groundlings.personas.mind import Shown
from groundlings.simulator.session import CohortRecord


def cohorts(
    agents: IntArray,
    users: IntArray,
    day: int,
    *,
    seed: int,
    size: int,
    sim_time: int = 0,
    occasion: int = 0,
    offers: DayOffers | None = None,
) -> Iterator[Sessions]:
    """Sessions of one day in cohorts of at most `size`, in the order given.

    Args:
        agents: Who comes, row numbers in the population, shape (n,); everybody at most once.
        users: The real person behind each of them, shape (n,).
        day: 0 for the first day.
        seed: What their draws depend on beside user and day.
        size: `Mind.cohort_size`.
        sim_time: When they come, in seconds since 1970 on the simulated clock.
        occasion: Which session of their day it is, 0 for the first.
        offers: What is offered on that day.
    """
    for start in range(0, len(agents), size):
        some = slice(start, start + size)
        yield cohort(agents[some], users[some], day, seed=seed, sim_time=sim_time, occasion=occasion, offers=offers)


def cohort(
    agents: IntArray,
    users: IntArray,
    day: int,
    *,
    seed: int,
    sim_time: int = 0,
    occasion: int = 0,
    offers: DayOffers | None = None,
) -> Sessions:
    """Sessions of one day as one cohort; the arguments are those of `cohorts`."""
    return Sessions(agents, users, day, Draws.for_sessions(seed, users, day, occasion), sim_time, offers)


def clicks_of(record: CohortRecord, time: int, history: Interactions) -> Interactions:
    """What a recommender may learn from a cohort, session by session and slot by slot.

    These are the interactions that the environment's schema names, each with its strength (stars) where there is one.

    Args:
        record: What happened.
        time: When, in seconds since 1970.
        history: Says how many users and items there are.
    """
    schema = record.schema
    sells = schema.interaction == PURCHASE
    if not record.turns:
        return history.take(np.zeros(0, dtype=np.int64))
    sessions, items, stars, units = [], [], [], []
    for logged in record.turns:
        turn = logged.turn
        rows, slots = np.nonzero(turn.decision[schema.interaction])
        # A turn holds the sessions that got so far; `turn.rows` are their places in the cohort.
        sessions.append(turn.rows[rows])
        items.append(turn.page.items[rows, slots])
        given = turn.decision.get(schema.strength) if schema.strength else None
        stars.append(np.full(len(rows), np.nan) if given is None else given[rows, slots])
        units.append(units_bought(turn.decision)[rows, slots] if sells else np.full(len(rows), np.nan))
    session, item = np.concatenate(sessions), np.concatenate(items)
    star, unit = np.concatenate(stars), np.concatenate(units)
    if len(record.sessions) > 1:
        order = np.argsort(session, kind="stable")
        session, item, star, unit = session[order], item[order], star[order], unit[order]
    return clicks_at(time, record.sessions.users[session], item, star, history, unit)


def shown_of(record: CohortRecord) -> Shown:
    """Everything that a cohort was shown."""
    users, items = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for logged in record.turns:
        rows, slots = np.nonzero(logged.turn.page.shown)
        users.append(record.sessions.users[logged.turn.rows[rows]])
        items.append(logged.turn.page.items[rows, slots].astype(np.int64))
    return Shown(np.concatenate(users), np.concatenate(items))


def told_of(record: CohortRecord) -> tuple[Told, ...]:
    """What a cohort said to its ties, in the order of sessions; nothing where sessions begin with no social turn."""
    if not takes_turns(record.schema) or not record.turns:
        return ()
    turn = record.turns[0].turn
    columns = {spec.name: turn.decision[spec.name] for spec in TURN}
    agents = record.sessions.agents[turn.rows].tolist()
    found = (Told.of(agent, {name: cells[row] for name, cells in columns.items()}) for row, agent in enumerate(agents))
    return tuple(each for each in found if each is not None)


def clicks_at(
    time: int,
    users: IntArray,
    items: ItemArray,
    stars: FloatArray,
    history: Interactions,
    units: FloatArray | None = None,
) -> Interactions:
    """Clicks of simulated people at one moment, marked as synthetic.

    Purchases, for which `units` says how many (NaN for what is none), are of that kind and weight where the history has
    kinds and weights.
    """
    kinds = None
    if history.kinds is not None and units is not None:
        kinds = np.where(np.isnan(units), KINDS.index("interaction"), KINDS.index("purchase"))
    return Interactions.of(
        users,
        items,
        stars,
        np.full(len(users), time * history.ticks_per_second),
        n_users=history.n_users,
        n_items=history.n_items,
        synthetic=True,
        ticks_per_second=history.ticks_per_second,
        kinds=kinds,
        weights=None if history.weights is None else units,
    )
