"""Bars that end where the work does, whatever was expected of it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from groundlings.experiments.cli.progress import TerminalProgress
from groundlings.experiments.running.events import ArmBegins, SessionsWritten


@pytest.mark.parametrize("came", [[30, 12], [60, 60], []])
def test_the_bar_of_an_arm_ends_with_the_sessions_that_there_were(came):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with TerminalProgress(console) as progress:
        progress.event(ArmBegins("first", 100))
        for count in came:
            progress.event(SessionsWritten(count))
        progress.event(ArmBegins("second", 5))
        progress.event(SessionsWritten(5))
    last = console.file.getvalue().split("first")[-1]
    assert f"{sum(came)}/{sum(came)} sessions" in last
    assert "5/5 sessions" in last


def test_the_bar_of_a_run_that_stopped_says_how_far_it_came():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    progress = TerminalProgress(console)
    progress.__enter__()
    progress.event(ArmBegins("first", 100))
    progress.event(SessionsWritten(40))
    progress.__exit__(RuntimeError, RuntimeError(), None)
    assert "40/100 sessions" in console.file.getvalue().split("first")[-1]


def drawn(width, *events, over=False):
    """The last look at the bars of a run that has stopped there, or is over."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    progress = TerminalProgress(console)
    progress.__enter__()
    for event in events:
        progress.event(event)
    fault = (None, None, None) if over else (RuntimeError, RuntimeError(), None)
    progress.__exit__(*fault)
    last = Text.from_ansi(console.file.getvalue()).plain.strip().splitlines()[-1].rstrip()
    assert len(last) <= width
    return last


@pytest.mark.parametrize("width", [80, 160])
def test_a_bar_says_what_was_clicked_so_far_and_at_the_end_what_was_clicked(width):
    events = (
        ArmBegins("popular", 1_000),
        SessionsWritten(100, "popular", 900, 90),
        SessionsWritten(100, "popular", 1_100, 310),
    )
    during, at_last = drawn(width, *events), drawn(width, *events, over=True)
    assert during.startswith("popular ")
    assert "200/1,000" in during
    assert "20.0 % clicked so far" in during
    assert "20.0 % clicked " in at_last
    assert "so far" not in at_last


def test_arms_that_share_a_bar_have_a_figure_each_where_there_is_room():
    events = (
        ArmBegins("a, b", 200),
        SessionsWritten(50, "a", 1_000, 100),
        SessionsWritten(50, "b", 1_000, 200),
    )
    assert "10.0 to 20.0 % clicked so far" in drawn(80, *events)
    assert "a 10.0 %, b 20.0 % clicked so far" in drawn(160, *events)


def test_what_nobody_counted_is_no_part_of_the_figure():
    assert "clicked" not in drawn(80, ArmBegins("a", 200), SessionsWritten(50, "a"))
    resumed = (SessionsWritten(50, "a"), SessionsWritten(10, "a", 400, 40))
    assert "10.0 % clicked since resumed" in drawn(80, ArmBegins("a", 200), *resumed)
    few = SessionsWritten(1, "a", 10, 9)
    assert "clicked" not in drawn(80, ArmBegins("a", 200), few), "a share of ten impressions jumps about"


def test_what_took_a_moment_has_no_rate():
    assert " a second" not in drawn(160, ArmBegins("popular", 4), SessionsWritten(4), over=True)


@pytest.mark.parametrize(("moments", "said"), [([0, 10, 10, 10], "100/s"), ([0, 0, 10, 10], "50/s")])
def test_the_rate_is_that_of_all_the_time_it_took_and_of_none_that_came_before(moments, said):
    now = [0.0]
    console = Console(file=io.StringIO(), width=80, force_terminal=True, get_time=lambda: now[0])
    progress = TerminalProgress(console)
    events = (ArmBegins("popular", 1_000), SessionsWritten(500), SessionsWritten(500), None)
    with progress:
        for now[0], event in zip(moments, events, strict=True):
            if event is not None:
                progress.event(event)
    last = Text.from_ansi(console.file.getvalue()).plain.strip().splitlines()[-1]
    assert said in last
