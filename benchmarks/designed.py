"""The promises of split tests, interleaved lists and outcomes with a control variate, on this platform's own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.promises import ALARMS, ALPHA, COVERED, FEW, MANY, Promise
from benchmarks.replayed_draws import Table, play_drafts
from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, paired_difference
from groundlings.experiments.analysis.comparison.control_variate import adjusted_by_controls, controls
from groundlings.experiments.analysis.comparison.estimators import Split, known_before
from groundlings.experiments.analysis.comparison.preference import preference
from groundlings.experiments.running.plan import Plan

_GROUPS = 3


def designed(
    plan: Plan, tables: Mapping[str, Table], replications: int, experiments: int, rng: np.random.Generator
) -> Iterator[Promise]:
    """False alarms between copies of `popular`, and coverage of the effect of EASE, in each design.

    Args:
        plan: The experiment that the tables were played from.
        tables: As `replayed_draws.play` gives them.
        replications: How many replications they hold.
        experiments: How many to make of them.
        rng: Draws people, replications and arms.
    """
    before = known_before([plan.population.persona(row).as_dict() for row in range(len(plan.population))])
    assert before is not None
    (popular,) = (arm for arm in plan.config.arms if arm.name == "popular")
    drafts = play_drafts(plan, popular, replications)
    base, ease = (_Outcome(tables[name], before) for name in ("popular", "ease"))
    truth = float((ease.likes - base.likes).mean())
    alarms: dict[str, list[bool]] = {}
    held: dict[str, list[bool]] = {}
    for number in range(experiments):
        people = rng.permutation(len(before))[:FEW]
        replication = rng.permuted(np.tile(np.arange(replications), (FEW, 1)), axis=1)
        for name, found in _nothing_to_find(base, people, replication, rng).items():
            alarms.setdefault(name, []).append(_alarm(found))
        swapped = rng.random(FEW) < 0.5  # which copy is called the first is a coin's word
        first, second = (team[people, replication[:, 0]] for team in drafts)
        judged = preference(np.where(swapped, first, second), np.where(swapped, second, first))
        alarms.setdefault("interleaving (sign test)", []).append(judged.p_value is not None and judged.p_value < ALPHA)
        homes = rng.integers(0, _GROUPS, FEW)
        likes = base.likes[people, replication[:, 0]]
        groups = [np.where(homes == place, likes, np.nan) for place in range(_GROUPS)]
        if number % 4 == 0:  # thousands of resamples each
            joint = Split(homes, before[people]).together(groups[1:], groups[0], ALPHA)
            assert joint is not None
            alarms.setdefault("split, max-T of two arms", []).append(bool(joint.p_values.min() < ALPHA))
        some = rng.integers(0, len(before), MANY)
        drawn = rng.integers(0, replications, MANY)
        for name, found in _something_to_find(base, ease, some, drawn, rng).items():
            held.setdefault(name, []).append(_holds(found, truth))
    for name, found_alarms in alarms.items():
        yield _promise("A/A in each design: false alarms", name, found_alarms, ALARMS)
    for name, inside in held.items():
        yield _promise("coverage in each design", name, inside, COVERED)


class _Outcome:
    """Per session of one arm: likes, and clicks less expected clicks, shape (n_people, n_replications) each."""

    def __init__(self, table: Table, before: FloatArray) -> None:
        self.likes = table.ratio("likes", "sessions")
        self.click_noise = table.ratio("surplus", "sessions")
        self.before = before

    def taken_out(self, people: np.ndarray, replication: np.ndarray) -> FloatArray:
        """Likes of these agents in these replications, adjusted by the control variate."""
        return adjusted_by_controls(
            self.likes[people, replication], controls(self.click_noise[people, replication], self.before[people])
        )


def _nothing_to_find(
    base: _Outcome, people: np.ndarray, replication: np.ndarray, rng: np.random.Generator
) -> dict[str, Difference]:
    homes = rng.integers(0, 2, len(people))
    likes, calm = base.likes[people, replication[:, 0]], base.taken_out(people, replication[:, 0])
    first, second = homes == 0, homes == 1
    estimator = Split(homes, base.before[people])
    return {
        "split (CUPED with histories)": estimator.difference(
            np.where(second, likes, np.nan), np.where(first, likes, np.nan)
        ),
        "split, control variate": estimator.difference(np.where(second, calm, np.nan), np.where(first, calm, np.nan)),
        "paired, control variate": paired_difference(calm, base.taken_out(people, replication[:, 1])),
    }


def _something_to_find(
    base: _Outcome, ease: _Outcome, people: np.ndarray, replication: np.ndarray, rng: np.random.Generator
) -> dict[str, Difference]:
    homes = rng.integers(0, 2, len(people))
    return {
        "paired, control variate": paired_difference(
            ease.taken_out(people, replication), base.taken_out(people, replication)
        ),
        "split (CUPED with histories)": Split(homes, base.before[people]).difference(
            np.where(homes == 1, ease.likes[people, replication], np.nan),
            np.where(homes == 0, base.likes[people, replication], np.nan),
        ),
    }


def _alarm(found: Difference) -> bool:
    return found.p_value is not None and found.p_value < ALPHA


def _holds(found: Difference, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def _promise(question: str, name: str, seen: list[bool], bounds: tuple[float, float]) -> Promise:
    share = float(np.mean(seen))
    # Fewer experiments, wider bounds: three standard errors of chance around what is promised of many.
    slack = max(0.0, 3 * np.sqrt(ALPHA * (1 - ALPHA) / len(seen)) - 0.015)
    low, high = bounds[0] - slack, bounds[1] + slack
    return Promise(question, name, f"{share:.4f}", f"{low:.3g} to {high:.3g}", low <= share <= high)
