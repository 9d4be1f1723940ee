"""How a spread model carried word in an arm, as trees: worked out again from the log, the ties and `mind.social.seed`.

A root is an agent who liked and mentioned an item by itself, or whom a launched item won without a tie. Whom the model
made active is a child of the tie who became active last before it; of several, of the one with the smallest row number.
In an independent cascade that is a tie who had its chance on that day; with thresholds it is who tipped the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.experiments.labs.word_of_mouth.cascades import Cascades
from groundlings.experiments.labs.word_of_mouth.told import ArmLog
from groundlings.personas.social.spread import Spread
from groundlings.personas.social.word_of_mouth import WordOfMouth


@dataclass(frozen=True, slots=True)
class Spreading:
    """What spread in an arm.

    Attributes:
        trees: A node is an agent who is active for an item.
        reached: How many items the model made each user active for, shape (n_users,).
    """

    trees: Cascades
    reached: IntArray


def spread_in(arm: ArmLog, heard: WordOfMouth, spread: Spread, days: int) -> Spreading:
    """Let word spread again.

    Args:
        arm: What happened.
        heard: Ties and mentions; it is not changed.
        spread: The model before the first day; it lives through the days.
        days: How many there were.
    """
    cells, since, by_model = [], [], []
    for day in range(days):
        found = spread.notice(day, heard.liked_and_mentioned(day, arm.interactions_on(day)))
        # Who likes an item passes it on the same night, and whom the model reached a night later.
        for new, reached in ((found.begun, 0), (found.reached, 1)):
            cells.append(new)
            since.append(np.full(len(new), day + reached))
            by_model.append(np.full(len(new), bool(reached)))
    cell, start, reached_by_model = (np.concatenate(each) for each in (cells, since, by_model))
    order = np.lexsort((cell, start))
    cell, start, reached_by_model = cell[order], start[order], reached_by_model[order]
    parents = _parents(cell, start, reached_by_model, spread)
    depth, root = np.zeros(len(cell), dtype=np.int64), np.arange(len(cell), dtype=np.int64)
    for node in np.flatnonzero(parents >= 0).tolist():  # night by night, so that a parent comes before its child
        depth[node], root[node] = depth[parents[node]] + 1, root[parents[node]]
    users = cell // spread.n_items
    counts = np.bincount(users[reached_by_model], minlength=arm.n_users).astype(np.int64)
    return Spreading(Cascades(users, depth, root), counts)


def _parents(cell: IntArray, start: IntArray, by_model: BoolArray, spread: Spread) -> IntArray:
    """The node of each node's parent, -1 for roots, shape (n_nodes,); nodes are ordered by start."""
    children = np.flatnonzero(by_model & spread.over_ties)
    users, items = np.divmod(cell[children], spread.n_items)
    which, ties = spread.ties.each_of(users)
    wanted = ties * spread.n_items + items[which]
    by_cell = np.argsort(cell)
    found = by_cell[np.minimum(np.searchsorted(cell[by_cell], wanted), len(cell) - 1)] if len(cell) else wanted
    child = children[which]
    before = (cell[found] == wanted) & (start[found] < start[child])
    child, found, tie = child[before], found[before], ties[before]
    latest = np.lexsort((tie, -start[found], child))
    firsts = latest[np.unique(child[latest], return_index=True)[1]]
    parents = np.full(len(cell), -1, dtype=np.int64)
    parents[child[firsts]] = found[firsts]
    return parents
