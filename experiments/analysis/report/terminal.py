"""The summary as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from groundlings.experiments.analysis.metrics import ArmSummary, Metric, Summary
from groundlings.experiments.analysis.report.formatting import (
    NOT_VALIDATED,
    absent,
    count,
    decimal,
    denominators,
    mean,
    signed,
    unknown,
    verdict,
)
from groundlings.experiments.terminal import escape

_COLOURS = {"better": "green", "worse": "red", "higher": "cyan", "lower": "cyan", "unclear": "dim"}
_SIGNS = {
    "better": "\N{CHECK MARK}",
    "worse": "\N{MULTIPLICATION X}",
    "higher": "\N{UPWARDS ARROW}",
    "lower": "\N{DOWNWARDS ARROW}",
    "unclear": " ",
}


def render_summary_table(summary: Summary) -> Table:
    """Arms as rows, metrics as columns: mean, half the 95 % interval, and the difference to the first arm."""
    caption = (
        f"Mean over agents, half its 95 % interval, and the difference to {escape(summary.baseline.name)}"
        f" (dim where its interval includes zero). {NOT_VALIDATED.capitalize()}."
    )
    caption += "".join(f"\n{escape(denominators(summary, metric))}" for metric in summary.metrics if not metric.shipped)
    caption += "".join(f"\n{escape(line)}" for line in absent(summary))
    if changed := summary.run["accepted_changes"]:
        caption += f"\n[red]Two experiments[/]: changed on resume: {escape(', '.join(changed))}."
    if lost := unknown(summary):
        caption += f"\n[bold red]{escape(lost)}[/]"
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", padding=(0, 1), pad_edge=False)
    table.add_column("arm", overflow="fold", vertical="top")
    for metric in summary.metrics:
        table.add_column("\n".join(map(escape, metric.label.lower().split())), justify="right", no_wrap=True)
    for number, arm in enumerate(summary.arms):
        if number:
            table.add_row()
        table.add_row(_name(arm), *(_cell(arm, metric) for metric in summary.metrics))
    return table


def _name(arm: ArmSummary) -> str:
    return f"{escape(arm.name)}\n[dim](a bound)[/dim]" if arm.bound else escape(arm.name)


def _cell(arm: ArmSummary, metric: Metric) -> str:
    found = arm.metrics[metric.name]
    lines = [mean(arm, metric)]
    if found.mean is None and arm.lost.lost:
        lines.append(f"[dim]{count(arm.lost.lost)} of {count(arm.lost.pages)}\nlost[/dim]")
    if found.mean is not None and found.high is not None:
        lines.append(f"[dim]\N{PLUS-MINUS SIGN}{decimal(found.high - found.mean, metric.decimals)}[/dim]")
    difference = arm.differences.get(metric.name)
    if difference is not None:
        reading = verdict(difference, metric)
        lines.append(f"[{_COLOURS[reading]}]{signed(difference.difference, metric.decimals)}{_SIGNS[reading]}[/]")
    return "\n".join(lines)
