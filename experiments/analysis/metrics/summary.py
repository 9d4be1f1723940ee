"""A finished log in figures: what `summary.json` holds, and what every report is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from groundlings.environments.arrays import FloatArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets import DATASETS
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, mean_interval, within
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.analysis.metrics.counts import ArmCounts, count_arms
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.analysis.metrics.fit_counts import read_fit_counts
from groundlings.experiments.analysis.metrics.lost import LostPages, altogether, read_lost
from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts, read_lost_afterthoughts
from groundlings.experiments.analysis.metrics.lost_lessons import Lessons, read_lessons
from groundlings.experiments.analysis.metrics.lost_replies import LostReplies, read_lost_replies
from groundlings.experiments.analysis.metrics.model_lists import ModelLists, read_model_lists
from groundlings.experiments.analysis.metrics.presented import Presented, read_presented
from groundlings.experiments.analysis.metrics.registry import absent_metrics, metrics_of
from groundlings.experiments.analysis.metrics.totals import RunTotals, Totals
from groundlings.experiments.config.designs import design_of
from groundlings.recommenders.fit_counts import FitCounts
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    from groundlings.experiments.analysis.comparison.outcomes import Outcomes

_FACTS = (
    "run_id", "experiment", "status", "started_at", "finished_at", "seed", "config_hash", "dataset", "dataset_hash",
    "dataset_source", "dataset_licence", "page_size", "max_pages", "like_from", "mind", "model_fingerprint", "versions",
    "accepted_changes",
)  # fmt: skip
"""What a summary tells of a run: columns of `runs`."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm in figures.

    Attributes:
        name, recommender: As in the YAML.
        bound: True where the recommender saw the audience's hidden preference: a bound, not a competitor.
        metrics: Metric name -> estimate over agents, all days together.
        days: The same for each day alone, the first day first.
        differences: Metric name -> difference to the first arm; empty for the first arm itself. Where a plan was
            declared they are the plan's, and that of the primary metric is the effect of the verdict.
        counts: How much of everything there was.
        lost: The pages of which nothing is known, and why.
        afterthoughts: What is lost of what its agents were asked after sessions; None where nothing is.
        lost_replies: What is lost of the replies to its recommender about lists; None where nothing is.
        model_lists: What a language model made of the candidates that it was to rank; None where none was asked.
        presented: In whose words its items were shown; None where its recommender says nothing of items.
        lessons: What its recommender asked in order to learn, and what of it is lost; None where it asked nothing.
        fitted: What its recommender, and those inside of it, counted of their first fit; () where they count nothing.
    """

    name: str
    recommender: str
    bound: bool
    metrics: Mapping[str, Estimate]
    days: tuple[Mapping[str, Estimate], ...]
    differences: Mapping[str, Difference]
    counts: ArmCounts
    lost: LostPages
    afterthoughts: LostAfterthoughts | None = None
    lost_replies: LostReplies | None = None
    model_lists: ModelLists | None = None
    lessons: Lessons | None = None
    presented: Presented | None = None
    fitted: tuple[FitCounts, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in figures.

    Attributes:
        run: The row of `runs` without the configuration, JSON columns parsed; "agents", "days" and "came" (agents
            with a session) are added.
        arms: In the order of the YAML; the first is the baseline of every difference.
        metrics: What was measured, in the order of the experiment file.
        missing: Name of a metric that cannot be told -> why.
        absent: Shipped metrics that cannot exist for these data, each with the reason.
        opinion: The action by which agents said what they think of an item: `rate`, `like`, or None of these.
        planned: Whether differences are those of a plan that was declared.
    """

    run: Mapping[str, Any]
    arms: tuple[ArmSummary, ...]
    metrics: tuple[Metric, ...] = METRICS
    missing: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    opinion: str | None = "rate"
    planned: bool = False

    @property
    def baseline(self) -> ArmSummary:
        """The arm that others are compared to."""
        return self.arms[0]

    @property
    def lost(self) -> LostPages:
        """The lost pages of all arms."""
        return altogether([arm.lost for arm in self.arms])

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `summary.json`."""
        return {
            "run": dict(self.run),
            "confidence": CONFIDENCE,
            "lost": self.lost.as_dict(),
            "arms": [
                {
                    "name": arm.name,
                    "recommender": arm.recommender,
                    "bound": arm.bound,
                    "metrics": {name: asdict(estimate) for name, estimate in arm.metrics.items()},
                    "counts": {**asdict(arm.counts), "censored": arm.counts.censored},
                    "lost": arm.lost.as_dict(),
                    **({"afterthoughts": arm.afterthoughts.as_dict()} if arm.afterthoughts else {}),
                    **({"lost_replies": arm.lost_replies.as_dict()} if arm.lost_replies else {}),
                    **({"model_lists": arm.model_lists.as_dict()} if arm.model_lists else {}),
                    **({"lessons": arm.lessons.as_dict()} if arm.lessons else {}),
                    **({"presented": arm.presented.as_dict()} if arm.presented else {}),
                    **({"fitted": [asdict(each) for each in arm.fitted]} if arm.fitted else {}),
                    "days": [
                        {"day": day, "metrics": {name: asdict(estimate) for name, estimate in metrics.items()}}
                        for day, metrics in enumerate(arm.days)
                    ],
                }
                for arm in self.arms
            ],
            "differences": [
                {"arm": arm.name, "baseline": self.baseline.name, "metric": name, **asdict(difference)}
                for arm in self.arms
                for name, difference in arm.differences.items()
            ],
            "definitions": {
                metric.name: {
                    **metric.as_dict(),
                    **({"missing": self.missing[metric.name]} if metric.name in self.missing else {}),
                }
                for metric in self.metrics
            },
            **({"absent": dict(self.absent)} if self.absent else {}),
        }


def summarise(
    log: LogReader,
    metrics: Sequence[Metric] | None = None,
    measured: RunTotals | None = None,
    outcomes: Outcomes | None = None,
) -> Summary:
    """Every figure of a run, from its log alone; also of one that was interrupted.

    Args:
        log: The run's.
        metrics: What is measured; what the run's experiment file names if absent.
        measured: The totals of the run where they were read before, with their metrics in place of `metrics`.
        outcomes: Its outcomes, likewise.

    Raises:
        RunDirectoryError: The log holds no run, or more than one.
        ConfigError: A metric of the file cannot be imported any more, or does not fit what is in the log.
    """
    found = log.run()
    run = {name: found[name] for name in _FACTS}
    arms = log.visited_arms()
    if measured is None:
        measured = read_totals(log, metrics)
    wanted = measured.metrics
    bounded = _on_their_scale(wanted, found)
    by_name = {metric.name: metric for metric in bounded}
    planned = _planned(log, measured, outcomes)
    design, names = design_of(found["config"]), [arm.name for arm in arms]
    estimator = estimator_of(design, run["seed"], names, log.user_ids(), LoggedPersonas(log), log.assignment())
    counts = count_arms(log, measured.sessions, [arm.arm_id for arm in arms])
    lost, listed = read_lost(log, counts, run["mind"]), read_model_lists(log, found["config"])
    unsaid, unread = read_lost_afterthoughts(log), read_lost_replies(log, found["config"])
    learnt, presented = read_lessons(log, found["config"]), read_presented(log)
    fitted = read_fit_counts(log)
    baseline: Totals | None = None
    summaries = []
    for arm in arms:
        totals = measured.of(arm.arm_id)
        summaries.append(
            ArmSummary(
                name=arm.name,
                recommender=arm.recommender,
                bound=arm.sees_hidden_preference,
                metrics=_estimates(totals, bounded),
                days=tuple(_estimates(day, bounded) for day in measured.by_day(arm.arm_id)),
                differences={}
                if baseline is None
                else {
                    name: _possible(each, by_name[name])
                    for name, each in (
                        planned.get(arm.name) or _differences(totals, baseline, estimator, wanted)
                    ).items()
                },
                counts=counts[arm.arm_id],
                lost=lost[arm.arm_id],
                afterthoughts=unsaid.get(arm.arm_id),
                lost_replies=unread.get(arm.arm_id),
                model_lists=listed.get(arm.arm_id),
                lessons=learnt.get(arm.arm_id),
                presented=presented.get(arm.arm_id),
                fitted=fitted.get(arm.name, ()),
            )
        )
        baseline = baseline or totals
    about = {**run, "agents": len(measured.agents), "came": measured.came, "days": measured.n_days}
    actions = log.logged_actions()
    named = {metric.name for metric in wanted}
    absent = {} if actions is None else absent_metrics(actions.names)
    return Summary(
        about,
        tuple(summaries),
        wanted,
        measured.missing,
        {name: reason for name, reason in absent.items() if name not in named},
        "rate" if actions is None else actions.opinion,
        planned=bool(planned),
    )


def read_totals(log: LogReader, metrics: Sequence[Metric] | None = None) -> RunTotals:
    """The totals that `summarise` is made from; arguments and what it raises as there."""
    found = log.run()
    wanted = metrics_of(found["config"], actions=log.action_names()) if metrics is None else tuple(metrics)
    return RunTotals(log, float(found["like_from"]), wanted)


def _planned(log: LogReader, measured: RunTotals, outcomes: Outcomes | None) -> Mapping[str, Mapping[str, Difference]]:
    # The comparison stands above metrics and imports them.
    from groundlings.experiments.analysis.comparison.planned_differences import planned_differences

    return planned_differences(log, measured, outcomes)


def _estimates(totals: Totals, metrics: Sequence[Metric]) -> dict[str, Estimate]:
    return {metric.name: mean_of(totals.values(metric), metric) for metric in metrics}


def mean_of(values: FloatArray, metric: Metric) -> Estimate:
    """A mean with an interval that holds possible values alone; an environment that pays money back knows no least."""
    low, high = metric.bounds
    if low is not None and (values < low).any():
        low = None
    return within(mean_interval(values), low, high)


def _on_their_scale(metrics: Sequence[Metric], run: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics, that of ratings with the scale of the run's data as its bounds."""
    low, high = rating_scale(run)
    return tuple(replace(each, least=low, most=high) if each.name == "mean_rating" else each for each in metrics)


def rating_scale(run: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The fewest and the most stars of a run's data, None where the run does not say.

    Args:
        run: The row of `runs`.
    """
    name = run["dataset"]
    if name == "own":
        scale = ((run["config"].get("dataset") or {}).get("own") or {}).get("scale") or {}
        return scale.get("low", RatingScale().low), scale.get("high", RatingScale().high)
    return (RatingScale().low, RatingScale().high) if name in DATASETS else (None, None)


def _possible(found: Difference, metric: Metric) -> Difference:
    """A difference whose interval ends where two means can be no further apart."""
    low, high = metric.bounds
    if metric.is_share or low is None or high is None or found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, low - high), high=min(found.high, high - low))


def _differences(
    totals: Totals, baseline: Totals, estimator: Estimator, metrics: Sequence[Metric]
) -> dict[str, Difference]:
    return {metric.name: estimator.difference(totals.values(metric), baseline.values(metric)) for metric in metrics}
