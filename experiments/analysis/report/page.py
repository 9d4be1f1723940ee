"""The report of a run: one HTML file that needs nothing else, and its pictures as PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.fidelity_gate import find_gate, find_truth
from groundlings.experiments.analysis.comparison.outcomes import Outcomes, read_outcomes
from groundlings.experiments.analysis.comparison.real_behaviour import beside
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.item_counts import PURCHASES, read_item_counts
from groundlings.experiments.analysis.metrics.item_groups import measure_groups
from groundlings.experiments.analysis.metrics.lists import measure_lists
from groundlings.experiments.analysis.metrics.pages import clicks_by_position, survival_by_arm
from groundlings.experiments.analysis.report import (
    formatting,
    objective_sentences,
    real_sentences,
    verdict_sentences,
)
from groundlings.experiments.analysis.report.figures import (
    draw_days,
    draw_key,
    draw_metric,
    draw_positions,
    draw_survival,
)
from groundlings.experiments.analysis.report.gallery import choose_guests
from groundlings.experiments.analysis.report.objective_figures import draw_pareto
from groundlings.experiments.analysis.report.palette import DARK, LIGHT, Style, styles
from groundlings.experiments.analysis.report.returning import depends_on_sessions, retention_panels
from groundlings.experiments.analysis.report.sparkline import sparkline
from groundlings.experiments.analysis.report.svg import Draw, ornaments, sheet, svg
from groundlings.experiments.analysis.report.verdict_figures import (
    draw_daily,
    draw_effects,
    draw_gaps,
    draw_people,
    draw_real,
    draw_segments,
    segments_height,
)
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.log_check import SOME_ROWS, check_log, warn_of_changes
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    from jinja2 import Template


_MANY = 0.1
"""From this share of people left out on, a difference comes with a warning."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a picture and the same in words."""

    words: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class Picture:
    """Panels that belong together: side by side in a PNG, wrapping in the page.

    Attributes:
        name: Stem of the PNG's name.
        title: Of the PNG.
        panels: Row by row.
        columns: Panels a row of the PNG.
        size: Width and height of a panel, in inches.
    """

    name: str
    title: str
    panels: tuple[Panel, ...]
    columns: int
    size: tuple[float, float]

    def inline(self) -> list[str]:
        """Each panel as SVG for the page."""
        return [
            svg(panel.draw, f"{self.name}-{number}", panel.words, *self.size)
            for number, panel in enumerate(self.panels)
        ]


def write_report(
    run_dir: Path,
    log: LogReader,
    summary: Summary,
    variants: Sequence[LogReader] = (),
    most_rows: int | None = SOME_ROWS,
) -> Path:
    """Write `report.html`, `metrics.png`, `pages.png` and, where there is something to show, `days.png`, `effects.png`,
    `pareto.png`, `people.png`, `retention.png` and `segments.png`.

    Args:
        run_dir: The run directory; its `manifest.json` is read when there is one.
        log: The run's.
        summary: What `metrics.summarise` made of it.
        variants: Logs of the same experiment with other prompts, models or seeds, which the verdict hears.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.

    Returns:
        Where the page lies.
    """
    style = styles(summary)
    outcomes = replace(read_outcomes(log, summary.metrics), changes=check_log(run_dir, log, most_rows))
    if outcomes.changes is not None:
        warn_of_changes(outcomes.changes, run_dir)
    gate = find_gate(run_dir, None, outcomes.run["dataset_hash"], outcomes.run["mind"])
    others = [read_outcomes(variant, summary.metrics) for variant in variants]
    truth = find_truth(run_dir, None, outcomes.run["dataset_hash"], outcomes.run["mind"])
    comparison = compare_outcomes(outcomes, gate, others, *beside(run_dir), truth)
    pictures = [
        *_compared(comparison, style),
        *_pareto(comparison, style),
        *_people(comparison, outcomes, style),
        _metrics(summary, style),
        _pages(log, summary, style),
    ]
    if summary.run["days"] > 1 and any(_known_by_day(summary, metric) for metric in summary.metrics):
        pictures.append(_days(summary, style))
    if depends_on_sessions(log) and summary.run["days"] > 1:
        pictures.append(_retention(log, summary, style))
    note = f"{formatting.opening(summary)} {formatting.NOT_VALIDATED.capitalize()}."
    for picture in pictures:
        draws = [panel.draw for panel in picture.panels]
        png = sheet(draws, picture.title, note, picture.columns, picture.size)
        files.write_bytes(run_dir / f"{picture.name}.png", png)
    counts = read_item_counts(log)
    worlds = len(summary.arms) if isinstance(outcomes.design, ParallelDesign) else 1
    manifest = files.read_manifest(run_dir)
    context = {
        "summary": summary,
        "run": summary.run,
        "metrics": summary.metrics,
        "style": style,
        "say": formatting,
        "comparison": comparison,
        "arm_checks": [check for arm in comparison.arms for check in arm.checks],
        "words": verdict_sentences,
        "real": real_sentences,
        "several": objective_sentences,
        "lists": measure_lists(log, counts),
        "groupings": measure_groups(log, counts),
        "shop": any(arm.total(PURCHASES).any() for arm in counts),
        "primary": verdict_sentences.primary(comparison),
        "keys": _keys([picture.name for picture in pictures], style),
        "pictures": {picture.name: picture.inline() for picture in pictures},
        "guests": choose_guests(log, summary.run["like_from"], worlds),
        "sparks": _sparks(summary, style),
        "description": str(log.run()["config"].get("description", "")),
        "tally": _tally(summary),
        "selective": _selective(summary),
        "manifest": manifest,
        "data_notes": files.data_notes(manifest),
        "light": LIGHT,
        "dark": DARK,
    }
    path = run_dir / files.REPORT_NAME
    files.write_text(path, printable(_template().render(context), newlines=True))
    return path


def _compared(comparison: Comparison, style: Mapping[str, Style]) -> list[Picture]:
    """The effects, by day and by segment; nothing where no arm competes."""
    metric = verdict_sentences.primary(comparison)
    arms = comparison.arms
    if not any(arm.headline.effect.difference is not None for arm in arms):
        return []
    spoken = " ".join(verdict_sentences.sentence(comparison, arm) for arm in arms)
    panels = [Panel(spoken, partial(draw_effects, comparison=comparison, metric=metric, style=style))]
    if any(arm.real is not None and arm.real.effects for arm in arms):
        real = partial(draw_real, comparison=comparison, style=style)
        panels.append(Panel(real_sentences.spoken(comparison), real))
    if max(len(arm.days) for arm in arms) > 1:
        daily = "; ".join(f"{arm.name} {verdict_sentences.days(arm, metric)}" for arm in arms)
        panels.append(Panel(daily, partial(draw_daily, comparison=comparison, metric=metric, style=style)))
    title = f"{comparison.run['experiment']}: {metric.label.lower()} against {comparison.baseline}"
    found = [Picture("effects", title, tuple(panels), columns=len(panels), size=(4.4, 1.3 + 0.3 * max(len(arms), 4)))]
    if any(arm.segments for arm in arms):
        parts = tuple(
            Panel(
                f"{arm.name}: {verdict_sentences.segments(arm, metric, comparison.plan.alpha)}.",
                partial(draw_segments, arm=arm, metric=metric, look=style[arm.name]),
            )
            for arm in arms
        )
        size = (3.6, segments_height(comparison))
        found.append(Picture("segments", f"{title}, part by part of the audience", parts, min(3, len(parts)), size))
    return found


def _pareto(comparison: Comparison, style: Mapping[str, Style]) -> list[Picture]:
    """Where the arms stand on the first objective and each of the others; nothing with fewer than two."""
    found = comparison.objectives
    if found is None or len(found.weighed) < 2:
        return []
    first, *others = (comparison.metrics[name] for name in found.weighed)
    panels = tuple(
        Panel(
            objective_sentences.spoken(comparison, found),
            partial(draw_pareto, found=found, across=other, up=first, baseline=comparison.baseline, style=style),
        )
        for other in others
    )
    title = f"{comparison.run['experiment']}: several objectives against {comparison.baseline}"
    return [Picture("pareto", title, panels, columns=min(2, len(panels)), size=(4.4, 3.4))]


def _people(comparison: Comparison, outcomes: Outcomes, style: Mapping[str, Style]) -> list[Picture]:
    """How agents are spread over the primary metric, and, where the same agents were in both arms, who gained."""
    metric = verdict_sentences.primary(comparison)
    values = {arm.name: arm.totals.values(metric) for arm in outcomes.arms}
    known = {name: found[~np.isnan(found)] for name, found in values.items()}
    if not any(map(len, known.values())):
        return []
    middle = "; ".join(
        f"{name} {formatting.decimal(float(np.median(found)), metric.decimals)}"
        for name, found in known.items()
        if len(found)
    )
    panels = [
        Panel(
            f"Distribution of {metric.label.lower()} over people, by arm. Medians: {middle}.",
            partial(draw_people, values=values, metric=metric, style=style),
        )
    ]
    base = values[comparison.baseline]
    panels += [
        Panel(
            f"{arm.name}: {verdict_sentences.harm(arm, metric.higher_is_better)}.",
            partial(draw_gaps, gaps=values[arm.name] - base, name=arm.name, metric=metric, look=style[arm.name]),
        )
        for arm in comparison.arms
        if arm.harm is not None
    ]
    title = f"{comparison.run['experiment']}: {metric.label.lower()}, person by person"
    return [Picture("people", title, tuple(panels), columns=min(2, len(panels)), size=(4.4, 2.6))]


def _sparks(summary: Summary, style: Mapping[str, Style]) -> dict[str, dict[str, str]]:
    """Arm -> metric -> its course over the days; all arms on one scale."""
    found: dict[str, dict[str, str]] = {arm.name: {} for arm in summary.arms}
    for metric in summary.metrics:
        courses = {arm.name: [day[metric.name].mean for day in arm.days] for arm in summary.arms}
        known = [value for course in courses.values() for value in course if value is not None]
        for name, course in courses.items():
            shown = ", ".join(formatting.decimal(value, metric.decimals) for value in course)
            scale = (min(known), max(known)) if known else (0.0, 1.0)
            found[name][metric.name] = sparkline(course, f"By day: {shown}", scale, style[name].colour)
    return found


def _metrics(summary: Summary, style: Mapping[str, Style]) -> Picture:
    panels = tuple(
        Panel(formatting.spoken(summary, metric), partial(draw_metric, summary=summary, metric=metric, style=style))
        for metric in summary.metrics
    )
    title = f"{summary.run['experiment']}: mean over agents and 95 % interval"
    return Picture("metrics", title, panels, columns=3, size=(3.6, 1.05 + 0.27 * max(len(summary.arms), 2)))


def _pages(log: LogReader, summary: Summary, style: Mapping[str, Style]) -> Picture:
    curves = survival_by_arm(log, summary.run["max_pages"])
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


def _days(summary: Summary, style: Mapping[str, Style]) -> Picture:
    panels = tuple(
        Panel(
            f"{metric.label} by day and arm, mean and 95 % interval over agents.",
            partial(draw_days, summary=summary, metric=metric, style=style),
        )
        for metric in summary.metrics
        if _known_by_day(summary, metric)
    )
    return Picture("days", f"{summary.run['experiment']}: day by day", panels, columns=3, size=(3.6, 2.4))


def _retention(log: LogReader, summary: Summary, style: Mapping[str, Style]) -> Picture:
    panels = tuple(Panel(words, draw) for words, draw in retention_panels(log, style))
    return Picture("retention", f"{summary.run['experiment']}: who comes back", panels, columns=2, size=(4.4, 3.0))


def _known_by_day(summary: Summary, metric: Metric) -> bool:
    """Whether a metric has a value on any day."""
    return any(day[metric.name].mean is not None for arm in summary.arms for day in arm.days)


def _keys(pictures: Sequence[str], style: Mapping[str, Style]) -> dict[str, dict[str, str]]:
    """Picture -> arm name -> its line and mark as a small SVG; one set a picture, because ids may occur only once."""
    keys = [
        ornaments(partial(draw_key, look=look), [f"{picture}-key-{number}" for picture in pictures], 0.5, 0.2)
        for number, look in enumerate(style.values())
    ]
    return {picture: dict(zip(style, of_arms, strict=True)) for picture, *of_arms in zip(pictures, *keys, strict=True)}


def _tally(summary: Summary) -> dict[str, int]:
    """How many differences between competitors there are, how many of them exclude zero, and how many bounds."""
    found = [each for arm in summary.arms if not arm.bound for each in arm.differences.values()]
    competing = [each for each in found if each.low is not None]
    return {
        "differences": len(competing),
        "exclude_zero": sum(each.excludes_zero for each in competing),
        "bounds": sum(arm.bound for arm in summary.arms),
    }


def _selective(summary: Summary) -> dict[str, float]:
    """Label of each metric that many people lack -> the largest share left out of a difference."""
    rivals = [arm.differences for arm in summary.arms[1:] if not arm.bound and arm.counts.sessions]
    left_out = {
        metric.label: max((each[metric.name].excluded for each in rivals), default=0) for metric in summary.metrics
    }
    agents = max(summary.run["agents"], 1)
    return {label: number / agents for label, number in left_out.items() if number > _MANY * agents}


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("groundlings.experiments.analysis.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["capitalise_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["tojson_plain"] = partial(json.dumps, ensure_ascii=False, sort_keys=True)
    return environment.get_template("report.html.j2")
