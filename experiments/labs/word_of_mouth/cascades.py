"""Cascades: who took an item after a tie had told of it, and so on, as trees.

A root is an agent who took an item without having been told. Whoever was told of it by a tie, and not that the tie
disliked it, and took it while that was remembered, is a child of the tie who told first; of two on the same day, of the
one with the smaller row number. A tree says who could have heard from whom, and no more: the same trees in a world
without ties, from what ties would have told, are what coincidence makes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.experiments.labs.word_of_mouth.told import ArmLog


@dataclass(frozen=True)
class Cascades:
    """The trees of an arm; a node is the first time that an agent took an item.

    Attributes:
        users: Whose node it is, shape (n_nodes,).
        depth: Steps from its root, 0 for a root, shape (n_nodes,).
        root: Which node is its root, shape (n_nodes,).
    """

    users: IntArray
    depth: IntArray
    root: IntArray

    @property
    def told(self) -> BoolArray:
        """Which nodes had been told, shape (n_nodes,)."""
        return self.depth > 0

    @property
    def sizes(self) -> IntArray:
        """Nodes of each tree, one that nobody followed included."""
        return np.unique(self.root, return_counts=True)[1].astype(np.int64)


def cascades_of(arm: ArmLog, told: pd.DataFrame, days: int) -> Cascades:
    """The cascades of an arm.

    Args:
        arm: What happened.
        told: From `told_in`.
        days: For how many days a mention is remembered.
    """
    nodes = arm.taken.drop_duplicates(["user", "item"]).sort_values("day", kind="stable").reset_index(drop=True)
    heard = told[told.mention != "disliked"].rename(columns={"day": "told_on"})[["hearer", "item", "teller", "told_on"]]
    taken = nodes[["user", "item", "day"]].rename(columns={"user": "hearer"}).reset_index()
    pairs = taken.merge(heard, on=["hearer", "item"])
    pairs = pairs[(pairs.told_on < pairs.day) & (pairs.day <= pairs.told_on + days)]
    children = pairs.sort_values(["told_on", "teller"]).drop_duplicates("index").sort_values("index")
    place = {pair: node for node, pair in enumerate(zip(nodes.user, nodes["item"], strict=True))}
    depth, root = np.zeros(len(nodes), dtype=np.int64), np.arange(len(nodes), dtype=np.int64)
    columns = (children[name].tolist() for name in ("index", "teller", "item"))
    for node, teller, item in zip(*columns, strict=True):  # day by day, so that a parent comes before its child
        parent = place[teller, item]
        depth[node], root[node] = depth[parent] + 1, root[parent]
    return Cascades(nodes.user.to_numpy(dtype=np.int64), depth, root)
