"""Part 5: controlled probes. One thing is changed, everything else, luck included, stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.experiments.analysis.compare import Estimate, mean_interval, paired_difference
from groundlings.experiments.labs.fidelity.records import Baseline, Record, is_better, is_within
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.labs.fidelity.visits import Days, Visited, visit
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender

PART = "probes"
POSITIVITY_LIMIT = 0.10
"""Shares of positive action of real people lie below this (OmniBehavior, arXiv 2604.08362)."""

EXPONENT_TOLERANCE = 0.1
FATIGUE_PAGES = 8
FEWEST_AT_RISK = 50
"""A hazard is not reported of fewer people."""


def examine_probes(stage: Stage) -> list[Record]:
    """Records of part 5."""
    random_order, ease = RandomOrderRecommender(), EaseRecommender()
    for recommender in (random_order, ease):
        recommender.fit(stage.train, stage.dataset.catalog)
    return [
        *_position(stage, random_order),
        *_random_slates(stage, random_order),
        *_fatigue(stage, ease),
        *_filter_bubble(stage),
        *_dose_response(stage, ease),
    ]


@dataclass
class FixedSlates(Recommender):
    """Shows the same items again in other positions.

    Attributes:
        slates: One row per user of the data set, shape (n_users, size).
        shift: By how many slots everything is moved down, the last coming first.
    """

    slates: ItemArray
    shift: int = 0

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """The slate of each user, rotated."""
        items = np.roll(self.slates[request.users], self.shift, axis=1)[:, : request.size]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))


def _record(
    task: str,
    metric: str,
    found: Estimate,
    definition: str,
    baseline: Baseline | None = None,
    holds: bool | None = None,
) -> Record:
    return Record(
        PART, task, MIND, metric, "mind", found.mean, found.low, found.high, found.n, "people", definition, baseline,
        holds=holds,
    )  # fmt: skip


def _position(stage: Stage, random_order: Recommender) -> list[Record]:
    """Each item of a page stands once in each slot, so what differs between slots is the slot."""
    task, size = "position rotation", stage.config.site.page_size
    site = PaginatedFeed(size, 1, stage.dataset.scale)
    slates = np.zeros((stage.train.n_users, size), dtype=np.int32)
    slates[stage.testers] = visit(stage, random_order, stage.mind, site, day=0).shown
    rates = np.zeros((len(stage.testers), size))
    for shift in range(size):
        rates += visit(stage, FixedSlates(slates, shift), stage.mind, site, day=0).chances / size
    slots = np.log(np.arange(1, size + 1))
    slope = -float(np.polyfit(slots, np.log(np.maximum(rates.mean(axis=0), 1e-12)), 1)[0])
    wanted = stage.config.mind.examination_exponent
    of_slot = "Share of impressions opened in this slot, every item standing in each slot once."
    return [
        *(
            _record(task, f"click rate, slot {slot + 1}", mean_interval(rates[:, slot]), of_slot)
            for slot in range(size)
        ),
        _record(
            task,
            "first-slot premium",
            mean_interval(rates[:, 0] - rates[:, 1:].mean(axis=1)),
            "Click rate in the first slot less the mean of the others. MovieLens records no exposure, so there is no "
            "real curve to hold it against.",
        ),
        _record(
            task,
            "examination exponent",
            Estimate(slope, None, None, None, len(rates), 0),
            "Slope of log click rate over log slot, turned round. The claim is integrity alone: the probe finds the "
            "exponent that the options set.",
            Baseline("options", wanted),
            abs(slope - wanted) <= EXPONENT_TOLERANCE,
        ),
    ]


def _random_slates(stage: Stage, random_order: Recommender) -> list[Record]:
    """How often people open what chance shows them."""
    site = PaginatedFeed(stage.config.site.page_size, 1, stage.dataset.scale)
    today = visit(stage, random_order, stage.mind, site, day=0)
    shown = (today.shown != NO_ITEM).sum(axis=1)
    found = mean_interval(today.clicks / np.maximum(shown, 1))
    held = np.diff(stage.held_out[stage.testers].indptr)
    unmet = stage.train.n_items - np.diff(stage.train.matrix[stage.testers].indptr)
    return [
        _record(
            "random slates",
            "click rate",
            found,
            "Share of impressions of random unmet items that are opened; the claim: below 0.1, as positive actions of "
            "real people are. Beside it the chance that such an item is among those really met in the held-out part, "
            "which is not the same: nobody was shown them all.",
            Baseline("real people, met later", float((held / unmet).mean())),
            is_within(found.low, found.high, (None, POSITIVITY_LIMIT)),
        )
    ]


def _fatigue(stage: Stage, ease: Recommender) -> list[Record]:
    """The chance to leave after each page, among those who saw it and could have gone on."""
    site = PaginatedFeed(stage.config.site.page_size, FATIGUE_PAGES, stage.dataset.scale)
    visits = visit(stage, ease, stage.mind, site, day=0)
    definition = (
        "Share of those who see this page that leave after it (Kaplan and Meier 1958: visits cut short by the last "
        "page are censored there)."
    )
    records, hazards = [], []
    for page in range(1, FATIGUE_PAGES):
        at_risk = visits.pages >= page
        if at_risk.sum() >= FEWEST_AT_RISK:
            hazard = mean_interval(np.where(at_risk, (visits.pages == page) & visits.left, np.nan).astype(np.float64))
            hazards.append(hazard)
            records.append(_record("fatigue", f"exit hazard, page {page}", hazard, definition))
    if len(hazards) > 1:
        rise = _rise(hazards[0], hazards[-1])
        what = (
            f"Hazard after page {len(hazards)} less that after page 1. No public data set records real exits: the rate "
            "is a setting, and this says only that fatigue acts."
        )
        records.append(_record("fatigue", "hazard rise", rise, what, holds=rise.low is not None and rise.low > 0))
    return records


def _rise(first: Estimate, last: Estimate) -> Estimate:
    """Difference of two shares as if of different people, which makes the interval wider and never narrower."""
    if first.mean is None or last.mean is None or first.standard_error is None or last.standard_error is None:
        return Estimate(None, None, None, None, last.n, 0)
    error = float(np.hypot(first.standard_error, last.standard_error))
    rise = last.mean - first.mean
    return Estimate(rise, error, rise - 1.96 * error, rise + 1.96 * error, last.n, 0)


def _filter_bubble(stage: Stage) -> list[Record]:
    """Does a recommender that learns from its own effect narrow what is shown, beside one that cannot?"""
    days = stage.config.visits.days
    genres = stage.dataset.catalog.genre_matrix.astype(np.float64)
    if not genres.any():
        return []
    changes: dict[str, dict[str, FloatArray]] = {}
    for name, recommender in (("EASE", EaseRecommender()), ("random order", RandomOrderRecommender())):
        lives = Days(stage, recommender, stage.mind, stage.site).live(days)
        seen = [_genre_spread(today, genres, stage.site.page_size) for today in lives]
        changes[name] = {key: seen[-1][key] - seen[0][key] for key in seen[0]}
    records = []
    for key, definition in (
        ("genre entropy", "Entropy of the genres shown to a person on the last day less that on the first, in bits."),
        ("top genre share", "Share of a person's most frequent genre on the last day less that on the first."),
    ):
        own, control = changes["EASE"][key], changes["random order"][key]
        gap = paired_difference(own, control)
        records.append(
            _record(
                f"filter bubble, {days} days",
                f"{key}, change",
                mean_interval(own),
                f"{definition} EASE that learns every night, beside random order with the same luck. The claim: it "
                "narrows more than the control.",
                Baseline("random order", float(control.mean()), gap.difference, gap.low, gap.high),
                is_better(gap, higher_is_better=key == "top genre share"),
            )
        )
    return records


def _genre_spread(today: Visited, genres: FloatArray, page_size: int) -> dict[str, FloatArray]:
    """Entropy and largest share of the genres shown to each person on the first page, which everybody sees."""
    first = today.shown[:, :page_size]
    shown = first != NO_ITEM
    mix = (genres[np.where(shown, first, 0)] * shown[:, :, None]).sum(axis=1)
    total = mix.sum(axis=1, keepdims=True)
    shares = np.divide(mix, total, out=np.zeros_like(mix), where=total > 0)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return {"genre entropy": -(shares * logs).sum(axis=1), "top genre share": shares.max(axis=1)}


def _dose_response(stage: Stage, ease: Recommender) -> list[Record]:
    """Slots of EASE filled at random, more and more of them: clicks must fall at every step."""
    definition = (
        "Expected clicks a visit (sum of the click probabilities of the pages seen) when this share of the slots of "
        "EASE is filled by random items; beside it the dose before, same people and luck. The claim: clicks fall."
    )
    records: list[Record] = []
    before: tuple[str, FloatArray] | None = None
    for dose in (0.0, *stage.config.visits.doses):
        recommender = ease if dose == 0 else DegradedRecommender(ease, dose)
        clicks = visit(stage, recommender, stage.mind, stage.site, day=0).expected_clicks
        baseline, holds = None, None
        if before is not None:
            gap = paired_difference(clicks, before[1])
            baseline = Baseline(before[0], float(before[1].mean()), gap.difference, gap.low, gap.high)
            holds = is_better(gap, higher_is_better=False)
        name = f"{dose:.0%} random"
        records.append(_record("dose-response", f"clicks, {name}", mean_interval(clicks), definition, baseline, holds))
        before = name, clicks
    falls = [record.holds for record in records if record.holds is not None]
    share = Estimate(float(np.mean(falls)), None, None, None, records[0].n, 0)
    of_steps = "Share of the steps in dose at which clicks clearly fall."
    return [*records, _record("dose-response", "falling steps", share, of_steps, holds=all(falls))]
