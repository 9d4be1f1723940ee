"""Over time: how long a session is, whether effects last from day to day, and who comes back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.pages import Survival, clicks_by_position, survival_by_arm
from groundlings.experiments.analysis.metrics.summary import Summary
from groundlings.experiments.analysis.report import formatting, verdict_sentences
from groundlings.experiments.analysis.report.figures import draw_days, draw_positions, draw_survival, mark_days
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.returning import (
    Curves,
    depends_on_sessions,
    retention_panels,
    seen_retention,
)
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.analysis.report.takeaways import daily_takeaway, retention_takeaway, survival_takeaway
from groundlings.experiments.analysis.report.verdict_figures import draw_daily
from groundlings.simulator.interventions import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def time_section(material: Material) -> Section:
    """Pages and positions, and where a run has several days, the effect and the metrics by day and retention."""
    summary, changes = material.summary, material.log.logged_interventions()
    curves = survival_by_arm(material.log, summary.run["max_pages"])
    pictures = [*_daily(material), _pages(material, curves)]
    if summary.run["days"] > 1 and any(_known_by_day(summary, metric) for metric in summary.metrics):
        pictures.append(_days(material))
    returning = seen_retention(material.log) if depends_on_sessions(material.log) and summary.run["days"] > 1 else None
    if returning is not None:
        pictures.append(_retention(material, returning))
    empty = [f"{arm.name} {number:,}" for arm in summary.arms if (number := arm.counts.ended_by["nothing_shown"])]
    takeaways = {
        "daily": daily_takeaway(material.comparison),
        "pages": survival_takeaway(curves, some_empty=bool(empty)),
        "empty": f" Sessions that were shown nothing are in neither: {', '.join(empty)}." if empty else "",
    }
    if returning is not None:
        takeaways["retention"] = retention_takeaway(returning)
    told: dict[str, Any] = {"takeaways": takeaways, "changes": in_words(changes)}
    told["asked_changes"] = in_words([each for each in changes if each.origin == "live"])
    return Section(told, tuple(pictures))


def _marked(draw: Draw, material: Material) -> Draw:
    """A panel by day with a line where arms were changed."""
    days = sorted({change.day + 1 for change in material.log.logged_interventions()})

    def drawn(axes: Axes) -> None:
        draw(axes)
        mark_days(axes, days)

    return drawn if days else draw


def _daily(material: Material) -> list[Picture]:
    comparison, metric = material.comparison, material.primary
    arms = comparison.arms
    if max((sum(day.difference is not None for day in arm.days) for arm in arms), default=0) < 2:
        return []
    words = "; ".join(f"{arm.name} {verdict_sentences.days(arm, metric)}" for arm in arms)
    draw = partial(draw_daily, comparison=comparison, metric=metric, style=material.style)
    panel = Panel(words, _marked(draw, material))
    title = f"{comparison.run['experiment']}: {metric.label.lower()} against {comparison.baseline}, by day"
    return [Picture("daily", title, (panel,), columns=1, size=(4.8, 2.7))]


def _pages(material: Material, curves: Mapping[str, Survival]) -> Picture:
    log, summary, style = material.log, material.summary, material.style
    clicks = clicks_by_position(log)
    reached = "; ".join(
        f"{name} {formatting.NOT_KNOWN if np.isnan(curve.share[-1]) else f'{curve.share[-1]:.0%}'}"
        for name, curve in curves.items()
    )
    first = "; ".join(f"{name} {formatting.decimal(found[0].mean, 3)}" for name, found in clicks.items())
    panels = (
        Panel(
            f"Share of sessions that reach each page, by arm. Last page, number {summary.run['max_pages']}: {reached}.",
            partial(draw_survival, curves=curves, style=style),
        ),
        Panel(
            f"Share of impressions opened by slot of the page, by arm. First slot: {first}.",
            partial(draw_positions, clicks=clicks, style=style),
        ),
    )
    title = f"{summary.run['experiment']}: how far sessions go, and where clicks fall"
    return Picture("pages", title, panels, columns=2, size=(4.4, 3.0))


def _days(material: Material) -> Picture:
    summary = material.summary
    panels = tuple(
        Panel(
            f"{metric.label} by day and arm, mean and 95 % interval over agents.",
            _marked(partial(draw_days, summary=summary, metric=metric, style=material.style), material),
        )
        for metric in summary.metrics
        if _known_by_day(summary, metric)
    )
    return Picture("days", f"{summary.run['experiment']}: day by day", panels, columns=3, size=(3.6, 2.4))


def _retention(material: Material, curves: Curves) -> Picture:
    panels = tuple(Panel(words, draw) for words, draw in retention_panels(curves, material.style))
    title = f"{material.summary.run['experiment']}: who comes back"
    return Picture("retention", title, panels, columns=2, size=(4.4, 3.0))


def _known_by_day(summary: Summary, metric: Metric) -> bool:
    """Whether a metric has a value on any day."""
    return any(day[metric.name].mean is not None for arm in summary.arms for day in arm.days)
