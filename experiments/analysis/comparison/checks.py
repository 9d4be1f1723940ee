"""The checks that an experiment has to pass before its effects are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from groundlings.environments.arrays import BoolArray
from groundlings.environments.errors import shown
from groundlings.environments.words import plural
from groundlings.experiments.analysis.comparison.effects import Headline
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.integrity import (
    ALARM,
    attrition_p_value,
    equal_shares_p_value,
    sample_ratio_p_value,
    split_attrition_p_value,
)
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.comparison.segments import welch_anova_p_value
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.analysis.metrics.asked_by_recommenders import Questions
from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostKind
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.designs import ParallelDesign, SplitDesign

_LOST_ALARM = 0.05
_LOST_APART = 0.1
"""Arms that differ by more than this in their share of lost pages are not comparable, however few pages there are;
below it, where chance gives such a difference less often than `_LOST_ALARM`."""
_BUILDS_APART = 0.1
"""As `_LOST_APART`, of the shares of calls that one build of a model answered: services take turns between builds."""
_MOST_BUILDS = 3
"""Named of each arm; a busy service may have dozens."""
_UNEVEN = 0.02
"""Further than this from one half, one of two teams has had less to offer, and clicks compare quantity."""


def check_run(outcomes: Outcomes, alpha: float) -> tuple[Check, ...]:
    """Checks that concern all arms."""
    begun = (*_as_written(outcomes), _finished(outcomes), *_unchanged(outcomes), *_as_declared(outcomes))
    return (*begun, *check_sessions(outcomes, alpha))


def check_sessions(outcomes: Outcomes, alpha: float) -> tuple[Check, ...]:
    """Those of them that concern what happened, and not the log."""
    if outcomes.preference is not None:
        return (*_answered(outcomes), _drafted(outcomes.preference))
    return (
        *_answered(outcomes),
        _assigned(outcomes),
        _completed(outcomes),
        _control(outcomes),
        _twins(outcomes, alpha),
    )


def check_arm(arm: ArmOutcomes, outcomes: Outcomes, plan: PlanConfig, headline: Headline) -> tuple[Check, ...]:
    """Checks of one arm against the baseline.

    Args:
        arm: Which.
        outcomes: Of the run.
        plan: What was declared, or stands in for it.
        headline: The effect on the primary metric.
    """
    baseline, estimator = outcomes.baseline, outcomes.estimator
    return (
        _attrition(arm, baseline, outcomes.design),
        *_lost_alike(arm, baseline),
        _left_out(arm, baseline, plan.primary, headline, estimator),
        _resampled(arm, headline),
    )


def competitors(outcomes: Outcomes) -> list[ArmOutcomes]:
    """Arms that an effect is claimed for: no bounds, and no second copy of the baseline."""
    base = outcomes.baseline
    return [arm for arm in outcomes.arms[1:] if not arm.bound and arm.policy != base.policy]


def _as_written(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether the log still says what it said when it was written; logs of earlier versions cannot tell."""
    changes, name = outcomes.changes, "the log is as it was written"
    if changes is None or not (changes.seals.sealed or changes.faults):
        return ()
    return (Check(name, "failed" if changes.faults else "passed", str(changes)),)


def _finished(outcomes: Outcomes) -> Check:
    status = outcomes.run["status"]
    return Check("the run is finished", "passed" if status == "done" else "failed", f"status {status}")


def _unchanged(outcomes: Outcomes) -> tuple[Check, ...]:
    """Said only of a run that was resumed as another experiment: its sessions do not belong together."""
    changed = outcomes.run.get("accepted_changes")
    if not changed:
        return ()
    name = "the run is one experiment from its first session to its last"
    return (Check(name, "failed", f"changed on resume: {', '.join(changed)}"),)


def _as_declared(outcomes: Outcomes) -> tuple[Check, ...]:
    """Said only of a run that somebody changed: what was declared before is not what happened."""
    asked = outcomes.run.get("changed_while_it_ran")
    if not asked:
        return ()
    said = f"changed while it ran, not as declared: {'; '.join(asked)}"
    return (Check("the run is as its experiment file declares", "failed", said),)


def _answered(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether enough could be read of what language models said, asked of each purpose of which anything is lost."""
    return (
        *_readable(outcomes), *_thought(outcomes), *_learnt(outcomes), *_heard(outcomes), *_built_alike(outcomes.builds)
    )  # fmt: skip


def _readable(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether enough could be read, asked where anything could not."""
    lost = outcomes.lost
    if not lost.lost:
        return ()
    allowed = outcomes.max_unreadable
    said = f"{lost.counted()} ({100 * lost.share:.1f} %, at most {100 * allowed:g} % allowed)"
    return (Check("the replies could be read", "passed" if lost.share <= allowed else "failed", said),)


def _thought(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether enough could be read of the thoughts that agents make of sessions, asked where any is lost."""
    found = [(arm.name, arm.afterthoughts.thoughts) for arm in outcomes.arms if arm.afterthoughts]
    short = [(name, each, outcomes.max_unreadable) for name, each in found if each]
    return _within_limits("the thoughts that later sessions rest on could be read", short)


def _learnt(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether recommenders learnt enough of what they asked, asked where any lesson is lost."""
    found = [(arm.name, arm.lessons) for arm in outcomes.arms]
    short = [(name, each, each.limit) for name, each in found if each and each.lost]
    return _within_limits("recommenders could read what they asked in order to learn", short)


def _heard(outcomes: Outcomes) -> tuple[Check, ...]:
    """Whether recommenders could read enough of what models said about their lists, asked where any reply is lost."""
    found = [(arm.name, arm.lost_replies) for arm in outcomes.arms]
    short = [(name, each, each.limit) for name, each in found if each]
    return _within_limits("recommenders could read what they asked for their lists", short)


def _built_alike(builds: Mapping[str, Mapping[str, int]]) -> tuple[Check, ...]:
    """Whether every arm's agents were answered by the same builds of the model, asked where there are several."""
    found = sorted({build for answered in builds.values() for build in answered})
    if len(found) < 2:
        return ()
    calls = np.array([[answered.get(build, 0) for build in found] for answered in builds.values()])
    p_value = equal_shares_p_value(calls)
    apart = float(np.ptp(calls / calls.sum(axis=1, keepdims=True), axis=0).max())
    other = p_value < ALARM and apart > _BUILDS_APART
    said = "; ".join(f"{arm}: {_answered_by(answered)}" for arm, answered in builds.items())
    name = "the same builds of the model answered in every arm"
    return (Check(name, "failed" if other else "passed", f"{said} (chi-square p {p_value:.2g})"),)


def _answered_by(answered: Mapping[str, int]) -> str:
    """The builds that answered most, each with its calls."""
    named = [f"{shown(build)} {plural(calls, 'call')}" for build, calls in list(answered.items())[:_MOST_BUILDS]]
    more = len(answered) - _MOST_BUILDS
    return f"{', '.join(named)}{f' and {more:,} more' if more > 0 else ''}"


def _within_limits(name: str, short: Sequence[tuple[str, LostKind | Questions, float]]) -> tuple[Check, ...]:
    """Whether no arm lost a larger share than it may; asked where any lost some."""
    if not short:
        return ()
    said = "; ".join(
        f"{arm}: {each.counted()} ({100 * each.share:.1f} %, at most {100 * limit:g} % allowed)"
        for arm, each, limit in short
    )
    enough = all(each.share <= limit for _, each, limit in short)
    return (Check(name, "passed" if enough else "failed", said),)


def _lost_alike(arm: ArmOutcomes, baseline: ArmOutcomes) -> tuple[Check, ...]:
    """Whether pages are lost as often in both arms, asked where any are: what is lost may be what an arm shows."""
    sides = (arm.lost, baseline.lost)
    if not any(side.lost for side in sides):
        return ()
    p_value = split_attrition_p_value(*((side.pages - side.lost, side.pages) for side in sides))
    alike = p_value >= _LOST_ALARM and abs(arm.lost.share - baseline.lost.share) <= _LOST_APART
    name = f"lost pages: as large a share in {arm.name} as in {baseline.name}"
    if not all(side.pages for side in sides):
        return (Check(name, "not run", "nobody was shown a page in one of them"),)
    shares = [f"{100 * side.share:.1f} % ({side.lost:,} of {side.pages:,})" for side in sides]
    return (
        Check(
            name,
            "passed" if alike else "failed",
            f"{shares[0]} in {arm.name}, {shares[1]} in {baseline.name} (Fisher p {p_value:.2g})",
        ),
    )


def _drafted(found: Preference) -> Check:
    """Both teams pick in every round, so neither can have more than its half unless its list ran out."""
    fair = abs(found.shown - 0.5) <= _UNEVEN
    said = f"{100 * found.shown:.1f} % of the slots are picks of {found.arm}"
    return Check("both arms picked as many slots", "passed" if fair else "failed", said)


def _assigned(outcomes: Outcomes) -> Check:
    """Sample ratio: of the agents assigned where the design assigns them, else of those who came."""
    split = isinstance(outcomes.design, SplitDesign)
    counts = [int((arm.assigned if split else _came(arm)).sum()) for arm in outcomes.arms]
    name = f"as many agents assigned to each arm{' as its share' if split else ''}"
    strays = [arm.name for arm in outcomes.arms if (_came(arm) & ~arm.assigned).any()]
    if strays:
        return Check(name, "failed", f"agents of other arms came to {', '.join(strays)}")
    return _ratio(name, counts, [arm.share for arm in outcomes.arms])


def _completed(outcomes: Outcomes) -> Check:
    counts = [int((arm.completed & _came(arm)).sum()) for arm in outcomes.arms]
    name = f"as many agents completed each arm{' as its share' if isinstance(outcomes.design, SplitDesign) else ''}"
    return _ratio(name, counts, [arm.share for arm in outcomes.arms])


def _came(arm: ArmOutcomes) -> BoolArray:
    return np.asarray(arm.totals.columns["sessions"] > 0)


def _ratio(name: str, counts: Sequence[int], shares: Sequence[float]) -> Check:
    if len(counts) < 2 or not sum(counts):
        return Check(name, "not run", "fewer than two arms with agents")
    p_value = sample_ratio_p_value(counts, shares)
    listed = "all " + f"{counts[0]:,}" if len(set(counts)) == 1 else ", ".join(f"{count:,}" for count in counts)
    return Check(name, "passed" if p_value >= ALARM else "failed", f"{listed} (chi-square p {p_value:.2g})")


def _control(outcomes: Outcomes) -> Check:
    """A negative control: whether people come is drawn before any arm shows them anything.

    Where sessions decide on later ones, that is true of the first only.
    """
    if outcomes.arms_change_sessions:
        return _first_control(outcomes)
    name = "negative control: the number of sessions, which no arm can change"
    if len(outcomes.arms) < 2:
        return Check(name, "not run", "there is one arm only")
    if isinstance(outcomes.design, SplitDesign):
        groups = [arm.totals.columns["sessions"][arm.assigned] for arm in outcomes.arms]
        p_value = welch_anova_p_value(groups)
        if p_value is None:
            same = len({float(sessions) for group in groups for sessions in group}) <= 1
            return Check(name, "passed" if same else "not run", "everybody came equally often" if same else "too few")
        said = f"means {', '.join(f'{group.mean():.3g}' for group in groups)} (Welch p {p_value:.2g})"
        return Check(name, "passed" if p_value >= ALARM else "failed", said)
    base = outcomes.baseline.totals.columns["sessions"]
    wrong = [arm.name for arm in outcomes.arms[1:] if not np.array_equal(arm.totals.columns["sessions"], base)]
    return Check(
        name, "failed" if wrong else "passed", f"differs in {', '.join(wrong)}" if wrong else "equal, agent by agent"
    )


def _first_control(outcomes: Outcomes) -> Check:
    """Who has a session at all, where arms decide on all but the first one."""
    name = "negative control: who comes at all, which no arm can change"
    if len(outcomes.arms) < 2:
        return Check(name, "not run", "there is one arm only")
    if isinstance(outcomes.design, SplitDesign):
        sides = [(int(_came(arm)[arm.assigned].sum()), int(arm.assigned.sum())) for arm in outcomes.arms]
        lowest = min(split_attrition_p_value(side, sides[0]) for side in sides[1:])
        said = f"{', '.join(f'{came:,} of {assigned:,}' for came, assigned in sides)} (lowest Fisher p {lowest:.2g})"
        return Check(name, "passed" if lowest >= ALARM else "failed", said)
    base = _came(outcomes.baseline)
    wrong = [arm.name for arm in outcomes.arms[1:] if not np.array_equal(_came(arm), base)]
    return Check(
        name, "failed" if wrong else "passed", f"differs in {', '.join(wrong)}" if wrong else "equal, agent by agent"
    )


def _twins(outcomes: Outcomes, alpha: float) -> Check:
    """A/A: two arms of one policy have to agree, exactly where nothing but the arm's name differs."""
    name = "A/A: two arms of the same recommender agree"
    pairs = [
        (first, second)
        for place, first in enumerate(outcomes.arms)
        for second in outcomes.arms[place + 1 :]
        if first.policy == second.policy or (place == 0 and second.identical)
    ]
    if not pairs:
        return Check(name, "not run", "no two arms have the same recommender and options; add one to the file")
    every = [
        outcomes.estimator.difference(second.values(metric.name), first.values(metric.name))
        for first, second in pairs
        for metric in outcomes.metrics
    ]
    gaps = [gap for gap in every if gap.difference is not None]
    if not gaps:
        return Check(name, "not run", "nobody has a value of any metric in both arms")
    if all(gap.difference == 0.0 and gap.p_value in (1.0, None) for gap in gaps):
        return Check(name, "passed", f"{pairs[0][1].name} and {pairs[0][0].name} differ by exactly nothing")
    exact = outcomes.run["mind"].get("kind") != "language" and isinstance(outcomes.design, ParallelDesign)
    tests = [gap.p_value for gap in gaps if gap.p_value is not None]
    if not tests:
        said = "they differ, and no metric has the two agents and the spread that a test needs"
        return Check(name, "failed" if exact else "not run", said)
    lowest = min(tests) * len(tests)
    fine = not exact and lowest >= alpha
    return Check(
        name,
        "passed" if fine else "failed",
        f"lowest p of {len(tests)} metrics and pairs, corrected: {min(lowest, 1):.2g}",
    )


def _attrition(arm: ArmOutcomes, baseline: ArmOutcomes, design: object) -> Check:
    name = f"attrition: as many agents lost in {arm.name} as in {baseline.name}"
    if isinstance(design, SplitDesign):
        sides = [(int((side.completed & _came(side)).sum()), int(_came(side).sum())) for side in (arm, baseline)]
        p_value, test = split_attrition_p_value(*sides), "Fisher"
        lost = sides[0][1] - sides[0][0], sides[1][1] - sides[1][0]
    else:
        came = _came(arm) & _came(baseline)
        p_value, test = attrition_p_value(arm.completed[came], baseline.completed[came]), "McNemar"
        lost = int((~arm.completed[came]).sum()), int((~baseline.completed[came]).sum())
    return Check(
        name, "passed" if p_value >= ALARM else "failed", f"{lost[0]:,} and {lost[1]:,} lost ({test} p {p_value:.2g})"
    )


def _left_out(arm: ArmOutcomes, baseline: ArmOutcomes, primary: str, found: Headline, estimator: Estimator) -> Check:
    """Whether the sign survives when nobody is left out: totals pooled, and the missing counted as zero."""
    name = f"nobody's absence decides: {arm.name}"
    headline, pooled = found.effect, found.pooled
    if headline.difference is None:
        return Check(name, "not run", "there is no effect to check", spoils=False)
    # Zero for the missing, not for those who live elsewhere.
    ours, theirs = (np.where(side.assigned, np.nan_to_num(side.values(primary)), np.nan) for side in (arm, baseline))
    zeros = estimator.difference(ours, theirs)
    others = [zeros.difference] + ([pooled.difference] if pooled is not None else [])
    kept = all(other is not None and other * headline.difference >= 0 for other in others)
    said = (
        f"{plural(headline.excluded, 'agent has', 'agents have')} no value; counting them as zero gives "
        f"{zeros.difference:+.4g}"
    )
    if pooled is not None and pooled.difference is not None:
        said += f", totals of all agents {pooled.difference:+.4g}"
    # A sign that turns in noise says nothing about who is missing.
    return Check(name, "passed" if kept or not headline.excludes_zero else "failed", said, spoils=False)


def _resampled(arm: ArmOutcomes, headline: Headline) -> Check:
    """Student's interval leans on many agents; the bootstrap leans on them less."""
    name = f"the bootstrap agrees: {arm.name}"
    low, high = headline.bootstrap_low, headline.bootstrap_high
    if low is None or high is None:
        return Check(name, "not run", "too few agents to resample", spoils=False)
    gap = headline.effect.difference or 0.0
    along, against = (low > 0, high < 0) if gap > 0 else (high < 0, low > 0)
    agrees = along if headline.clear else not against
    return Check(name, "passed" if agrees else "failed", f"BCa interval [{low:+.4g}, {high:+.4g}]", spoils=False)
