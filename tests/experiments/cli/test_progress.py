"""Bars that end where the work does, whatever was expected of it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

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
