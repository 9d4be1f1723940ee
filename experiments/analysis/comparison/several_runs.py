"""Several runs of one experiment as one: other seeds, prompts or models, which must not decide.

The effect of them all is the mean of their effects. Its interval is the wider one of two: as wide as one run's over its
agents (runs share data and recommenders and, where only the prompt differs, agents, so that more runs do not make it
narrower), or Student's over the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, Estimate, mean_interval, student_p_value, within_one
from groundlings.experiments.analysis.comparison.effects import Variants
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.archive.provenance import unlike

Gap = Callable[[Estimator, ArmOutcomes, ArmOutcomes], Difference]
"""Arm against baseline in one run."""


def pooled(gaps: Sequence[Difference], alpha: float, critical: float | None = None) -> Difference:
    """The effect in all runs; that of the only one where there is one.

    The standard error is what makes a test over the agents of one run as strict as the interval.

    Args:
        gaps: The same effect in every run.
        alpha: One minus the coverage of the interval.
        critical: Half the width of an interval over agents in standard errors; Student's if absent.
    """
    first = gaps[0]
    if len(gaps) < 2:
        return first
    known = [gap.difference for gap in gaps if gap.difference is not None]
    errors = [gap.standard_error for gap in gaps if gap.standard_error is not None]
    nothing = replace(first, difference=None, standard_error=None, low=None, high=None, p_value=None)
    if len(known) < len(gaps):
        return nothing
    middle = float(np.mean(known))
    if len(errors) < len(gaps):
        return replace(nothing, difference=middle)
    if critical is None:
        critical = float(stdtrit(max(first.n - 1, 1), 1 - alpha / 2))
    reach = max(critical * float(np.mean(errors)), _over_runs(known, alpha))
    if not reach and any(gap.low is None for gap in gaps):
        return replace(nothing, difference=middle, standard_error=0.0)
    error = reach / critical
    p_value = student_p_value(middle, error, max(first.n - 1, 1))
    return Difference(middle, error, middle - reach, middle + reach, p_value, first.n, first.excluded)


def runs_decide(gaps: Sequence[Difference], alpha: float, critical: float) -> bool:
    """Whether the interval of `pooled` is the one over runs."""
    known = [gap.difference for gap in gaps if gap.difference is not None]
    errors = [gap.standard_error for gap in gaps if gap.standard_error is not None]
    return len(errors) == len(known) == len(gaps) and _over_runs(known, alpha) > critical * float(np.mean(errors))


def mean_over_runs(means: Sequence[Estimate]) -> Estimate:
    """As `pooled`, of a mean."""
    gaps = [_as_gap(each) for each in means]
    found = pooled(gaps, 0.05)
    return replace(means[0], mean=found.difference, standard_error=found.standard_error, low=found.low, high=found.high)


def in_every_run(gap: Gap, runs: Sequence[Outcomes], arm: str, other: str = "") -> list[Difference]:
    """The same effect in every run.

    Args:
        gap: Measures it.
        runs: All of them; every one has the arm and the baseline.
        arm: Name of the arm.
        other: Name of what it is compared to; the baseline if empty.
    """
    base = other or runs[0].baseline.name
    sides = [{each.name: each for each in run.arms} for run in runs]
    return [gap(run.estimator, by_name[arm], by_name[base]) for run, by_name in zip(runs, sides, strict=True)]


def lift_over_runs(runs: Sequence[Outcomes], arm: str, metric: str) -> Estimate:
    """The lift of an arm over the baseline in all runs, as `pooled`."""
    first, *_ = gaps = in_every_run(lambda how, ours, base: _lift(how, ours, base, metric), runs, arm)
    found = pooled(gaps, 0.05)
    return Estimate(found.difference, found.standard_error, found.low, found.high, first.n, first.excluded)


def variants_of(runs: Sequence[Outcomes], arm: str, metric: str) -> Variants | None:
    """The effect of an arm on a metric in each of several runs; None of one run.

    Raises:
        RunDirectoryError: A run lacks the arm or knows nothing of it, or stands there twice.
    """
    if len(runs) < 2:
        return None
    _check_arms(runs, arm)
    gaps = in_every_run(lambda how, ours, base: how.difference(ours.values(metric), base.values(metric)), runs, arm)
    for run, gap, name in zip(runs, gaps, circumstances(runs), strict=True):
        if gap.difference is None:
            lost = f" ({run.lost.sentence()})" if run.lost.lost else ""
            raise RunDirectoryError(
                f"variant {name} (run {run.run['run_id']}): nobody has a value of {metric} in {arm}{lost}, so there is "
                "no answer of all variants together; each run answers alone, named by its own directory (below cells)"
            )
    if len({run.run["run_id"] for run in runs}) < len(runs):
        raise RunDirectoryError("variants: the same run is named twice; each variant must be a run of its own")
    effects = [gap.difference or 0.0 for gap in gaps]
    over = mean_interval(np.array(effects))
    lifts = in_every_run(lambda how, ours, base: _lift(how, ours, base, metric), runs, arm)
    return Variants(
        effects=tuple(effects),
        names=tuple(circumstances(runs)),
        low=over.low,
        high=over.high,
        same_sign=len({np.sign(effect) for effect in effects}) == 1,
        differences=tuple(gaps),
        lifts=tuple(lifts),
    )


def preference_in_all(runs: Sequence[Outcomes]) -> Preference | None:
    """What interleaved lists of all runs tell: the mean of their shares; None where a run interleaved nothing."""
    found = [run.preference for run in runs if run.preference is not None]
    if len(found) < 2 or len(found) < len(runs):
        return runs[0].preference
    share = mean_over_runs([each.share for each in found])
    p_value = None
    if share.mean is not None and share.standard_error is not None:
        p_value = student_p_value(share.mean - 0.5, share.standard_error, max(share.n - 1, 1))
    return replace(
        found[0],
        share=within_one(share),
        credit=within_one(mean_over_runs([each.credit for each in found])),
        p_value=p_value,
        prefer_arm=sum(each.prefer_arm for each in found),
        prefer_neither=sum(each.prefer_neither for each in found),
        prefer_baseline=sum(each.prefer_baseline for each in found),
        shown=float(np.mean([each.shown for each in found])),
    )


def circumstances(runs: Sequence[Outcomes]) -> list[str]:
    """What each run has that not all have, in words; its number where they have all in common."""
    levels = factors([run.run for run in runs])
    return [
        ", ".join(f"{name} {level}" for name, level in each.items()) or f"run {number}"
        for number, each in enumerate(levels, start=1)
    ]


def factors(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What each run has that not all have: name of the factor -> its level.

    No two runs have all in common: where models of one name differ by other settings, runs are numbered as well.

    Args:
        runs: Their rows in their logs.
    """
    facts = [
        {
            "prompt": str(run["mind"].get("options", {}).get("wording", "standard")),
            "model": str(run["mind"].get("model")),
            "temperature": str(run["mind"].get("temperature")),
            "seed": str(run["seed"]),
        }
        for run in runs
    ]
    vary = [name for name in facts[0] if len({each[name] for each in facts}) > 1]
    levels = [{name: each[name] for name in vary} for each in facts]
    if vary and len({tuple(each.values()) for each in levels}) < len(runs):
        return [{"run": str(number), **each} for number, each in enumerate(levels, start=1)]
    return levels


def in_all_runs(first: Sequence[Check], others: Sequence[Sequence[Check]], names: Sequence[str]) -> tuple[Check, ...]:
    """The checks of the first run, each as bad as it came out in any run.

    Args:
        first: Of the first run.
        others: Of each other one.
        names: Of the other runs, in words.
    """
    order = {"passed": 0, "not run": 1, "failed": 2}
    found = []
    for check in first:
        for name, checks in zip(names, others, strict=True):
            same = next((each for each in checks if each.name == check.name), check)
            if order[same.status] > order[check.status]:
                check = replace(same, finding=f"{name}: {same.finding}")
        found.append(check)
    known = {check.name for check in first}
    more = {
        check.name: replace(check, finding=f"{name}: {check.finding}")
        for name, checks in zip(names, others, strict=True)
        for check in checks
        if check.name not in known and check.status == "failed"
    }
    return (*found, *more.values())


def check_variants(first: Outcomes, others: Sequence[Outcomes]) -> tuple[Check, ...]:
    """Whether other runs may be taken together with the first one."""
    if not others:
        return ()
    open_runs = [str(run.run["run_id"]) for run in others if run.run["status"] != "done"]
    said = f"not {', '.join(open_runs)}" if open_runs else f"all {len(others) + 1} runs"
    checks: tuple[Check, ...] = (Check("every variant is finished", "failed" if open_runs else "passed", said),)
    mixed = [str(run.run["run_id"]) for run in others if run.run.get("accepted_changes")]
    if mixed:
        said = f"changed on resume: {', '.join(mixed)}"
        checks += (Check("every variant is one experiment from its first session to its last", "failed", said),)
    asked = [str(run.run["run_id"]) for run in others if run.run.get("changed_while_it_ran")]
    if asked:
        said = f"changed while it ran: {', '.join(asked)}"
        checks += (Check("every variant is as its experiment file declares", "failed", said),)
    differing = dict.fromkeys(
        name for run in others for name in unlike(first.run.get("identity"), run.run.get("identity"))
    )
    if differing:
        checks += (Check("every variant is of the same code, data and packages", "failed", ", ".join(differing)),)
    changed = [f"{run.run['run_id']}: {run.changes}" for run in others if run.changes and run.changes.faults]
    if changed:
        checks += (Check("every variant is as it was written", "failed", "; ".join(changed)),)
    return checks


def _check_arms(runs: Sequence[Outcomes], arm: str) -> None:
    for run in runs:
        lacking = {arm, runs[0].baseline.name} - {each.name for each in run.arms}
        if lacking:
            raise RunDirectoryError(f"variant {run.run['run_id']}: it has no arm {', '.join(sorted(lacking))}")


def _lift(how: Estimator, arm: ArmOutcomes, baseline: ArmOutcomes, metric: str) -> Difference:
    return _as_gap(how.lift(arm.values(metric), baseline.values(metric)))


def _as_gap(found: Estimate) -> Difference:
    return Difference(found.mean, found.standard_error, found.low, found.high, None, found.n, found.excluded)


def _over_runs(effects: Sequence[float], alpha: float) -> float:
    """Half the width of Student's interval over runs."""
    found = mean_interval(np.array(effects), 1 - alpha)
    return 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2
