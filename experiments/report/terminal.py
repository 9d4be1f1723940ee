"""The summary as a table for the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from experiments.metrics import METRICS, ArmSummary, Metric, Summary
from experiments.report.wording import NOT_VALIDATED, decimal, interval, signed, verdict

_COLOURS = {"better": "green", "worse": "red", "higher": "cyan", "lower": "cyan"}
_SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}"}


def render_summary_table(summary: Summary) -> Table:
    """Arms as rows, metrics as columns: mean, 95 % interval, and difference to the first arm where it is clear."""
    caption = (
        f"Mean over agents, its 95 % interval, and the paired difference to {escape(summary.baseline.name)}"
        f" where that interval excludes zero. {NOT_VALIDATED.capitalize()}."
    )
    table = Table(caption=caption, caption_justify="left", show_lines=True)
    table.add_column("arm", overflow="fold")
    for metric in METRICS:
        table.add_column(metric.label.lower(), justify="right")
    for arm in summary.arms:
        table.add_row(_name(arm), *(_cell(arm, metric) for metric in METRICS))
    return table


def _name(arm: ArmSummary) -> str:
    return f"{escape(arm.name)}\n[dim](a bound)[/dim]" if arm.bound else escape(arm.name)


def _cell(arm: ArmSummary, metric: Metric) -> str:
    found = arm.metrics[metric.name]
    lines = [decimal(found.mean, metric.decimals)]
    if found.low is not None:
        lines.append(f"[dim]{escape(interval(found, metric))}[/dim]")
    difference = arm.differences.get(metric.name)
    if difference is not None and difference.excludes_zero:
        reading = verdict(difference, metric)
        sign = f" {_SIGNS[reading]}" if reading in _SIGNS else ""
        lines.append(f"[{_COLOURS[reading]}]{signed(difference.difference, metric.decimals)}{sign}[/]")
    return "\n".join(lines)
