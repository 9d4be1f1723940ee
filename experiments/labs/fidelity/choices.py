"""Part 4, choices: what agents click in their whole candidate set, compared with real held-out interactions.

Each agent is shown all items without an interaction in training, once, and examines all of them (no position effect).
The clicked items are the choices. The level of clicks is a setting; here random items are clicked at the rate at which
validation users interacted with theirs in the held-out part. MovieLens does not record what users were shown, so agents
choose under even exposure, while real choices depend on the exposure of their time as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.stats import spearmanr

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.metrics.ranking import gini
from groundlings.experiments.labs.fidelity.distances import jensen_shannon, kolmogorov_smirnov
from groundlings.experiments.labs.fidelity.distributions import FLOOR, PART, RATIO_TOLERANCE, floor_record
from groundlings.experiments.labs.fidelity.people import (
    Interval,
    bootstrap,
    counts_by_person,
    floor,
    in_digits,
    jackknife,
    ratio_of,
)
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, is_within, target_of
from groundlings.experiments.labs.fidelity.sessions import decide
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.running.short_sessions import PEOPLE_AT_ONCE

POPULARITY_GROUPS = 10
"""Number of groups of items by training popularity; each group has the same share of training rows."""


@dataclass(frozen=True)
class Picks:
    """What some users or agents chose, one row per choice, rows of one user together.

    Attributes:
        users, items: Shape (n,).
        clicks: Items that each agent clicked, shape (n_testers,); None for choices that are not an agent's.
    """

    users: IntArray
    items: IntArray
    clicks: FloatArray | None = None


def examine_choices(stage: Stage) -> list[Record]:
    """Records of part 4 on choices."""
    real = _real(stage, stage.testers)
    everybody = _real(stage, np.flatnonzero(np.diff(stage.held_out.indptr)).astype(np.int64))
    mind = click_candidates(stage)
    rows: Mapping[str, tuple[Kind, Picks]] = {
        MIND: ("mind", mind),
        "random picks": ("trivial", _drawn(stage, real, np.ones(stage.train.n_items), "random")),
        "by popularity": ("trivial", _drawn(stage, real, stage.train.item_counts.astype(np.float64), "popular")),
    }
    return [*_distances(stage, real, everybody, rows), *_curve(stage, real, rows), *_activity(stage, mind)]


def _real(stage: Stage, users: IntArray) -> Picks:
    chosen = stage.held_out[users].tocoo()
    order = np.argsort(chosen.coords[0], kind="stable")
    return Picks(users[chosen.coords[0][order]], chosen.coords[1][order].astype(np.int64))


def click_candidates(stage: Stage) -> Picks:
    """The clicks of each agent in its whole candidate set."""
    mind = stage.mind_with(utility="met", examination_exponent=0.0, random_click_rate=_real_rate(stage))
    users, items, clicks = [], [], []
    for first in range(0, len(stage.testers), PEOPLE_AT_ONCE):
        people = stage.testers[first : first + PEOPLE_AT_ONCE]
        candidates = np.where(_candidates(stage, people), np.arange(stage.train.n_items), NO_ITEM).astype(np.int32)
        clicked = decide(stage, mind, people, candidates, day=0)["click"]
        who, picked = np.nonzero(clicked)
        users.append(people[who])
        items.append(picked)
        clicks.append(clicked.sum(axis=1).astype(np.float64))
    return Picks(np.concatenate(users), np.concatenate(items), np.concatenate(clicks))


def _real_rate(stage: Stage) -> float:
    """Share of the validation users' candidates with which they interacted in the held-out part."""
    candidates = stage.train.n_items - np.diff(stage.train.matrix[stage.tuners].indptr)
    return float(stage.held_out[stage.tuners].nnz / candidates.sum())


def _candidates(stage: Stage, people: IntArray) -> BoolArray:
    return stage.train.matrix[people].toarray() == 0


def _drawn(stage: Stage, real: Picks, weights: FloatArray, purpose: str) -> Picks:
    """As many candidates per user as real choices, sampled by weight without replacement (Efraimidis and Spirakis)."""
    chance = stage.chance("picks", purpose)
    people, counts = np.unique(real.users, return_counts=True)
    picked = []
    for user, count in zip(people, counts, strict=True):
        weight = np.where(_candidates(stage, np.array([user]))[0], weights, 0.0)
        finish = chance.standard_exponential(len(weight)) / np.maximum(weight, 1e-300)
        picked.append(np.argsort(finish, kind="stable")[:count])
    return Picks(np.repeat(people, counts), np.concatenate(picked))


def _matrix(stage: Stage, picks: Picks, people: IntArray) -> sp.csr_array:
    return counts_by_person(picks.users, picks.items, people, stage.train.n_items)


def _distances(stage: Stage, real: Picks, everybody: Picks, rows: Mapping[str, tuple[Kind, Picks]]) -> list[Record]:
    group = np.eye(POPULARITY_GROUPS)[_popularity_groups(stage)]
    mixes = {
        "genre mix jsd": (
            "Jensen-Shannon divergence, base 2, between the genre mixes of all choices; an item counts once per genre.",
            stage.dataset.catalog.genre_matrix.astype(np.float64),
        ),
        "popularity curve jsd": (
            f"Jensen-Shannon divergence, base 2, between the shares of choices in {POPULARITY_GROUPS} groups of items "
            "by training popularity, each group with the same share of training rows.",
            group,
        ),
    }
    people = np.unique(real.users)
    records = []
    for name, (definition, features) in mixes.items():
        if not features.any():
            continue
        all_mixes = _matrix(stage, everybody, np.unique(everybody.users)) @ features
        real_mixes = _matrix(stage, real, people) @ features

        def apart(first: IntArray, second: IntArray, mixes: FloatArray = all_mixes) -> float:
            return jensen_shannon(mixes[first].sum(axis=0), mixes[second].sum(axis=0))

        mean, limit, size = floor(apart, len(all_mixes), len(people), stage.chance("floor", name))
        records.append(floor_record("choices", name, definition, mean, limit, size))
        for scorer, (kind, picks) in rows.items():
            own = _matrix(stage, picks, people) @ features

            def off(some: IntArray, own: FloatArray = own, real_mixes: FloatArray = real_mixes) -> float:
                return jensen_shannon(own[some].sum(axis=0), real_mixes[some].sum(axis=0))

            low, high = bootstrap(off, len(people), stage.config.bootstrap, stage.chance("mix", name, scorer), least=0)
            record = Record(
                PART, "choices", scorer, name, kind, off(np.arange(len(people))), low, high, len(people), "people",
                f"{definition} Simulated against real choices.", Baseline(FLOOR, limit),
                holds=is_within(low, high, (None, limit)) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, high=limit) if kind == "mind" else record)
    return records


def _curve(stage: Stage, real: Picks, rows: Mapping[str, tuple[Kind, Picks]]) -> list[Record]:
    """Concentration of choices on few items."""
    people = np.unique(real.users)
    real_matrix = _matrix(stage, real, people)
    records = []
    for scorer, (kind, picks) in rows.items():
        matrix = _matrix(stage, picks, people)

        def ratio(some: IntArray, matrix: sp.csr_array = matrix) -> float:
            return ratio_of(gini(matrix[some].sum(axis=0)), gini(real_matrix[some].sum(axis=0)))

        low, high = jackknife(ratio, len(people), stage.chance("gini", scorer))
        whole = gini(real_matrix.sum(axis=0))
        record = Record(
            PART, "choices", scorer, "gini ratio", kind, ratio(np.arange(len(people))), low, high, len(people),
            "people", f"Gini coefficient of choices per item, simulated over real ({in_digits(whole, '.3f')}).",
            Baseline("real people", 1.0), holds=is_within(low, high, RATIO_TOLERANCE) if kind == "mind" else None,
        )  # fmt: skip
        records.append(target_of(record, *RATIO_TOLERANCE) if kind == "mind" else record)
    return records


def _activity(stage: Stage, mind: Picks) -> list[Record]:
    """Activity: the number of an agent's clicks against the number of the user's real held-out interactions."""
    real = np.diff(stage.held_out[stage.testers].indptr).astype(np.float64)
    clicks = mind.clicks
    if clicks is None or not clicks.std() or not real.std():
        return []  # all are equally active: there is nothing to compare
    rank = float(spearmanr(clicks, real).statistic)
    ratio_ends = bootstrap(
        lambda some: ratio_of(_variation(clicks[some]), _variation(real[some])),
        len(real), stage.config.bootstrap, stage.chance("activity"),
    )  # fmt: skip
    rank_ends = bootstrap(
        lambda some: float(spearmanr(clicks[some], real[some]).statistic),
        len(real), stage.config.bootstrap, stage.chance("activity rank"),
    )  # fmt: skip
    ratio = _variation(clicks) / _variation(real)
    shape = kolmogorov_smirnov(clicks / clicks.mean(), real / real.mean())
    common = "clicks per agent in the whole candidate set and real interactions per user in the held-out part"

    def record(
        metric: str, value: float, ends: Interval, what: str, against: Baseline | None, holds: bool | None
    ) -> Record:
        definition = f"{what} {common}."
        return Record(
            PART, "activity", MIND, metric, "mind", value, *ends, len(real), "people", definition, against,
            holds=holds,
        )  # fmt: skip

    varied = record(
        "variation ratio", ratio, ratio_ends, "Coefficient of variation, simulated over real, of",
        Baseline("real people", 1.0), is_within(*ratio_ends, RATIO_TOLERANCE),
    )  # fmt: skip
    return [
        target_of(varied, *RATIO_TOLERANCE),
        record("rank correlation", rank, rank_ends, "Spearman's correlation over users between",
               Baseline("no relation", 0.0), rank_ends[0] is not None and rank_ends[0] > 0),
        record("ks", shape, (None, None), "Kolmogorov-Smirnov distance, each divided by its mean, between", None, None),
    ]  # fmt: skip


def _variation(values: FloatArray) -> float:
    return float(values.std() / values.mean()) if values.mean() else float("nan")


def _popularity_groups(stage: Stage) -> IntArray:
    """The group of each item, 0 = the least popular, shape (n_items,)."""
    counts = stage.train.item_counts
    order = np.argsort(counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order] / 2
    group = np.empty(len(counts), dtype=np.int64)
    group[order] = np.minimum(
        (before / max(counts.sum(), 1) * POPULARITY_GROUPS).astype(np.int64), POPULARITY_GROUPS - 1
    )
    return group
