"""From panels to files: PNG sheets for READMEs, and SVG that follows the colours and fonts of a page."""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import RendererSVG
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Draw = Callable[["Axes"], None]

_TOLD = "told\x1f"

_LETTERS_AN_INCH = 14
_DPI = 180
_POINTS = 72
"""Of SVG, an inch."""
_PAD = 1 / 24
"""Inches between what stands around the axes and the edge."""
_GAP = 0.12
"""Inches between panels of a sheet."""
_USUAL_PLACE = (0.14, 0.17, 0.76, 0.68)
"""Left, bottom, width and height of axes, as parts of the picture."""
_DRAWING: ContextVar[bool] = ContextVar("_DRAWING", default=False)
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and scaled
    "svg.hashsalt": "groundlings",
    "text.parse_math": False,  # an arm may be called "$x"
    "text.hinting": "none",  # letters of a PNG are as wide as those of the SVG, by which both are laid out
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": LIGHT["rule"],
    "axes.axisbelow": True,
    "axes.titley": 1.0,  # nothing stands between title and axes: no need to look each time
    "axes.facecolor": "none",
    "xtick.color": LIGHT["rule"],
    "ytick.color": LIGHT["rule"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.labelcolor": LIGHT["ink"],
}


class Drawing:
    """One panel, drawn and laid out: as SVG, and as pixels, without being drawn anew."""

    def __init__(self, draw: Draw, width: float, height: float) -> None:
        """Draw it.

        Args:
            draw: Draws on the axes it is given.
            width, height: In inches; the page scales it.
        """
        with settings():
            self._figure = _figure(width, height)
            draw(self._figure.add_subplot())
            self._document = _document(self._figure, prepare=_lay_out)

    def svg(self, name: str, label: str) -> str:
        """As inline SVG.

        Args:
            name: Made part of every id, so that panels can share a page.
            label: The panel in words.
        """
        return _inline(self._document, name, f'role="img" aria-label="{escape(label)}"')

    def pixels(self) -> NDArray[np.uint8]:
        """On light paper, shape (height, width, 3), `DPI` pixels an inch."""
        with settings():
            return _pixels(self._figure)

    def legend(self) -> tuple[list[Artist], list[str]]:
        """Marks of lines and their names."""
        handles, names = self._figure.axes[0].get_legend_handles_labels()
        return list(handles), list(map(str, names))


def svg(draw: Draw, name: str, label: str, width: float, height: float) -> str:
    """One panel as inline SVG; see `Drawing`."""
    return Drawing(draw, width, height).svg(name, label)


def ornaments(draw: Draw, names: Sequence[str], width: float, height: float) -> list[str]:
    """As `svg`, without margins, for what says nothing that the text beside it does not; drawn once for all names."""
    with settings():
        figure = _figure(width, height)
        draw(figure.add_axes((0.04, 0.0, 0.92, 1.0)))
        document = _document(figure)
    return [_inline(document, name, 'aria-hidden="true"') for name in names]


def sheet(drawings: Sequence[Drawing], title: str, note: str, columns: int, panel: tuple[float, float]) -> bytes:
    """Panels side by side as a PNG on light paper: title and names of lines, if there are any, above, a note below.

    Args:
        drawings: Panels, row by row.
        title: One line.
        note: Broken into lines where it must be.
        columns: Panels a row.
        panel: Width and height of one, in inches.
    """
    rows = -(-len(drawings) // columns)
    title, note = printable(title), printable(note)
    width = (panel[0] + _GAP) * columns + _GAP
    lines = textwrap.wrap(note, int(width * _LETTERS_AN_INCH))
    foot = 0.2 + 0.15 * len(lines)
    handles, names = drawings[0].legend()
    across = max(1, int(width / (0.75 + 0.08 * max(map(len, names), default=1))))
    head = 0.55 + (0.1 + 0.2 * -(-len(names) // across) if names else 0.0)
    height = (panel[1] + _GAP) * rows + head + foot
    with settings():
        figure = _figure(width, height)
        if names:
            corner = (0.01, 1 - 0.42 / height)
            figure.legend(
                handles, names, loc="upper left", bbox_to_anchor=corner, ncols=across, fontsize=9, handlelength=2.8
            )
        figure.text(0.018, 1 - 0.18 / height, title, fontsize=14, fontweight="bold", color=LIGHT["ink"], va="top")
        figure.text(0.018, 0.1 / height, "\n".join(lines), fontsize=8.5, color=LIGHT["muted"], va="bottom")
        paper = _pixels(figure)
        for number, drawing in enumerate(drawings):
            pixels = drawing.pixels()
            row, column = divmod(number, columns)
            top = round((head + (panel[1] + _GAP) * row) * _DPI)
            left = round((_GAP + (panel[0] + _GAP) * column) * _DPI)
            paper[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return _png(paper)


def tell_values(line: Line2D | None, texts: Sequence[str]) -> None:
    """Give each mark of a line the words that a page shows where a pointer rests on it.

    Args:
        line: As drawn; None, which matplotlib returns for bars without a mark, is told nothing.
        texts: One per mark that is drawn.
    """
    if line is not None:
        line.set_gid(_TOLD + "\x1f".join(printable(text) for text in texts))


@contextmanager
def settings() -> Iterator[None]:
    """Nothing of the user's own settings; whoever draws much says so once, because setting them all takes a while."""
    if _DRAWING.get():
        yield
        return
    mpl = _matplotlib()
    token = _DRAWING.set(True)
    try:
        with mpl.rc_context(), warnings.catch_warnings():
            mpl.rcdefaults()  # a matplotlibrc can ask for LaTeX, or for fonts and sizes that fit another page
            mpl.rcParams.update(_SETTINGS)
            # Names may be written in scripts that the font of the pictures lacks: a box stands for each letter there,
            # and the page beside it, which has the reader's fonts, shows them.
            warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
            yield
    finally:
        _DRAWING.reset(token)


def _figure(width: float, height: float) -> Figure:
    """A figure outside pyplot: no window system, and no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_POINTS, facecolor="none")


def _matplotlib() -> ModuleType:
    """The package, also where the environment or the user's file says what it refuses to be imported with."""
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    said = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        import matplotlib as mpl
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in said.items() if value is not None})
    # Whoever draws in this process later, as in a notebook, has the settings that they would have had.
    with suppress(ValueError, OSError):
        mpl.rc_file(mpl.matplotlib_fname())
    with suppress(ValueError):
        if said["MPLBACKEND"]:
            mpl.rcParams["backend"] = said["MPLBACKEND"]
    return mpl


def _lay_out(figure: Figure, renderer: RendererSVG) -> None:
    """Give the axes all the room that what stands around them leaves.

    Names and numbers around the axes are measured once, at the size that the axes have in most pictures. Matplotlib's
    own layouts measure them twice, which takes longer than all drawing.
    """
    (axes,) = figure.axes
    axes.set_position(_USUAL_PLACE)
    inside = axes.get_window_extent()
    outside = axes.get_tightbbox(renderer, for_layout_only=True) or inside
    whole, pad = figure.bbox, _PAD * figure.dpi
    left, bottom = inside.x0 - outside.x0 + pad, inside.y0 - outside.y0 + pad
    right, top = outside.x1 - inside.x1 + pad, outside.y1 - inside.y1 + pad
    width, height = whole.width - left - right, whole.height - bottom - top
    if width > 0 and height > 0:  # else there is more around the axes than the picture has room for
        axes.set_position((left / whole.width, bottom / whole.height, width / whole.width, height / whole.height))
    _pull_in(axes, renderer, whole.width - pad)


def _pull_in(axes: Axes, renderer: RendererSVG, edge: float) -> None:
    """Move headings to the left by what reaches over the right edge: they may stand above the names of rows.

    They take no part in the layout, or a long one would take the width that names and numbers beside the axes need.
    """
    from matplotlib.text import Text

    above = [text for text in axes.get_children() if isinstance(text, Text) and not text.get_in_layout()]
    over = max((text.get_window_extent(renderer).x1 - edge for text in above), default=0.0)
    for text in above if over > 0 else ():
        text.set_x(text.get_position()[0] - over / axes.bbox.width)


def _document(figure: Figure, prepare: Callable[[Figure, RendererSVG], None] | None = None) -> str:
    """A figure as a file of SVG.

    Args:
        figure: What to draw.
        prepare: Is given the figure, and what will write it, before it is drawn: a text is measured once by each.
    """
    from matplotlib.backends.backend_svg import RendererSVG

    figure.set_dpi(_POINTS)
    size, stream = figure.bbox, io.StringIO()
    renderer = RendererSVG(  # type: ignore[no-untyped-call]
        size.width, size.height, stream, image_dpi=_POINTS, metadata={"Date": None}
    )
    if prepare is not None:
        prepare(figure, renderer)
    figure.draw(renderer)
    renderer.finalize()  # type: ignore[no-untyped-call]
    return stream.getvalue()


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """A figure on light paper, shape (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    figure.set_facecolor(LIGHT["paper"])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    figure.set_facecolor("none")
    return np.array(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from matplotlib.image import imsave

    stream = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None}
    imsave(stream, pixels, format="png", dpi=_DPI, metadata=metadata)
    return stream.getvalue()


def _inline(document: str, name: str, role: str) -> str:
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', body)
    if box is None:
        raise RuntimeError("matplotlib wrote an SVG without a viewBox")
    body = _with_titles(body[body.index(">") + 1 :])
    used = {one or other for one, other in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', body)}
    body = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    for colour, code in LIGHT.items():
        body = body.replace(code, f"var(--{colour})")
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} viewBox="{box[1]}" {role}>{body}'


def _with_titles(body: str) -> str:
    """Each mark of a line that was told values holds its own as a title."""

    def entitle(group: re.Match[str]) -> str:
        texts = iter(group[1].split("\x1f"))
        return "<g>" + re.sub(
            r"<use ([^>]*)/>", lambda use: f"<use {use[1]}><title>{next(texts)}</title></use>", group[2]
        )

    return re.sub(rf'<g id="{_TOLD}([^"]*)">(.*?</g>)', entitle, body, flags=re.DOTALL)
