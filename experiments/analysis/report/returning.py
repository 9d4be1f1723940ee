"""Retention in a report: the curves of the arms, and a few days of them as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from groundlings.experiments.analysis.report.figures import course, name_line_ends, title, whole_numbers
from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, ends, signed
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.retention import RetentionPoint, Share, retention_by_arm
from groundlings.experiments.terminal import escape
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

Curves = Mapping[str, Sequence[RetentionPoint]]

_TOLD_DAYS = (1, 3, 7, 14, 28, 60, 90)
_LEAST_USERS = 0.5
"""Of the users on day 0: later points are of few, and of those who came early."""


def depends_on_sessions(log: LogReader) -> bool:
    """Whether the run's file says more of returns than a chance per day."""
    simulation = log.run()["config"].get("simulation") or {}
    return simulation.get("returns") is not None


def told_retention(curves: Curves, rolling: bool) -> str:
    """A curve in words: its last day."""
    which = "on that day or later" if rolling else "on that very day"
    last = [
        f"{name} {_percent((point.rolling if rolling else point.back).value)}"
        for name, curve in curves.items()
        for point in curve[-1:]
    ]
    day = max((point.day for curve in curves.values() for point in curve), default=0)
    return (
        f"Share of users with a session so many days after their first, {which}, by arm. Day {day}: {'; '.join(last)}."
    )


def draw_retention(axes: Axes, curves: Curves, style: Mapping[str, Style], *, rolling: bool) -> None:
    """The share of users who are back, day by day after their first session."""
    heading = "Who is back later?" if rolling else "Who is back?"
    title(axes, heading, f"share of users with a session on that day{' or later' if rolling else ''}")
    for name, look in style.items():
        curve = [point for point in curves.get(name, ()) if point.day > 0]
        shares = [point.rolling if rolling else point.back for point in curve]
        cells = np.array([(each.value, each.low, each.high) for each in shares], dtype=np.float64).reshape(-1, 3)
        days = np.array([point.day for point in curve], dtype=np.float64)
        course(axes, days, cells[:, 0], cells[:, 1], cells[:, 2], name, look, lambda x, y: f"day {x:.0f}: {y:.1%}")
    later = [point.rolling for curve in curves.values() for point in curve if point.day]
    highest = max((end for each in later for end in (each.value, each.high) if end is not None), default=1.0)
    axes.set_ylim(0, 1.03 * highest or 1.0)  # one scale for both panels: they stand side by side
    whole_numbers(axes, "days after the first session")
    name_line_ends(axes)


def seen_retention(log: LogReader) -> Curves:
    """The curve of each arm, up to the last day that half of its users could be seen on."""
    return {
        name: [point for point in curve if point.users >= _LEAST_USERS * curve[0].users]
        for name, curve in retention_by_arm(log).items()
    }


def retention_panels(curves: Curves, style: Mapping[str, Style]) -> list[tuple[str, Callable[[Axes], None]]]:
    """Words and drawing of each panel."""
    return [
        (told_retention(curves, rolling), partial(draw_retention, curves=curves, style=style, rolling=rolling))
        for rolling in (False, True)
    ]


def render_retention_table(log: LogReader) -> Table:
    """Arms as rows, days after the first session as columns: the share of users back on that very day."""
    from rich import box
    from rich.table import Table

    curves = retention_by_arm(log)
    days = [point.day for point in next(iter(curves.values()), ()) if point.day in _TOLD_DAYS and point.users]
    caption = (
        "Share of users with a session so many days after their first, its 95 % interval (Wilson), and the difference "
        "to the first arm in percentage points, with its own interval."
    )
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", padding=(0, 1), pad_edge=False)
    table.add_column("back on day", overflow="fold", vertical="top")
    for day in days:
        table.add_column(str(day), justify="right", no_wrap=True)
    for name, curve in curves.items():
        table.add_row(escape(name), *(_cell(point) for point in curve if point.day in days))
    return table


def _cell(point: RetentionPoint) -> str:
    lines = [_percent(point.back.value), f"[dim]{_interval(point.back)}[/dim]"]
    if point.difference is not None and point.difference.difference is not None:
        gap = point.difference
        told = signed(100 * point.difference.difference, 1)
        lines.append(told if gap.excludes_zero else f"[dim]{told}[/dim]")
        if gap.low is not None and gap.high is not None and (between := ends(100 * gap.low, 100 * gap.high, 1)):
            lines.append(f"[dim]{escape(between)}[/dim]")
    return "\n".join(lines)


def _interval(share: Share) -> str:
    if share.low is None or share.high is None:
        return ""
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}"


def _percent(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{100 * value:.1f} %"
