"""Where sessions go, drawn: one column per page, one band per step to the next; all arms on the same scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.report.figures import short, title
from groundlings.experiments.analysis.report.palette import LIGHT, Style
from groundlings.experiments.analysis.why.flow import PageFlow, PageStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 0.3
_SEEN = 0.06
"""Shares below this are too thin for a number beside them."""


def flow_words(name: str, flow: PageFlow) -> str:
    """The sessions of one arm page by page, for those who do not see the picture."""
    pages = flow.arms[name]
    if not pages:
        return f"{name}: no session was shown anything."
    parts = []
    for step in pages:
        ends = ", ".join(
            f"{share:.1%} {what}"
            for share, what in (
                (step.left, "leave"),
                (step.no_more, "find no further page"),
                (step.lost, "end with a lost page"),
            )
            if share
        )
        parts.append(f"page {step.page} is reached by {step.reached.mean or 0.0:.1%}; {ends or 'all go on'}")
    return f"{name}, of {flow.sessions[name]:,} sessions: {'. '.join(parts)}."


def draw_flow(axes: Axes, name: str, flow: PageFlow, look: Style) -> None:
    """The sessions of one arm; columns hang from 100 %, so that what goes on stays level."""
    title(axes, short(name), "share of sessions")
    pages = flow.arms[name]
    for step, following in zip_longest(pages, pages[1:]):
        _column(axes, step, 0.0 if following is None else following.reached.mean or 0.0, look)
        if following is not None:
            _band(axes, step, following.reached.mean or 0.0, look)
    axes.set_xlim(0.6, max((len(each) for each in flow.arms.values()), default=1) + 0.75)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    numbers = range(1, len(pages) + 1)
    names = [f"{page}+" if flow.cut and page == len(pages) else str(page) for page in numbers]
    axes.set_xticks(list(numbers), names)
    axes.set_xlabel("page", loc="right", fontsize=8.5, color=LIGHT["muted"])
    axes.tick_params(axis="x", length=0)


def _column(axes: Axes, step: PageStep, goes_on: float, look: Style) -> None:
    reached, bottom = step.reached.mean or 0.0, 1 - (step.reached.mean or 0.0)
    axes.bar(step.page, goes_on, _WIDTH, bottom=1 - goes_on, color=look.hex, linewidth=0)
    ends: Sequence[tuple[float, float, str, str]] = (
        (step.left, 0.28, look.hex, f"{step.left:.0%} leave"),
        (step.no_more, 0.9, LIGHT["rule"], f"{step.no_more:.0%} no more"),
        (step.lost, 0.6, LIGHT["muted"], f"{step.lost:.0%} lost"),
    )
    for share, alpha, colour, words in ends:
        if not share:
            continue
        axes.bar(step.page, share, _WIDTH, bottom=bottom, color=colour, alpha=alpha, linewidth=0)
        if share >= _SEEN:
            _say(axes, step.page + _WIDTH / 2 + 0.03, bottom + share / 2, words, LIGHT["muted"])
        bottom += share
    axes.bar(step.page, reached, _WIDTH, bottom=1 - reached, fill=False, edgecolor=look.hex, linewidth=0.8)


def _band(axes: Axes, step: PageStep, goes_on: float, look: Style) -> None:
    """From one page to the next, with the share of those on the first that make it."""
    ends = (step.page + _WIDTH / 2, step.page + 1 - _WIDTH / 2)
    axes.fill_between(ends, 1 - goes_on, 1, color=look.hex, alpha=0.14, linewidth=0)
    if step.went_on is not None and step.went_on.mean is not None and goes_on >= _SEEN:
        _say(axes, sum(ends) / 2, 1 - goes_on / 2, f"{step.went_on.mean:.0%}", LIGHT["ink"], middle=True)


def _say(axes: Axes, x: float, y: float, words: str, colour: str, *, middle: bool = False) -> None:
    axes.text(
        x, y, words.replace("%", " %"), fontsize=8, color=colour, va="center", ha="center" if middle else "left"
    )  # fmt: skip
