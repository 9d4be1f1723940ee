"""What people did before the simulation, item by item: how often, how much and how long ago.

Told where the data have kinds of events or nobody rates: there is then no rating to tell a taste by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import KINDS, Interactions, Kind

_SECONDS_PER_DAY = 86_400
_OPINIONS = tuple(KINDS.index(kind) for kind in ("rating", "like", "dislike"))
"""Kinds that say what somebody thinks of an item, not that they took it."""
_TOLD_AMOUNTS: frozenset[Kind] = frozenset({"purchase", "play", "interaction"})


@dataclass(frozen=True, slots=True)
class Act:
    """What one person did with one item.

    Attributes:
        item: Its number.
        kind: What was done.
        count: How often.
        days: Days from the last time to the beginning of the simulation, rounded down; None where times are unknown.
        amount: Quantity or play time of all times together; None where the data give none, or not for each time.
    """

    item: int
    kind: Kind
    count: int
    days: int | None
    amount: float | None


def acts_of(rows: Interactions, opening: int | None) -> tuple[Act, ...]:
    """What the rows of one person tell, the most frequent first, then the largest amount, then the latest.

    Args:
        rows: Of that person alone.
        opening: When the simulation begins, in seconds since 1970; None where times are unknown.
    """
    kinds = np.zeros(len(rows), dtype=np.int8) if rows.kinds is None else rows.kinds
    taken = np.flatnonzero(~np.isin(kinds, _OPINIONS))
    seconds = np.asarray(rows.seconds)
    groups: dict[tuple[int, int], list[int]] = {}
    for row in taken.tolist():
        groups.setdefault((int(rows.items[row]), int(kinds[row])), []).append(row)
    found = [
        (float(seconds[own].max()), Act(item, KINDS[kind], len(own), None, _amount(rows, own)))
        for (item, kind), own in groups.items()
    ]
    ordered = sorted(found, key=lambda each: (-each[1].count, -(each[1].amount or 0.0), -each[0], each[1].item))
    if opening is None:
        return tuple(act for _, act in ordered)
    return tuple(replace(act, days=max(int((opening - last) // _SECONDS_PER_DAY), 0)) for last, act in ordered)


def _amount(rows: Interactions, own: Sequence[int]) -> float | None:
    if rows.weights is None or np.isnan(rows.weights[own]).any():
        return None
    return float(rows.weights[own].sum())


def act_words(acts: Sequence[Act], titles: Sequence[str], catalog: Catalog, since: str) -> str:
    """Acts in words: "bought Green tea (14 times, last 3 days before the simulation); looked at Chai (once)".

    Args:
        acts: What was done.
        titles: The items' titles as they are to be shown, one per act.
        catalog: For the verbs.
        since: What days are counted back from.
    """
    return "; ".join(_words(acts, titles, catalog, since))


def _words(acts: Sequence[Act], titles: Sequence[str], catalog: Catalog, since: str) -> Iterator[str]:
    verb = ""
    for act, title in zip(acts, titles, strict=True):
        did = catalog.words.did(act.kind)
        amount = None if act.amount is None or act.kind not in _TOLD_AMOUNTS else _plain(act.amount)
        if amount is not None and catalog.words.counts_plays and _is_count(act):
            told = ["once" if act.amount == 1 else f"{amount} times"]
        else:
            told = [{1: "once", 2: "twice"}.get(act.count, f"{act.count:,} times")]
            told += [f"{amount} in all"] if amount is not None and act.amount != act.count else []
        if act.days is not None:
            told.append(f"{'' if told[0] == 'once' else 'last '}{_ago(act.days)} before {since}")
        yield f"{'' if did == verb else did + ' '}{title} ({', '.join(told)})"
        verb = did


def _is_count(act: Act) -> bool:
    """Whether an amount of plays can be how many there were."""
    return act.kind == "play" and act.amount is not None and act.amount >= 1 and act.amount.is_integer()


def _plain(amount: float) -> str:
    """An amount with at most two decimals, and none where it is whole."""
    return f"{amount:,.2f}".rstrip("0").rstrip(".")


def _ago(days: int) -> str:
    return "less than a day" if days == 0 else "1 day" if days == 1 else f"{days:,} days"
