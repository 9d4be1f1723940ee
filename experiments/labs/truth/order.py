"""The order of recommenders: by what agents do in sessions, against what people really liked of random items.

The simulated value of a recommender is a headline metric of a run (`sessions.HEADLINES`), its real value the like rate
of `arms`. Beside the minds stand simulators that know one number per item, and real people against real people: the
half that is not judged, and the judged half against itself resampled, which is how far chance alone moves the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.fidelity.records import Kind
from groundlings.experiments.labs.resampling import (
    Resamples,
    kendall,
    kendall_of_figures,
    pooled,
    really_different,
    sign_agreement,
)
from groundlings.experiments.labs.truth.arms import Arm
from groundlings.experiments.labs.truth.audiences import Audience, like_chance, open_and_like
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.experiments.labs.truth.records import GATE_SIGN, GATE_TAU, Metric, Row, TruthRecord, compare
from groundlings.experiments.labs.truth.sessions import HEADLINES, Totals, live
from groundlings.experiments.labs.truth.simulators import (
    ITEM_MEAN,
    ITEM_RATE,
    POPULARITY,
    item_mean_simulator,
    item_rate_simulator,
    popularity_simulator,
)

PART = "order"
VALUES = "what each recommender is worth"
OTHER_HALF, RESAMPLED = "other real people", "the same real people, resampled"
TAU_WITHOUT = 0.65
"""The target of a mind without exposures; the gate asks for more."""


@dataclass(frozen=True)
class Order:
    """The values of the recommenders that count, for the figures of the page.

    Attributes:
        names: The recommenders, in the order of the file.
        counts: Which of them count.
        real: Real like rate, shape (n_arms,).
        simulated: Scorer -> likes per session, mean over partitions, shape (n_arms,) each.
    """

    names: tuple[str, ...]
    counts: tuple[bool, ...]
    real: FloatArray
    simulated: Mapping[str, FloatArray]


@dataclass(frozen=True)
class _Simulated:
    """A scorer's values of the recommenders by one metric, per partition: shape (1 + times, n_arms) each."""

    name: str
    kind: Kind
    values: Sequence[FloatArray]
    fitted: bool = False


def examine_order(
    ground: Ground,
    resamples: Resamples,
    arms: Sequence[Arm],
    minds: Sequence[Sequence[Audience]],
    salts: Sequence[str],
) -> tuple[Order, list[TruthRecord]]:
    """Records of the order by every headline metric. Arguments as of `examine_ratings`, and the fitted recommenders."""
    judged = [~ground.fitted_half(salt) for salt in salts]
    shown, liked = (np.column_stack(columns) for columns in zip(*((arm.shown, arm.liked) for arm in arms), strict=True))
    real = [resamples.ratio(liked, shown, who) for who in judged]
    others = [resamples.ratio(liked, shown, ~who) for who in judged]
    by_metric = _simulate(ground, resamples, arms, minds, salts, judged)
    counts = np.array([arm.counts for arm in arms])
    records: list[TruthRecord] = []
    for metric in HEADLINES:
        rows = by_metric[metric]
        if metric == HEADLINES[0]:
            rows = [*rows, *_of_lists(ground, resamples, arms, minds, judged)]
        people = _Simulated(OTHER_HALF, "real", others)
        records += _agreement(metric, real, [*rows, people], counts, salts)
    records += _resampled(real, counts, salts)
    headline = {row.name: row for row in by_metric[HEADLINES[0]]}
    records += _values(arms, real, list(headline.values()), judged, salts)
    everybody = resamples.ratio(liked, shown, np.ones(len(ground.people), dtype=np.bool_))[0]
    simulated = {name: np.nanmean([part[0] for part in row.values], axis=0) for name, row in headline.items()}
    return Order(tuple(arm.name for arm in arms), tuple(counts.tolist()), everybody, simulated), records


def order_task(metric: str, n_arms: int) -> str:
    """The name of the task of one headline metric."""
    return f"order of {n_arms} recommenders by {metric}"


def _simulate(
    ground: Ground,
    resamples: Resamples,
    arms: Sequence[Arm],
    minds: Sequence[Sequence[Audience]],
    salts: Sequence[str],
    judged: Sequence[BoolArray],
) -> dict[str, list[_Simulated]]:
    """Sessions of every simulator with every recommender; headline metric -> a row per simulator."""
    everybody = np.arange(len(ground.people))
    found: dict[str, list[_Simulated]] = {metric: [] for metric in HEADLINES}
    parameters = minds[0][0].mind.parameters
    trivial = {
        POPULARITY: popularity_simulator(ground, parameters),
        ITEM_MEAN: item_mean_simulator(ground, parameters),
    }
    for name, mind in trivial.items():
        if mind is not None:
            totals = [live(ground, arms, mind, everybody, clicks_are_likes=True)] * len(salts)
            _take(found, resamples, name, "trivial", totals, judged)
    by_rate = [
        live(ground, arms, item_rate_simulator(ground, parameters, salt), np.flatnonzero(who), clicks_are_likes=True)
        for salt, who in zip(salts, judged, strict=True)
    ]
    _take(found, resamples, ITEM_RATE, "trivial", by_rate, judged, fitted=True)
    for same in zip(*minds, strict=True):
        lived = [
            live(ground, arms, each.mind, np.flatnonzero(who), clicks_are_likes=not ground.rated)
            for each, who in zip(same, judged, strict=True)
        ]
        _take(found, resamples, same[0].name, "mind", lived, judged, fitted=same[0].fitted)
    return found


def _take(
    found: dict[str, list[_Simulated]],
    resamples: Resamples,
    name: str,
    kind: Kind,
    totals: Sequence[Totals],
    judged: Sequence[BoolArray],
    *,
    fitted: bool = False,
) -> None:
    """Add a simulator's row to every metric that it has."""
    for metric in HEADLINES:
        if kind == "trivial" and metric == "like_ratio":
            continue  # every click of theirs is a like
        values = [resamples.mean(each.per_person(metric), who) for each, who in zip(totals, judged, strict=True)]
        found[metric].append(_Simulated(name, kind, values, fitted))


def _of_lists(
    ground: Ground,
    resamples: Resamples,
    arms: Sequence[Arm],
    minds: Sequence[Sequence[Audience]],
    judged: Sequence[BoolArray],
) -> list[_Simulated]:
    """For orientation: what a mind says of the lists without any session, P(like) and P(click) x P(like)."""
    rows = []
    likes = (np.array(ground.dataset.scale.values) >= ground.dataset.scale.like).astype(np.float64)
    for same in zip(*minds, strict=True):
        name, fitted = same[0].name, same[0].fitted
        alone = [_mean_of_lists(ground, arms, each, partial(like_chance, each, likes)) for each in same]
        both = [_mean_of_lists(ground, arms, each, partial(open_and_like, each)) for each in same]
        for what, tables in (("P(like)", alone), ("P(click) x P(like)", both)):
            known = [(table, who) for table, who in zip(tables, judged, strict=True) if table is not None]
            if known:
                values = [resamples.mean(table, who) for table, who in known]
                rows.append(_Simulated(f"{name}, {what} of its list", "reference", values, fitted))
    return rows


def _mean_of_lists(
    ground: Ground,
    arms: Sequence[Arm],
    audience: Audience,
    chance: Callable[[IntArray, IntArray], FloatArray | None],
) -> FloatArray | None:
    """The mean chance of the items in each person's list, shape (n_people, n_arms)."""
    columns = []
    if audience.shares is None:
        return None
    for arm in arms:
        place, slot = np.nonzero(arm.lists >= 0)
        said = chance(ground.people[place], arm.lists[place, slot].astype(np.int64))
        if said is None:
            return None
        sizes = np.maximum(np.bincount(place, minlength=len(ground.people)), 1)
        columns.append(np.bincount(place, said, minlength=len(ground.people)) / sizes)
    return np.column_stack(columns)


def _agreement(
    metric: str,
    real: Sequence[FloatArray],
    rows: Sequence[_Simulated],
    counts: BoolArray,
    salts: Sequence[str],
) -> list[TruthRecord]:
    """Kendall's tau and sign agreement of every scorer."""
    task, n_arms = order_task(metric, int(counts.sum())), int(counts.sum())
    true = [each[:, counts] for each in real]
    different = [really_different(each) for each in true]
    taus, signs = [], []
    for row in rows:
        said = [each[:, counts] for each in row.values]
        first = metric == HEADLINES[0]
        tau_target = (GATE_TAU if row.fitted else TAU_WITHOUT, None) if first else None
        sign_target = (GATE_SIGN, None) if first and row.fitted else None
        tau = [kendall_of_figures(*each) for each in zip(true, said, strict=True)]
        sign = [sign_agreement(*each) for each in zip(true, said, different, strict=True)]
        taus.append(Row(row.name, row.kind, tau, row.fitted, tau_target))
        signs.append(Row(row.name, row.kind, sign, row.fitted, sign_target))
    tau_metric = Metric(
        PART, task, "kendall tau", "Kendall's tau-b between the simulated values of the recommenders and the rates at "
        "which people liked the random items of their first fifth.", "above", True, [n_arms] * len(salts),
        "recommenders", (-1.0, 1.0), 0.0,
    )  # fmt: skip
    sign_metric = Metric(
        PART, task, "sign agreement", "Share of the pairs of recommenders whose real like rates differ (95 % interval "
        "of the difference over people, not corrected for the number of pairs) that are put in the same order.",
        "above", True, [len(pairs) for pairs in different], "pairs", (0.0, 1.0), 0.5,
    )  # fmt: skip
    return compare(tau_metric, taus, salts) + compare(sign_metric, signs, salts)


def _resampled(real: Sequence[FloatArray], counts: BoolArray, salts: Sequence[str]) -> list[TruthRecord]:
    """How far chance alone moves the order of as many people."""
    task, n_arms = order_task(HEADLINES[0], int(counts.sum())), int(counts.sum())
    definition = "The same for the judged people drawn anew with replacement, against themselves: mean and 95 % range."
    by_salt = []
    for each in real:
        true = each[:, counts]
        by_salt.append(kendall(np.broadcast_to(true[:1], true[1:].shape), true[1:]))
    records = []
    for salt, taus in [("pooled", pooled(by_salt)), *zip(salts, by_salt, strict=True)]:
        known = taus[~np.isnan(taus)]
        if not len(known):
            continue
        low, high = np.quantile(known, [0.025, 0.975])
        records.append(
            TruthRecord(
                PART, task, RESAMPLED, "kendall tau", "real", float(known.mean()), float(low), float(high), n_arms,
                "recommenders", definition, salt=salt,
            )
        )  # fmt: skip
    return records


def _values(
    arms: Sequence[Arm],
    real: Sequence[FloatArray],
    rows: Sequence[_Simulated],
    judged: Sequence[BoolArray],
    salts: Sequence[str],
) -> list[TruthRecord]:
    """The value of each recommender by real people and by each simulator; its metric says which."""
    records: list[TruthRecord] = []
    for column, arm in enumerate(arms):
        shown = [int(arm.shown[who].sum()) for who in judged]
        task = f"worth of {arm.name}" + ("" if arm.counts else " (does not count)")
        truth = Metric(
            PART, task, "like rate", "Likes among the random items in the first fifth of its list, pooled over people.",
            None, True, shown, "exposures", (0.0, 1.0),
        )  # fmt: skip
        records += compare(truth, [Row("real people", "real", [each[:, column] for each in real])], salts)
        people = [int(who.sum()) for who in judged]
        said = Metric(
            PART, task, HEADLINES[0], "Likes per session, mean over people (clicks, for simulators without ratings).",
            None, True, people, "people", (0.0, np.inf),
        )  # fmt: skip
        records += compare(
            said, [Row(row.name, row.kind, [each[:, column] for each in row.values], row.fitted) for row in rows], salts
        )
    return records
