"""Who and what is kept apart, so that nothing about a test can leak into what is tested.

Items fall into old ones, new ones that are measured, and new ones that are hidden to learn from. People fall into
the panel, who may be asked and fitted on, and the tested, on whom everything is measured. That leaves four parts:

    train       old items, everybody, four fifths of their rows: all that recommender, taste and profiles know
    warm_test   old items, tested people, a tenth of their rows
    cold_test   new items, tested people: every figure on new items is about these rows
    early       new items, panel: the real first interactions, seen by the oracle and the measures of choice alone

A pool holds people of the panel and a test pair is about a tested person, so no test pair can stand in a pool,
and the pools are chosen without a look at who met the item. Rows of the tested people are in no arm's favour:
all arms are tested on the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import test_people
from groundlings.experiments.labs.warmup.config import ColdConfig

TRAIN_SHARE, TEST_SHARE = 0.8, 0.1
"""Of the rows on old items, as in ColdRec; the tenth that is left is looked at by nobody."""


@dataclass(frozen=True)
class ColdSplit:
    """The parts of one history; see the module.

    Attributes:
        new: Items that are measured, ascending.
        hidden: Items to learn from, ascending.
        panel, tested: People, ascending.
        train, warm_test, cold_test, early: Rows.
        labels: Hidden items, panel: what the audience's judgement is fitted on.
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
            raise DataError("warm-up split: somebody is in the panel and tested, or an item is both new and hidden")


def split_cold(dataset: Dataset, config: ColdConfig, salt: str, chance: np.random.Generator) -> ColdSplit:
    """Choose the new items and part the history.

    Raises:
        ConfigError: An id of the list is unknown, or nothing would be left to learn from or to measure.
    """
    history = dataset.interactions
    new, hidden = choose_items(dataset, config, chance)
    tested = test_people(dataset.people.user_ids, salt)
    of_tested = tested[history.users]
    lot = chance.random(len(history))
    of_new, of_hidden = np.isin(history.items, new), np.isin(history.items, hidden)
    old = ~of_new & ~of_hidden
    train = history.take(old & (lot < TRAIN_SHARE))
    known = np.bincount(train.users, minlength=history.n_users) > 0
    split = ColdSplit(
        new=new,
        hidden=hidden,
        panel=np.flatnonzero(~tested & known),
        tested=np.flatnonzero(tested & known),
        train=train,
        warm_test=history.take(old & of_tested & (lot >= 1 - TEST_SHARE)),
        cold_test=history.take(of_new & of_tested),
        early=history.take(of_new & ~of_tested),
        labels=history.take(of_hidden & ~of_tested),
    )
    if not len(split.cold_test) or not len(split.early):
        raise ConfigError("cold: nobody met the new items; choose others, or a larger share")
    return split


def choose_items(dataset: Dataset, config: ColdConfig, chance: np.random.Generator) -> tuple[IntArray, IntArray]:
    """The new items and the hidden ones, ascending; only items that somebody met are chosen."""
    met = np.flatnonzero(dataset.interactions.item_counts > 0)
    if config.choose == "list":
        new = np.unique(_rows(dataset, config.items))
        others = np.setdiff1d(met, new)
        if len(others) < 2 * len(new):
            raise ConfigError(
                f"cold.items: found {len(new)} new items, with {len(others)} others to learn from; too few"
            )
        return new, np.sort(chance.choice(others, len(new), replace=False))
    count = round(config.share * len(met))
    order = chance.permutation(met)
    if config.choose == "newest":
        years = dataset.catalog.years[order]  # the draw decides within a year; an unknown year is never new
        order = order[np.argsort(-np.nan_to_num(years, nan=-np.inf), kind="stable")]
    # The newest are chosen as one group, and halves of it drawn, so that hidden and new items are of one kind.
    cold = chance.permutation(order[:count])
    if count < 2:
        raise ConfigError(
            f"cold.share: {config.share} of {len(met)} items leaves none to measure; choose a larger share"
        )
    return np.sort(cold[: count // 2]), np.sort(cold[count // 2 :])


def _rows(dataset: Dataset, item_ids: Sequence[str]) -> IntArray:
    rows = dataset.catalog.rows(item_ids)
    for item_id, row in zip(item_ids, rows, strict=True):
        if row is None:
            near = get_close_matches(item_id, dataset.catalog.item_ids, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ConfigError(f"cold.items: {dataset.name} has no item {item_id!r}{hint}")
    return np.array(rows, dtype=np.int64)
