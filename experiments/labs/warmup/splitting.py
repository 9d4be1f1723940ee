"""The split of a history into parts, so that no test row can leak into training.

Items are old, new (measured) or hidden (new, used to fit the agents' judgement). Users are in the panel, whose
interactions may be simulated and used for fitting, or they are tested users, on whom everything is measured. The parts:

    train       old items, all users, four fifths of their rows: all that recommender, taste and profiles read
    warm_test   old items, tested users, a tenth of their rows
    cold_test   new items, tested users: every figure on new items rests on these rows
    early       new items, panel: the real first interactions, read only by the oracle and the measures of the selection
    labels      hidden items, panel: the agents' judgement is fitted on these rows

A pool holds users of the panel and a test pair has a tested user, so no test pair can be in a pool. Pools are made
without the interactions with new items. All arms are tested on the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.plugins import nearest
from groundlings.environments.split import test_people
from groundlings.environments.words import plural
from groundlings.experiments.labs.warmup.config import ColdConfig

TRAIN_SHARE, TEST_SHARE = 0.8, 0.1
"""Shares of the rows on old items, as in ColdRec; the remaining tenth is not used."""


@dataclass(frozen=True)
class ColdSplit:
    """The parts of one history; the module defines them.

    Attributes:
        new: New items, ascending.
        hidden: Hidden items, ascending.
        panel, tested: Users, ascending.
        train, warm_test, cold_test, early, labels: Interactions.
    """

    new: IntArray
    hidden: IntArray
    panel: IntArray
    tested: IntArray
    train: Interactions
    warm_test: Interactions
    cold_test: Interactions
    early: Interactions
    labels: Interactions

    def __post_init__(self) -> None:
        unknown = np.union1d(self.new, self.hidden)
        if np.isin(self.train.items, unknown).any() or np.isin(self.warm_test.items, unknown).any():
            raise DataError("warm-up split: a training or warm test row is about a new item")
        if np.intersect1d(self.panel, self.tested).size or np.intersect1d(self.new, self.hidden).size:
            raise DataError("warm-up split: a user is in the panel and tested, or an item is both new and hidden")


def split_cold(dataset: Dataset, config: ColdConfig, salt: str, chance: np.random.Generator) -> ColdSplit:
    """Choose the new items and split the history.

    Raises:
        ConfigError: An id of the list is unknown, or no rows are left to fit on or to measure.
    """
    history = dataset.history
    new, hidden = choose_items(dataset, config, chance)
    tested = test_people(dataset.people.user_ids, salt)
    of_tested = tested[history.users]
    uniform = chance.random(len(history))
    of_new, of_hidden = np.isin(history.items, new), np.isin(history.items, hidden)
    old = ~of_new & ~of_hidden
    train = history.take(old & (uniform < TRAIN_SHARE))
    known = np.bincount(train.users, minlength=history.n_users) > 0
    split = ColdSplit(
        new=new,
        hidden=hidden,
        panel=np.flatnonzero(~tested & known),
        tested=np.flatnonzero(tested & known),
        train=train,
        warm_test=history.take(old & of_tested & (uniform >= 1 - TEST_SHARE)),
        cold_test=history.take(of_new & of_tested),
        early=history.take(of_new & ~of_tested),
        labels=history.take(of_hidden & ~of_tested),
    )
    if not len(split.cold_test) or not len(split.early):
        raise ConfigError("cold: no user interacted with the new items; choose others, or a larger share")
    return split


def choose_items(dataset: Dataset, config: ColdConfig, chance: np.random.Generator) -> tuple[IntArray, IntArray]:
    """The new items and the hidden ones, ascending; only items with interactions are chosen."""
    with_interactions = np.flatnonzero(dataset.history.item_counts > 0)
    if config.choose == "list":
        new = np.unique(_rows(dataset, config.items))
        others = np.setdiff1d(with_interactions, new)
        if len(others) < 2 * len(new):
            raise ConfigError(
                f"cold.items: found {plural(len(new), 'new item')}, and {plural(len(others), 'other')} to fit on; "
                "too few"
            )
        return new, np.sort(chance.choice(others, len(new), replace=False))
    count = round(config.share * len(with_interactions))
    order = chance.permutation(with_interactions)
    if config.choose == "newest":
        years = dataset.catalog.years[order]  # the draw decides within a year; an unknown year is never new
        if (dated := int((~np.isnan(years)).sum())) < count:
            raise ConfigError(
                f"cold.choose: newest takes {plural(count, 'item')} by year, and {dated} of {len(order)} have one; "
                "name the column of years (own.items.year), or choose random or list"
            )
        order = order[np.argsort(-np.nan_to_num(years, nan=-np.inf), kind="stable")]
    # One group is chosen and then halved at random, so that hidden and new items have the same distribution.
    cold = chance.permutation(order[:count])
    if count < 2:
        raise ConfigError(
            f"cold.share: {config.share} of {plural(len(with_interactions), 'item')} leaves none to measure; choose "
            "more"
        )
    return np.sort(cold[: count // 2]), np.sort(cold[count // 2 :])


def _rows(dataset: Dataset, item_ids: Sequence[str]) -> IntArray:
    rows = dataset.catalog.rows(item_ids)
    for item_id, row in zip(item_ids, rows, strict=True):
        if row is None:
            hint = nearest(item_id, dataset.catalog.item_ids)
            raise ConfigError(f"cold.items: {dataset.name} has no item {item_id!r}{hint}")
    return np.array(rows, dtype=np.int64)
