"""The level of likes: how often agents would like an item that was shown at random, and how they would rate it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.labs.truth.audiences import Audience
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.experiments.labs.truth.records import Metric, Row, TruthRecord, compare

PART = "level"
LIKES, SHARES = "likes of random items", "ratings given to random items"
ERROR_TARGET, FITTED_ERROR_TARGET = 0.25, 0.10
"""Of the relative error, without and with a fit on exposures."""

REAL, CHOSEN = "real people", "share among self-chosen ratings"


@dataclass(frozen=True)
class _Level:
    name: str
    fitted: bool
    shares: Sequence[FloatArray]
    """P(each rating) of every exposure, one per partition."""


def examine_level(
    ground: Ground, resamples: Resamples, minds: Sequence[Sequence[Audience]], salts: Sequence[str]
) -> list[TruthRecord]:
    """Records of the level; none where exposures have no ratings. Arguments as of `examine_ratings`."""
    if not ground.rated:
        return []
    users, items = ground.exposures.users, ground.exposures.items.astype(np.int64)
    said = [
        _Level(same[0].name, same[0].fitted, [each.shares(users, items) for each in same if each.shares is not None])
        for same in zip(*minds, strict=True)
    ]
    said = [each for each in said if each.shares]
    known = ground.train.take(~np.isnan(ground.train.ratings))
    scale = ground.dataset.scale
    columns = np.array(scale.values) >= scale.like
    chosen = float((known.ratings >= scale.like).mean())
    records = _likes(ground, resamples, said, columns, chosen, salts)
    for column, text in enumerate(scale.texts):
        real = (ground.exposures.ratings == scale.values[column]).astype(np.float64)
        rows = [Row(REAL, "real", _means(ground, resamples, [real] * len(salts), salts))]
        share = float((known.ratings == scale.values[column]).mean())
        rows.append(_constant(CHOSEN, share, resamples, salts))
        rows += [
            Row(
                each.name,
                "mind",
                _means(ground, resamples, [part[:, column] for part in each.shares], salts),
                each.fitted,
            )
            for each in said
        ]
        definition = "Mean P(this rating) over all exposures; of real people, the share of their ratings."
        records += compare(_metric(SHARES, f"share of {text}", definition, ground, salts), rows, salts)
    return [each for each in records if each.value is not None]


def _likes(
    ground: Ground,
    resamples: Resamples,
    said: Sequence[_Level],
    columns: np.ndarray[tuple[int], np.dtype[np.bool_]],
    chosen: float,
    salts: Sequence[str],
) -> list[TruthRecord]:
    """The mean P(like), and how far it is from the real share, as a share of that."""
    real = _means(ground, resamples, [ground.positive] * len(salts), salts)
    constant = _constant(CHOSEN, chosen, resamples, salts)
    minds = [
        (each, _means(ground, resamples, [part[:, columns].sum(axis=1) for part in each.shares], salts))
        for each in said
    ]
    rows = [Row(REAL, "real", real), constant, *(Row(each.name, "mind", values, each.fitted) for each, values in minds)]
    definition = "Mean P(like) over all exposures; of real people, the share that they liked."
    records = compare(_metric(LIKES, "mean P(like)", definition, ground, salts), rows, salts)
    errors = [
        Row(row.scorer, row.kind, _relative(row.values, real), row.fitted, _target(row))
        for row in rows
        if row.kind != "real"
    ]
    definition = "|mean P(like) - share liked| / share liked. The claim: the whole interval lies within the target."
    metric = _metric(LIKES, "relative error", definition, ground, salts, claim=True)
    return records + compare(metric, errors, salts)


def _target(row: Row) -> tuple[float | None, float | None] | None:
    if row.kind != "mind":
        return None
    return None, FITTED_ERROR_TARGET if row.fitted else ERROR_TARGET


def _relative(simulated: Sequence[FloatArray], real: Sequence[FloatArray]) -> list[FloatArray]:
    found = []
    for said, true in zip(simulated, real, strict=True):
        found.append(np.divide(np.abs(said - true), true, out=np.full(true.shape, np.nan), where=true > 0))
    return found


def _means(
    ground: Ground, resamples: Resamples, values: Sequence[FloatArray], salts: Sequence[str]
) -> list[FloatArray]:
    """The mean of a value per exposure, over the people that each partition judges."""
    counts = ground.by_person(np.ones(len(ground.exposures)))
    return [
        resamples.ratio(ground.by_person(each), counts, ~ground.fitted_half(salt))
        for each, salt in zip(values, salts, strict=True)
    ]


def _constant(name: str, value: float, resamples: Resamples, salts: Sequence[str]) -> Row:
    return Row(name, "trivial", [np.full(len(resamples.weights), value)] * len(salts))


def _metric(
    task: str, name: str, definition: str, ground: Ground, salts: Sequence[str], *, claim: bool = False
) -> Metric:
    sizes = [int((~ground.fitted_half(salt))[ground.place].sum()) for salt in salts]
    return Metric(PART, task, name, definition, "within" if claim else None, False, sizes, "exposures", (0.0, np.inf))
