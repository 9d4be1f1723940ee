"""Colours and marks of the arms: told apart by hue, lightness, shape and dash, so that no single one must be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundlings.experiments.analysis.metrics import Summary

LIGHT = {
    "ink": "#1d2129",
    "muted": "#5c6370",
    "rule": "#d9dbe0",
    "paper": "#fdfdfc",
    "baseline": "#2f3a4a",
    "bound": "#868d99",
    "arm-1": "#2563b0",
    "arm-2": "#c2570c",
    "arm-3": "#0f8174",
    "arm-4": "#a8397e",
    "arm-5": "#77730f",
    "arm-6": "#3d93c9",
    "arm-7": "#7a4a2b",
}
"""Every colour of a figure; each occurs once, so that an SVG can be given CSS variables instead."""

DARK = {
    "ink": "#e8e9ec",
    "muted": "#a2a9b5",
    "rule": "#373c45",
    "paper": "#15171b",
    "baseline": "#c9d0db",
    "bound": "#868e9b",
    "arm-1": "#6ea8ef",
    "arm-2": "#f0904a",
    "arm-3": "#3fc1b0",
    "arm-4": "#e280bb",
    "arm-5": "#c9c34a",
    "arm-6": "#8fd0f5",
    "arm-7": "#c89a78",
}

_HUES = tuple(f"arm-{number}" for number in range(1, 8))
_MARKERS = ("s", "^", "D", "v", "P", "X", "p")
_DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 2)))


@dataclass(frozen=True, slots=True)
class Style:
    """How one arm is drawn.

    Attributes:
        colour: Name of a colour in `LIGHT`.
        marker, dash: As matplotlib knows them.
        hollow: Whether the mark is an outline: bounds are no competitors.
    """

    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]
    hollow: bool

    @property
    def hex(self) -> str:
        """The colour on light paper."""
        return LIGHT[self.colour]


def styles(summary: Summary) -> Mapping[str, Style]:
    """Arm name -> style: the baseline dark, bounds grey and hollow, the others in turn."""
    return styles_of([(arm.name, arm.bound) for arm in summary.arms])


def styles_of(arms: Sequence[tuple[str, bool]]) -> Mapping[str, Style]:
    """As `styles`, of (name, whether it is a bound) of the arms that people have sessions in, the baseline first."""
    found: dict[str, Style] = {}
    coloured = bounds = 0
    for place, (name, bound) in enumerate(arms):
        if bound:
            found[name] = Style("bound", ("d", "h", "8")[bounds % 3], (0, (1, 2)), hollow=True)
            bounds += 1
        elif place == 0:
            found[name] = Style("baseline", "o", "-", hollow=False)
        else:
            turn = coloured % len(_HUES)
            # The eighth arm has the first hue again, with another mark and dash.
            shift = (turn + coloured // len(_HUES)) % len(_MARKERS)
            found[name] = Style(_HUES[turn], _MARKERS[shift], _DASHES[shift], hollow=False)
            coloured += 1
    return found
