"""What each group of items got in each arm: impressions, clicks, purchases and revenue, as shares of the whole.

With providers (sellers, publishers) as groups this is provider exposure: a group's share of impressions is held against
its share of the catalog and of real interactions, as exposure is against merit in Singh and Joachims 2018, "Fairness of
exposure in rankings", KDD. Every impression counts the same here, whatever its slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.metrics.background import Background, read_background
from groundlings.experiments.analysis.metrics.item_counts import (
    CLICKS,
    KNOWN,
    PAID,
    PRICED,
    PURCHASES,
    SHOWN,
    ArmItems,
    difference,
    estimate,
    read_item_counts,
)
from groundlings.experiments.config.item_groups import CATEGORY, POPULARITY, GroupsConfig, ItemTableConfig
from groundlings.simulator.log.reader import LogReader

MOST_GROUPS = 12
"""Groups shown of a grouping: the largest by impressions; the others are put together."""
OTHERS = "all others"
THIRDS = ("least popular third", "middle third", "most popular third")

COUNTED = (SHOWN, CLICKS, PURCHASES, PAID)

_OUTCOMES, _PRICES = (SHOWN, KNOWN), (PURCHASES, PRICED)
_RESTS_ON = {SHOWN: (), CLICKS: (_OUTCOMES,), PURCHASES: (_OUTCOMES,), PAID: (_OUTCOMES, _PRICES)}
"""What is counted -> pairs of how much there is and of how much of it something is known."""
_LITTLE = 1e-9
"""Sums of parts of items that are less are nothing but rounding."""


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """One group of items in one arm.

    Attributes:
        total: Of all agents: how many impressions, clicks or purchases, or how much money.
        share: Of the total of all groups, with its interval.
        difference: Of the share to the first arm's; None for the first arm itself.
    """

    total: float
    share: Estimate
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """One group of items.

    Attributes:
        name: The group.
        items: How many items it has; an item of several categories counts in equal parts.
        of_catalog: Its share of the items whose group is known.
        of_interactions: Its share of the training interactions with them; None where that is not known.
        arms: Arm -> "shown", "clicks", "purchases" or "paid" -> figure; absent are what nobody did in the whole arm,
            and what is not known of any item of the group: it was shown, and no outcome is known, or bought, and no
            price is.
    """

    name: str
    items: float
    of_catalog: float
    of_interactions: float | None
    arms: Mapping[str, Mapping[str, GroupFigure]]

    def exposure_ratio(self, arm: str) -> float | None:
        """Share of impressions per share of real interactions: 1 = as often shown as wanted; None where not known."""
        shown = self.arms[arm].get(SHOWN)
        if shown is None or shown.share.mean is None or not self.of_interactions:
            return None
        return shown.share.mean / self.of_interactions


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way to group the items.

    Attributes:
        name: "category", "popularity", or that of a table.
        groups: The largest by impressions first, all others together last.
        unknown: Share of the impressions whose item has no known group, by arm; they are in no share.
        missing: Why there is none, "" where there is.
    """

    name: str
    groups: tuple[ItemGroup, ...] = ()
    unknown: Mapping[str, float] | None = None
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def measure_groups(log: LogReader, arms: Sequence[ArmItems] | None = None) -> tuple[Grouping, ...]:
    """What each group of items got, by every grouping that the experiment names.

    Args:
        log: The run's.
        arms: What `read_item_counts` read from it; read if absent.

    Raises:
        RunDirectoryError: What lies beside the log is damaged.
    """
    arms = read_item_counts(log) if arms is None else arms
    background = read_background(log)
    config = GroupsConfig.model_validate(log.run()["config"].get("groups") or {})
    found = []
    for each in config.items:
        name = each.name if isinstance(each, ItemTableConfig) else each
        labels = _labels(name, log, background)
        if isinstance(labels, str):
            found.append(Grouping(name, missing=labels))
        else:
            found.append(_grouping(name, labels, arms, background))
    return tuple(found)


def _labels(name: str, log: LogReader, background: Background | None) -> list[tuple[str, ...]] | str:
    """The groups of each item, or why they are not known."""
    if name == CATEGORY:
        found = [tuple(dict.fromkeys(item.genres)) for item in log.logged_items()]
        return found if any(found) else "no item of this run has a category"
    if background is None:
        return "the file background.json, which tells it, is not beside the log"
    if name == POPULARITY:
        return [(THIRDS[third],) for third in background.thirds]
    labels = background.groups.get(name)
    return (
        f"background.json has no grouping {name}" if labels is None else [(label,) if label else () for label in labels]
    )


def _grouping(
    name: str, labels: Sequence[tuple[str, ...]], arms: Sequence[ArmItems], background: Background | None
) -> Grouping:
    members, groups = _members(labels)
    of_arm = {
        arm.name: {what: (arm.counts[what] @ members).toarray() for what in (*COUNTED, KNOWN, PRICED)} for arm in arms
    }
    members, groups, of_arm = _largest(members, groups, of_arm)
    known = np.asarray(members.sum(axis=1)).ravel()
    sizes = np.asarray(members.sum(axis=0)).ravel()
    wanted = None if background is None else np.array(background.item_interactions, dtype=np.float64) @ members
    shares = {arm.name: {what: _shares(of_arm[arm.name], what, arm.filled) for what in COUNTED} for arm in arms}
    found = tuple(
        ItemGroup(
            group,
            float(sizes[place]),
            float(sizes[place] / sizes.sum()),
            None if wanted is None or not wanted.sum() else float(wanted[place] / wanted.sum()),
            {
                arm.name: {
                    what: _figure(place, arm, arms[0], what, of_arm, shares)
                    for what in COUNTED
                    if not np.isnan(shares[arm.name][what][0][place])
                }
                for arm in arms
            },
        )
        for place, group in enumerate(groups)
    )
    unknown = {
        arm.name: float(1 - arm.total(SHOWN) @ known / max(arm.total(SHOWN).sum(), 1.0)) if arm.agents else 0.0
        for arm in arms
    }
    return Grouping(name, found, unknown)


def _members(labels: Sequence[tuple[str, ...]]) -> tuple[sp.csr_array, list[str]]:
    """In which parts an item belongs to each group, shape (n_items, n_groups); its parts add up to 1, or to 0."""
    groups = list(dict.fromkeys(name for names in labels for name in names))
    column = {name: number for number, name in enumerate(groups)}
    lengths = np.array([len(names) for names in labels], dtype=np.int64)
    cells = [column[name] for names in labels for name in names]
    weights = np.repeat(1 / np.maximum(lengths, 1), lengths)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return sp.csr_array((weights, cells, bounds), shape=(len(labels), len(groups))), groups


def _largest(
    members: sp.csr_array, groups: list[str], of_arm: Mapping[str, Mapping[str, FloatArray]]
) -> tuple[sp.csr_array, list[str], dict[str, dict[str, FloatArray]]]:
    """The groups with most impressions, the largest first, and the others together."""
    shown = sum((parts[SHOWN].sum(axis=0) for parts in of_arm.values()), start=np.zeros(len(groups)))
    order = np.argsort(-shown, kind="stable")
    kept, rest = order[:MOST_GROUPS], order[MOST_GROUPS:]
    onto = np.zeros((len(groups), len(kept) + (len(rest) > 0)))
    onto[kept, np.arange(len(kept))] = 1.0
    onto[rest, -1] += 1.0 if len(rest) else 0.0
    names = [groups[place] for place in kept] + ([f"{OTHERS} ({len(rest)})"] if len(rest) else [])
    summed = {arm: {what: parts @ onto for what, parts in each.items()} for arm, each in of_arm.items()}
    return sp.csr_array(members @ onto), names, summed


def _shares(parts: Mapping[str, FloatArray], what: str, filled: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Each group's share, shape (n_groups,), and the same without each part, shape (n_filled, n_groups).

    NaN where nobody did it, and where nothing is known of what there is in a group.
    """
    whole = {name: counts.sum(axis=0) for name, counts in parts.items()}
    rest = {name: whole[name] - counts[list(filled)] for name, counts in parts.items()}
    return _shares_in(whole, what), _shares_in(rest, what)


def _shares_in(counts: Mapping[str, FloatArray], what: str) -> FloatArray:
    """Along the last axis, which is that of groups."""
    total = counts[what].sum(axis=-1, keepdims=True)
    found = np.divide(counts[what], total, out=np.full(counts[what].shape, np.nan), where=total > 0)
    for there, known in _RESTS_ON[what]:
        found[(counts[there] > _LITTLE) & (counts[known] <= _LITTLE)] = np.nan
    return found


def _figure(
    place: int,
    arm: ArmItems,
    first: ArmItems,
    what: str,
    of_arm: Mapping[str, Mapping[str, FloatArray]],
    shares: Mapping[str, Mapping[str, tuple[FloatArray, FloatArray]]],
) -> GroupFigure:
    whole, without = shares[arm.name][what]
    base, base_without = shares[first.name][what]
    ours = (float(whole[place]), without[:, place])
    gap = None if arm is first else difference(ours, (float(base[place]), base_without[:, place]), arm.agents)
    return GroupFigure(float(of_arm[arm.name][what][:, place].sum()), estimate(*ours, arm.agents), gap)
