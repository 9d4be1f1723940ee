"""Part 5: controlled probes. One thing is changed; all else, random numbers included, stays the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.experiments.analysis.compare import Estimate, mean_interval, paired_difference, within, within_one
from groundlings.experiments.labs.fidelity.records import Baseline, Record, is_better, is_within
from groundlings.experiments.labs.fidelity.sessions import Days, simulate_sessions
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.running.short_sessions import ShortSessions
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.random_order import RandomOrderRecommender

PART = "probes"
POSITIVITY_LIMIT = 0.10
"""Real users' shares of positive actions lie below this (OmniBehavior, arXiv 2604.08362)."""

EXPONENT_TOLERANCE = 0.1
FATIGUE_PAGES = 8
FEWEST_AT_RISK = 50
"""No hazard is reported for fewer agents."""


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
        shift: Number of slots by which all items are rotated downwards.
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
    """Each item of a page is in each slot once, so that only the slot differs."""
    task, size = "position rotation", stage.config.site.page_size
    site = PaginatedFeed(size, 1, stage.dataset.scale, opinions=stage.dataset.opinions)
    slates = np.zeros((stage.train.n_users, size), dtype=np.int32)
    slates[stage.testers] = simulate_sessions(stage, random_order, stage.mind, site, day=0).shown
    rates = np.zeros((len(stage.testers), size))
    for shift in range(size):
        rates += simulate_sessions(stage, FixedSlates(slates, shift), stage.mind, site, day=0).chances / size
    slots = np.log(np.arange(1, size + 1))
    slope = -float(np.polyfit(slots, np.log(np.maximum(rates.mean(axis=0), 1e-12)), 1)[0])
    wanted = stage.mind.parameters.exponent
    of_slot = "Click-through rate of this slot, with every item in each slot once."
    return [
        *(
            _record(task, f"click rate, slot {slot + 1}", within_one(mean_interval(rates[:, slot])), of_slot)
            for slot in range(size)
        ),
        _record(
            task,
            "first-slot premium",
            mean_interval(rates[:, 0] - rates[:, 1:].mean(axis=1)),
            "Click-through rate of the first slot less the mean of the others. MovieLens records no exposure, so there "
            "is no real curve to compare it with.",
        ),
        _record(
            task,
            "examination exponent",
            Estimate(slope, None, None, None, len(rates), 0),
            "Negative slope of log click-through rate over log slot. The claim is only that the probe finds the "
            "exponent that the options set.",
            Baseline("options", wanted),
            abs(slope - wanted) <= EXPONENT_TOLERANCE,
        ),
    ]


def _random_slates(stage: Stage, random_order: Recommender) -> list[Record]:
    """Click-through rate of random items."""
    site = PaginatedFeed(stage.config.site.page_size, 1, stage.dataset.scale, opinions=stage.dataset.opinions)
    today = simulate_sessions(stage, random_order, stage.mind, site, day=0)
    shown = (today.shown != NO_ITEM).sum(axis=1)
    found = within_one(mean_interval(today.clicks / np.maximum(shown, 1)))
    held = np.diff(stage.held_out[stage.testers].indptr)
    candidates = stage.train.n_items - np.diff(stage.train.matrix[stage.testers].indptr)
    return [
        _record(
            "random slates",
            "click rate",
            found,
            "Click-through rate of random candidates; the claim: below 0.1, like positive actions of real users. It is "
            "given with the share of candidates with a held-out interaction, which is not the same, because no user "
            "was shown all of them.",
            Baseline("real people, met later", float((held / candidates).mean())),
            is_within(found.low, found.high, (None, POSITIVITY_LIMIT)),
        )
    ]


def _fatigue(stage: Stage, ease: Recommender) -> list[Record]:
    """P(exit after each page), among the agents who saw it and could have continued."""
    site = PaginatedFeed(
        stage.config.site.page_size, FATIGUE_PAGES, stage.dataset.scale, opinions=stage.dataset.opinions
    )
    sessions = simulate_sessions(stage, ease, stage.mind, site, day=0)
    definition = (
        "Share of the agents who see this page that leave after it (Kaplan and Meier 1958: sessions that the last page "
        "ends are censored)."
    )
    records, hazards = [], []
    for page in range(1, FATIGUE_PAGES):
        at_risk = sessions.pages >= page
        if at_risk.sum() >= FEWEST_AT_RISK:
            hazard = mean_interval(
                np.where(at_risk, (sessions.pages == page) & sessions.left, np.nan).astype(np.float64)
            )
            hazards.append(hazard)
            records.append(_record("fatigue", f"exit hazard, page {page}", within_one(hazard), definition))
    if len(hazards) > 1:
        rise = _rise(hazards[0], hazards[-1])
        what = (
            f"Hazard after page {len(hazards)} less that after page 1. No public data set records real exits: the rate "
            "is a setting, and this shows only that fatigue has an effect."
        )
        records.append(_record("fatigue", "hazard rise", rise, what, holds=rise.low is not None and rise.low > 0))
    return records


def _rise(first: Estimate, last: Estimate) -> Estimate:
    """Difference of two shares as if of independent samples, which makes the interval wider, never narrower."""
    if first.mean is None or last.mean is None or first.standard_error is None or last.standard_error is None:
        return Estimate(None, None, None, None, last.n, 0)
    error = float(np.hypot(first.standard_error, last.standard_error))
    rise = last.mean - first.mean
    return Estimate(rise, error, rise - 1.96 * error, rise + 1.96 * error, last.n, 0)


def _filter_bubble(stage: Stage) -> list[Record]:
    """Whether a recommender that is refitted on its own log narrows what it shows, compared with random order."""
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
        ("genre entropy", "Entropy of the genres shown to an agent on the last day less that on the first, in bits."),
        ("top genre share", "Share of an agent's most frequent genre on the last day less that on the first."),
    ):
        own, control = changes["EASE"][key], changes["random order"][key]
        gap = paired_difference(own, control)
        records.append(
            _record(
                f"filter bubble, {days} days",
                f"{key}, change",
                mean_interval(own),
                f"{definition} EASE, refitted after each day, compared with random order with common random numbers. "
                "The claim: it narrows more than the control.",
                Baseline("random order", float(control.mean()), gap.difference, gap.low, gap.high),
                is_better(gap, higher_is_better=key == "top genre share"),
            )
        )
    return records


def _genre_spread(today: ShortSessions, genres: FloatArray, page_size: int) -> dict[str, FloatArray]:
    """Entropy and largest share of the genres shown to each agent on the first page, which all agents see."""
    first = today.shown[:, :page_size]
    shown = first != NO_ITEM
    mix = (genres[np.where(shown, first, 0)] * shown[:, :, None]).sum(axis=1)
    total = mix.sum(axis=1, keepdims=True)
    shares = np.divide(mix, total, out=np.zeros_like(mix), where=total > 0)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return {"genre entropy": -(shares * logs).sum(axis=1), "top genre share": shares.max(axis=1)}


def _dose_response(stage: Stage, ease: Recommender) -> list[Record]:
    """Rising shares of the slots of EASE filled at random: clicks must fall at every step."""
    definition = (
        "Expected clicks per session (sum of the click probabilities of the pages seen) if this share of the slots of "
        "EASE is filled with random items, compared with the previous dose with the same agents and common random "
        "numbers. The claim: clicks fall."
    )
    records: list[Record] = []
    before: tuple[str, FloatArray] | None = None
    for dose in (0.0, *stage.config.visits.doses):
        recommender = ease if dose == 0 else DegradedRecommender(ease, dose)
        clicks = simulate_sessions(stage, recommender, stage.mind, stage.site, day=0).expected_clicks
        baseline, holds = None, None
        if before is not None:
            gap = paired_difference(clicks, before[1])
            baseline = Baseline(before[0], float(before[1].mean()), gap.difference, gap.low, gap.high)
            holds = is_better(gap, higher_is_better=False)
        name = f"{dose:.0%} random"
        found = within(mean_interval(clicks), 0.0, None)
        records.append(_record("dose-response", f"clicks, {name}", found, definition, baseline, holds))
        before = name, clicks
    falls = [record.holds for record in records if record.holds is not None]
    share = Estimate(float(np.mean(falls)), None, None, None, records[0].n, 0)
    of_steps = "Share of the steps in dose at which clicks fall significantly."
    return [*records, _record("dose-response", "falling steps", share, of_steps, holds=all(falls))]
