"""Panels and pictures: what is drawn once and stands in the page as SVG and in the run directory as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from groundlings.experiments.analysis.report.figures import draw_key
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.svg import Draw, Drawing, ornaments, sheet


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a picture and the same in words."""

    words: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as it is written.

    Attributes:
        png: The sheet, a file.
        inline: Each panel as SVG for the page.
    """

    png: bytes
    inline: list[str]


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

    def written(self, note: str) -> Drawn:
        """For page and sheet, each panel drawn once; a note stands below the sheet."""
        drawn = self.drawn()
        return Drawn(self.png(drawn, note), self.inline(drawn))

    def drawn(self) -> list[Drawing]:
        """The panels, once for page and sheet."""
        return [Drawing(panel.draw, *self.size) for panel in self.panels]

    def inline(self, drawn: Sequence[Drawing]) -> list[str]:
        """Each panel as SVG for the page."""
        return [
            drawing.svg(f"{self.name}-{number}", panel.words)
            for number, (panel, drawing) in enumerate(zip(self.panels, drawn, strict=True))
        ]

    def png(self, drawn: Sequence[Drawing], note: str) -> bytes:
        """All panels on one sheet, a note below."""
        return sheet(drawn, self.title, note, self.columns, self.size)


def draw_keys(pictures: Sequence[Picture], style: Mapping[str, Style]) -> dict[str, dict[str, str]]:
    """Picture -> arm name -> its line and mark as a small SVG; one set per picture, because ids may occur only once."""
    names = [picture.name for picture in pictures]
    keys = [
        ornaments(partial(draw_key, look=look), [f"{name}-key-{number}" for name in names], 0.5, 0.2)
        for number, look in enumerate(style.values())
    ]
    return {name: dict(zip(style, of_arms, strict=True)) for name, *of_arms in zip(names, *keys, strict=True)}
