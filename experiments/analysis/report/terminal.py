"""The summary as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions
from rich.jupyter import JupyterMixin
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.metrics import ArmSummary, Metric, Summary
from groundlings.experiments.analysis.report.formatting import (
    NOT_VALIDATED,
    absent,
    assumed,
    audience,
    count,
    decimal,
    denominators,
    few,
    fitted,
    interval,
    lessons,
    lost_afterthoughts,
    lost_lessons,
    lost_replies,
    mean,
    model_lists,
    presented,
    signed,
    units,
    unknown,
    verdict,
)
from groundlings.experiments.terminal import escape

_COLOURS = {"better": "green", "worse": "red", "higher": "cyan", "lower": "cyan", "unclear": "dim", "the same": "dim"}
_SIGNS = {
    "better": "\N{CHECK MARK}",
    "worse": "\N{MULTIPLICATION X}",
    "higher": "\N{UPWARDS ARROW}",
    "lower": "\N{DOWNWARDS ARROW}",
    "unclear": " ",
    "the same": "=",
}


_LEGEND = (
    f"{_SIGNS['better']} clearly better, {_SIGNS['worse']} clearly worse, {_SIGNS['higher']} {_SIGNS['lower']} clearly "
    f"higher or lower where neither is better, {_SIGNS['the same']} the same for every agent in both; dim where the "
    "interval includes zero"
)


def render_summary_table(summary: Summary) -> SummaryTable:
    """Arms as rows, metrics as columns: mean, half the 95 % interval, and the difference to the first arm."""
    return SummaryTable(summary)


@dataclass(frozen=True, slots=True)
class SummaryTable(JupyterMixin):
    """What rich prints of a summary, and a notebook shows: as many tables, one below the other, as the width asks for.

    Rich cuts off what does not fit into a column, and a figure without its last digits is another figure.
    """

    summary: Summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        """One table, or several of the same arms, each of the metrics that fit beside each other."""
        if _whole_width(_table(self.summary, self.summary.metrics, wide=True), console, options) <= options.max_width:
            yield _table(self.summary, self.summary.metrics, wide=True)
            yield console.render_str(_caption(self.summary), style="table.caption")
            return
        parts: list[list[Metric]] = []
        for metric in self.summary.metrics:
            if parts and _fits(self.summary, [*parts[-1], metric], console, options):
                parts[-1].append(metric)
            else:
                parts.append([metric])
        for metrics in parts or [[]]:
            yield _table(self.summary, metrics)
        yield console.render_str(_caption(self.summary), style="table.caption")


def _fits(summary: Summary, metrics: Sequence[Metric], console: Console, options: ConsoleOptions) -> bool:
    """Whether columns need not be cut: names of arms may be folded where they take more than a third of the width."""
    whole = _whole_width(_table(summary, metrics), console, options)
    arms = _whole_width(_table(summary, []), console, options)
    return whole - max(0, arms - options.max_width // 3) <= options.max_width


_ANY_WIDTH = 100_000


def _whole_width(table: Table, console: Console, options: ConsoleOptions) -> int:
    return Measurement.get(console, options.update(max_width=_ANY_WIDTH), table).maximum


def _table(summary: Summary, metrics: Sequence[Metric], *, wide: bool = False) -> Table:
    """Where there is room for them, differences have their intervals below them."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("arm", overflow="fold", vertical="top")
    for metric in metrics:
        table.add_column("\n".join(map(escape, metric.label.lower().split())), justify="right", no_wrap=True)
    for number, arm in enumerate(summary.arms):
        if number:
            table.add_row()
        table.add_row(_name(arm), *(_cell(arm, metric, wide=wide) for metric in metrics))
    return table


def _caption(summary: Summary) -> str:
    """What the figures are, and what they are not."""
    shown = "Mean over agents and half its 95 % interval"
    if len(summary.arms) > 1:
        against = escape(summary.baseline.name)
        shown = f"Mean over agents, half its 95 % interval, and the difference to {against} ({_LEGEND})"
    caption = f"{shown}. {NOT_VALIDATED.capitalize()}."
    if summary.planned:
        caption += " Differences are those of `groundlings compare`: adjusted and corrected as the plan declares."
    if summary.run["came"] != summary.run["agents"]:
        caption += f" {audience(summary.run)}; the others are in no mean."
    if counted := units(summary):
        caption += f" {escape(counted)}"
    if levels := assumed(summary):
        caption += f"\n{levels}"
    caption += "".join(f"\n{escape(denominators(summary, metric))}" for metric in summary.metrics if not metric.shipped)
    caption += "".join(
        f"\n{escape(metric.label)} is n/a: {escape(summary.missing[metric.name])}."
        for metric in summary.metrics
        if metric.name in summary.missing
    )
    caption += "".join(f"\n{escape(line)}" for line in _counted(summary))
    if changed := summary.run["accepted_changes"]:
        caption += f"\n[red]Two experiments[/]: changed on resume: {escape(', '.join(changed))}."
    if lost := unknown(summary):
        caption += f"\n[bold red]{escape(lost)}[/]"
    short = (*lost_afterthoughts(summary), *lost_lessons(summary), *lost_replies(summary))
    caption += "".join(f"\n[bold red]{escape(line)}[/]" for line in short)
    return caption


def _counted(summary: Summary) -> tuple[str, ...]:
    """What recommenders and their models did, in sentences; and the metrics that cannot be told."""
    return *absent(summary), *model_lists(summary), *presented(summary), *fitted(summary), *lessons(summary)


def _half(found: Estimate) -> float:
    """Half the interval, in full where one end is that of what is possible."""
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    return max(found.high - found.mean, found.mean - found.low)


def _name(arm: ArmSummary) -> str:
    return f"{escape(arm.name)}\n[dim](a bound)[/dim]" if arm.bound else escape(arm.name)


def _cell(arm: ArmSummary, metric: Metric, *, wide: bool) -> str:
    found = arm.metrics[metric.name]
    lines = [mean(arm, metric)]
    if found.mean is None and arm.lost.lost:
        lines.append(f"[dim]{count(arm.lost.lost)} of {count(arm.lost.pages)}\nlost[/dim]")
    if found.mean is not None and found.high is not None:
        lines.append(f"[dim]\N{PLUS-MINUS SIGN}{decimal(_half(found), metric.decimals)}[/dim]")
    if few(found):
        lines.append(f"[dim]n = {count(found.n)}[/dim]")
    difference = arm.differences.get(metric.name)
    if difference is not None:
        reading = verdict(difference, metric)
        size = signed(difference.difference, metric.decimals)
        lines.append(f"[{_COLOURS[reading]}]{size}{_SIGNS[reading]}[/]")
        if wide and (ends := interval(difference, metric)):
            lines.append(f"[dim]{escape(ends)}[/]")
    return "\n".join(lines)
