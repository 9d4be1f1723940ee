"""The order of recommenders on several partitions of the users: the gate judges the mean over all of them.

One third of a small data set is a matter of chance: with near-ties among the recommenders, tau then passes or fails a
target by the salt. So the taste is estimated again with each further salt, on the other two thirds, and the order is
measured on the users of its test third. All salts share the recommenders, which know nothing of thirds, and the slopes
of the trivial simulators, fitted with the first salt. The interval resamples users: one draw serves all salts, so a
user who is in several test thirds is in or out of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.fidelity.config import FEWEST_RECOMMENDERS
from groundlings.experiments.labs.fidelity.interaction import Asked
from groundlings.experiments.labs.fidelity.records import Baseline, Record, target_of
from groundlings.experiments.labs.fidelity.stage import MIND, Stage, people_of
from groundlings.experiments.labs.fidelity.system import (
    OTHER_PEOPLE,
    PART,
    SIGN_TARGET,
    SIGNIFICANT,
    TAU_TARGET,
    GivenLists,
    Simulator,
    Utilities,
    measure_utilities,
    really_different,
    trivial_simulators,
)
from groundlings.experiments.labs.resampling import (
    Resamples,
    interval,
    kendall_of_figures,
    pooled_alike,
    sign_agreement,
)
from groundlings.personas.taste.model import estimate
from groundlings.personas.taste.training_data import measure

FEWEST_SALTS = 5
"""With fewer partitions the gate stays shut."""


@dataclass(frozen=True)
class Partition:
    """The order on the test third of one salt.

    Attributes:
        people, others: Users of the test and of the validation third, as row numbers, ascending.
        utilities: Of the mind under examination and the trivial simulators.
    """

    people: IntArray
    others: IntArray
    utilities: Utilities


def everybody(stage: Stage) -> IntArray:
    """The users of the test and validation thirds of all salts, ascending."""
    parts = [part for salt in _salts(stage) for part in people_of(stage.config, stage.dataset, stage.split, salt)]
    return np.unique(np.concatenate(parts))


def measure_partitions(stage: Stage, asked: Asked, lists: GivenLists, first: Utilities) -> list[Partition]:
    """The order on every partition.

    Args:
        stage: That of `split.salt`.
        asked: Its lists, which the slopes of trivial simulators are fitted on.
        lists: The recommenders' lists for `everybody`.
        first: What was measured with `split.salt`.
    """
    found = [Partition(stage.testers, stage.tuners, first)]
    for salt in _salts(stage)[1:]:
        config = stage.config
        config = config.model_copy(update={"split": config.split.model_copy(update={"salt": salt})})
        testers, tuners = people_of(config, stage.dataset, stage.split, salt)
        measured = measure(stage.dataset, stage.train, salt=salt, seed=stage.seed, labels=stage.split.labels)
        taste = estimate(measured)
        other = replace(stage, config=config, testers=testers, tuners=tuners, measured=measured, taste=taste)
        audiences = [Simulator(MIND, "mind", other.mind), *trivial_simulators(other, stage, asked)]
        found.append(Partition(testers, tuners, measure_utilities(other, audiences, lists)))
    return found


def examine_partitions(stage: Stage, partitions: Sequence[Partition]) -> list[Record]:
    """Records of the mean over partitions, with the claims that the gate reads; none for a single partition."""
    if len(partitions) < 2:
        return []
    n_users = len(stage.dataset.people)
    resamples = Resamples.draw(n_users, stage.config.bootstrap, stage.chance("partitions"))
    real = [_means(resamples, each.people, each.utilities.real) for each in partitions]
    others = [_means(resamples, each.others, each.utilities.others) for each in partitions]
    different = [really_different(each.utilities.real) for each in partitions]
    shared = set(partitions[0].utilities.simulated)
    names = sorted(shared.intersection(*(each.utilities.simulated for each in partitions)) - {MIND})
    records = []
    for metric, target in (("kendall tau", TAU_TARGET), ("sign agreement", SIGN_TARGET)):

        def figures(rows: Sequence[FloatArray], metric: str = metric) -> list[FloatArray]:
            if metric == "kendall tau":
                return [kendall_of_figures(truth, said) for truth, said in zip(real, rows, strict=True)]
            return [sign_agreement(*each) for each in zip(real, rows, different, strict=True)]

        def of(name: str) -> list[FloatArray]:
            return [_means(resamples, each.people, each.utilities.simulated[name]) for each in partitions]

        own, theirs, *known = pooled_alike([figures(rows) for rows in (of(MIND), others, *map(of, names))])
        trivial = dict(zip(names, known, strict=True))
        best = max(trivial, key=lambda name: float(np.nan_to_num(trivial[name][0], nan=-2.0)))
        n = [len(each.utilities.names) for each in partitions] if metric == "kendall tau" else [*map(len, different)]
        records.append(_record(MIND, "mind", partitions, metric, own, n, (best, trivial[best]), target))
        records += [_record(name, "trivial", partitions, metric, found, n) for name, found in trivial.items()]
        records.append(_record(OTHER_PEOPLE, "real", partitions, metric, theirs, n))
    return records


def gate(records: Sequence[Record], n_salts: int) -> bool:
    """Whether the mind passes the system gate on this data set.

    It needs all of: at least five salts and eight recommenders; a mean tau of at least 0.8, or as high as other real
    users reach if near-ties put 0.8 out of reach; a mean sign agreement of at least 0.9 on the pairs that really
    differ; and the low ends of both intervals above the best trivial simulator, and tau's above zero.
    """
    own = {record.metric: record for record in records if record.scorer == MIND}
    tau, sign = own.get("kendall tau"), own.get("sign agreement")
    if tau is None or sign is None or tau.value is None or sign.value is None or not sign.n:
        return False
    others = [each.value for each in records if each.scorer == OTHER_PEOPLE and each.metric == "kendall tau"]
    ceiling = min([TAU_TARGET, *(value for value in others if value is not None)])
    reached = tau.value >= ceiling and sign.value >= SIGN_TARGET
    enough = n_salts >= FEWEST_SALTS and tau.n >= FEWEST_RECOMMENDERS
    return enough and reached and bool(tau.holds) and bool(sign.holds)


def _salts(stage: Stage) -> tuple[str, ...]:
    return (stage.config.split.salt, *stage.config.salts)


def _means(resamples: Resamples, people: IntArray, values: FloatArray) -> FloatArray:
    """Mean of each recommender's utility over some users and in each resample, shape (1 + times, n_recommenders)."""
    weights = resamples.weights[:, people]
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights @ values, total, out=np.full((len(total), values.shape[1]), np.nan), where=total > 0)


def _record(
    scorer: str,
    kind: str,
    partitions: Sequence[Partition],
    metric: str,
    found: FloatArray,
    sizes: Sequence[int],
    best: tuple[str, FloatArray] | None = None,
    target: float | None = None,
) -> Record:
    k, salts = len(partitions[0].utilities.names), len(partitions)
    there = [size for size in sizes if size]  # a salt without a pair that really differs has no sign agreement
    over = f"{salts} salts" if len(there) == salts else f"the {len(there)} of {salts} salts with such pairs"
    low, high = interval(found, -1.0 if metric == "kendall tau" else 0.0, 1.0)
    value = None if np.isnan(found[0]) else float(found[0])
    what = (
        "Kendall's tau-b between simulated and real utilities"
        if metric == "kendall tau"
        else f"Share of the pairs that really differ (paired t, p < {SIGNIFICANT:g}) which are put in the same order"
    )
    claim = " The claim: its low end lies above the best trivial simulator, with all salts." if best else ""
    record = Record(
        PART, f"order of {k} recommenders, mean over {salts} salts", scorer, metric, kind, value, low, high,  # type: ignore[arg-type]
        round(np.mean(there or [0])), "recommenders" if metric == "kendall tau" else "pairs",
        f"{what}; mean over {over}.{claim}",
    )  # fmt: skip
    if best is None or target is None:
        return record
    name, beside = best
    gap = found - beside
    least, most = interval(gap)
    baseline = Baseline(name, float(beside[0]), float(gap[0]), least, most)
    known = not np.isnan(beside[0]) and len(there) == salts
    holds = low is not None and known and low > max(float(beside[0]), 0.0)
    return target_of(replace(record, baseline=baseline, holds=holds), low=target)
