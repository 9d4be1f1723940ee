"""Pictures are the same whoever draws them, and none is missing where a studio fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.studio import Drawings, Order, Studio, drawing_beside

STUDIO = "groundlings.experiments.analysis.report.studio"


def line(axes: Any, height: float) -> None:
    axes.plot([0, 1], [0, height])


def no_line(_: Any) -> None:
    raise ZeroDivisionError("this picture cannot be drawn")


def drawn(*draw: Callable[[Any], None]) -> Drawings:
    """A picture for each of some ways to draw, the first of one panel, the second of two."""
    order = Order({"popular": Style("baseline", "o", "-", hollow=False)}, "A note.")
    panels = tuple(Panel("a line", each) for each in draw)
    for n in range(len(panels)):
        order.add([Picture(f"picture-{n}", "A title", panels[: n + 1], 1, (1.0, 0.8))])
    return order.drawn()


LINES = [partial(line, height=float(height)) for height in (1, 2)]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> list[Studio]:
    """Lets studios be opened, and holds those that were."""
    opened: list[Studio] = []

    class Known(Studio):
        def __init__(self) -> None:
            super().__init__()
            opened.append(self)

    monkeypatch.setattr(f"{STUDIO}.usable_cores", lambda: 2)
    monkeypatch.setattr(f"{STUDIO}.Studio", Known)
    return opened


def test_pictures_are_the_same_wherever_they_are_drawn_and_however_often(
    studio: list[Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = drawn(*LINES)
    with drawing_beside():
        monkeypatch.setattr(Picture, "written", None)  # too late for the studio
        assert drawn(*LINES) == drawn(*LINES) == here
    assert len(here.pictures) == 2
    assert len(studio) == 1


def test_what_a_studio_cannot_draw_is_drawn_here(studio: list[Studio], caplog: pytest.LogCaptureFixture) -> None:
    here = drawn(LINES[0])
    with drawing_beside():
        assert drawn(lambda axes: line(axes, 1.0)) == here  # it cannot be sent
    with drawing_beside(), pytest.raises(ZeroDivisionError, match="cannot be drawn"):
        drawn(LINES[0], no_line)
    with drawing_beside(), caplog.at_level(logging.WARNING):
        studio[-1].process.kill()
        assert drawn(LINES[0]) == drawn(LINES[0]) == here
    assert caplog.text.count("the one for them was killed (SIGKILL)") == 1


def test_there_is_none_where_there_is_one_core(studio: list[Studio], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{STUDIO}.usable_cores", lambda: 1)
    with drawing_beside():
        assert not studio
