"""Estimators of clicks per session under a policy, from the lists of another one.

Each gives a numerator and a denominator per session, so that the estimate of any group of sessions is a ratio of sums.

    on_policy       no correction: what the logging policy got (the trivial estimator)
    direct          a model of clicks alone, on lists that the policy draws
    ips             inverse propensity of the whole session
    snips           the same, self-normalised
    item_position   inverse propensity of each slot's own item (Li, Abbasi-Yadkori, Kveton et al. 2018, "Offline
                    evaluation of ranking policies with click models", KDD)
    pseudo_inverse  slates of one page (Swaminathan, Krishnamurthy, Agarwal et al. 2017, "Off-policy evaluation for
                    slate recommendation", NeurIPS), in the form for policies whose slots hardly depend on each other
    cascade         pages up to a click's own (McInerney et al. 2020)
    doubly_robust   cascade around the model (Kiyohara et al. 2022)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, ItemArray
from groundlings.experiments.labs.off_policy.logged import LoggedLists
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.chances import chances_of

ESTIMATORS = (
    "on_policy", "direct", "ips", "snips", "item_position", "pseudo_inverse", "cascade", "doubly_robust",
)  # fmt: skip

MARGINAL_DRAWS = 20
"""Lists of each session over which the chances of a slot are averaged."""

MODEL_DRAWS = 8
"""Lists of each session that the model's value of a policy is a mean of."""

_PRIOR = 20.0
"""Impressions at the mean rate that every item is given by the model."""


@dataclass(frozen=True, slots=True)
class PerSession:
    """An estimate as a ratio: shape (n,) each."""

    numerator: FloatArray
    denominator: FloatArray

    def of(self, rows: BoolArray) -> float:
        """The estimate of some sessions; NaN where their weights are all 0."""
        total = self.denominator[rows].sum()
        return float(self.numerator[rows].sum() / total) if total else float("nan")


@dataclass(frozen=True, slots=True)
class ClickModel:
    """P(click) of an item at a rank: the rank's rate times how much more the item is clicked than others.

    Attributes:
        ranks: Clicks per impression at each rank, shape (depth,).
        items: Of each item relative to what its ranks would let expect, shape (n_items,).
        goes_on: P(the next page is seen | this one is), shape (pages,); 0 for the last.
    """

    ranks: FloatArray
    items: FloatArray
    goes_on: FloatArray

    @classmethod
    def fit(cls, logged: LoggedLists, rows: BoolArray) -> ClickModel:
        """From some of the sessions."""
        items, clicks = logged.items[rows], logged.clicks[rows]
        shown = items != NO_ITEM
        ranks = clicks.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
        row, rank = np.nonzero(shown)
        n_items = logged.seen.shape[1]
        got = np.bincount(items[row, rank], clicks[row, rank], minlength=n_items)
        expected = np.bincount(items[row, rank], ranks[rank], minlength=n_items)
        prior = _PRIOR * max(float(clicks.sum() / max(shown.sum(), 1)), 1e-9)
        pages = logged.by_page(shown.astype(np.float64))[:, :, 0].sum(axis=0)
        goes_on = np.append(pages[1:] / np.maximum(pages[:-1], 1), 0.0)
        return cls(ranks, (got + prior) / (expected + prior), goes_on)

    def of_pages(self, items: ItemArray, first: int) -> FloatArray:
        """Clicks to be expected of pages that begin at a rank, shape (n,)."""
        chance = self.ranks[first : first + items.shape[1]] * self.items[np.maximum(items, 0)]
        return np.where(items == NO_ITEM, 0.0, chance).sum(axis=1)


def estimates(
    logged: LoggedLists, target: Recommender, marginals: FloatArray, halves: BoolArray
) -> Mapping[str, PerSession]:
    """All estimators of one policy.

    Args:
        logged: What was logged.
        target: The policy, fitted as it was in the run.
        marginals: The logging policy's chance of each logged item at its rank whatever stands before it, shape (n,
            depth); see `slot_chances`.
        halves: Which half a session is in: the model of each half is fitted on the other.
    """
    shown = logged.items != NO_ITEM
    ones, total = np.ones(len(logged)), logged.clicks.sum(axis=1)
    ratio = np.where(shown, chances_of(target, logged.request(), logged.items) / logged.chances, 1.0)
    weights = logged.by_page(ratio).prod(axis=2)
    upto = np.cumprod(weights, axis=1)
    rewards = logged.by_page(logged.clicks).sum(axis=2)
    possible = shown & (marginals > 0)
    own = np.where(possible, slot_chances(logged, target) / np.where(possible, marginals, 1.0), 0.0)
    logged_values, target_values, modelled = _model_values(logged, target, halves)
    before = np.column_stack([ones, upto[:, :-1]])
    robust = (upto * (rewards - logged_values) + before * target_values).sum(axis=1)
    found = {
        "on_policy": PerSession(total, ones),
        "direct": PerSession(modelled, ones),
        "ips": PerSession(upto[:, -1] * total, ones),
        "snips": PerSession(upto[:, -1] * total, upto[:, -1]),
        "item_position": PerSession((own * logged.clicks).sum(axis=1), ones),
        "cascade": PerSession((upto * rewards).sum(axis=1), ones),
        "doubly_robust": PerSession(robust, ones),
    }
    if logged.pages == 1:
        slate = own.sum(axis=1) - np.maximum(shown.sum(axis=1) - 1, 0)
        found["pseudo_inverse"] = PerSession(slate * total, ones)
    return {name: found[name] for name in ESTIMATORS if name in found}


def slot_chances(logged: LoggedLists, policy: Recommender) -> FloatArray:
    """P(logged item at its rank), whatever stands at other ranks, shape (n, depth).

    The mean, over lists that the policy draws, of the item's chance behind the first ranks of such a list: exact at the
    first rank, and for an item that is seldom drawn far more precise than counting would be.
    """
    items = logged.items
    if not policy.randomised:
        return (policy.recommend(logged.request()).items == items).astype(np.float64)
    found = np.zeros(items.shape)
    for number in range(MARGINAL_DRAWS):
        drawn = policy.recommend(logged.request(1 + number)).items
        for rank in range(items.shape[1]):
            lists = drawn[:, : rank + 1].copy()
            lists[:, rank] = items[:, rank]
            there = (lists[:, :rank] == lists[:, rank : rank + 1]).any(axis=1)
            lists[there, rank] = NO_ITEM
            chance = chances_of(policy, logged.request(size=rank + 1), lists)[:, rank]
            found[:, rank] += np.where(there, 0.0, chance)
    return found / MARGINAL_DRAWS


def _model_values(
    logged: LoggedLists, target: Recommender, halves: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The model's value from each page on: of the logged page, of the policy's, and of whole sessions of the policy.

    Shapes (n, pages), (n, pages) and (n,). Values are 0 for pages that were not seen.
    """
    size, n = logged.page_size, len(logged)
    seen = logged.items[:, ::size] != NO_ITEM
    models = {half: ClickModel.fit(logged, halves != half) for half in (False, True)}
    of_logged, of_target = np.zeros((n, logged.pages)), np.zeros((n, logged.pages))
    future = dict.fromkeys(models, 0.0)
    for page in range(logged.pages - 1, -1, -1):
        first = page * size
        drawn = [
            target.recommend(logged.request(10_000 + MODEL_DRAWS * page + draw, logged.items[:, :first], size)).items
            for draw in range(MODEL_DRAWS if target.randomised else 1)
        ]
        for half, model in models.items():
            mine = halves == half
            here = np.mean([model.of_pages(items[mine], first) for items in drawn], axis=0)
            later = model.goes_on[page] * future[half]
            of_target[mine, page] = here + later
            of_logged[mine, page] = model.of_pages(logged.items[mine, first : first + size], first) + later
            # What follows is valued as the policy's pages are on average: a later page is seen by some.
            future[half] = float(here.mean() + later) if mine.any() else 0.0
    whole = of_target[:, 0].copy()
    return np.where(seen, of_logged, 0.0), np.where(seen, of_target, 0.0), whole
