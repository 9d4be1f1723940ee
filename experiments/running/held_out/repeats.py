"""How much of what agents take up of an arm's lists they knew, beside what real people did with the same items."""

from __future__ import annotations

import numpy as np

from groundlings.environments.interactions import Interactions
from groundlings.environments.repeats import SECONDS_PER_DAY
from groundlings.environments.split import Split
from groundlings.experiments.analysis.comparison.held_out import RepeatShares
from groundlings.experiments.running.short_sessions import ShortSessions


def repeat_shares(sessions: ShortSessions, split: Split) -> RepeatShares:
    """Of the sessions of some agents, one each.

    Args:
        sessions: Browsed on the first day.
        split: The history.
    """
    rows, slots = np.nonzero(sessions.shown >= 0)
    keys = sessions.users[rows] * split.train.n_items + sessions.shown[rows, slots]
    # What counts as an interaction: purchases in a shop, for what is opened there may be left.
    chances = (sessions.chances if sessions.purchases is None else sessions.purchases)[rows, slots]
    known = np.unique(_keys(split.train.chosen()))
    total = float(chances.sum())
    again = float(chances[np.isin(keys, known)].sum())
    # What happened twice on one day happened once: each item of each day.
    test = split.test.chosen()
    days = test.timestamps // (SECONDS_PER_DAY * test.ticks_per_second)
    taken = np.unique(np.column_stack([_keys(test), days]), axis=0)
    later = np.zeros(len(taken), dtype=np.bool_)
    later[1:] = taken[1:, 0] == taken[:-1, 0]
    shown = np.isin(taken[:, 0], keys)
    really = (later | np.isin(taken[:, 0], known))[shown]
    return RepeatShares(
        simulated=again / total if total else None,
        real=float(really.mean()) if len(really) else None,
        clicks=total,
        taken=len(really),
        of="clicks" if sessions.purchases is None else "purchases",
    )


def _keys(rows: Interactions) -> np.ndarray:
    """User and item of each row as one number, shape (n,)."""
    return rows.users * rows.n_items + rows.items
