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
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Draw = Callable[["Axes"], None]

_TOLD = "told\x1f"

_LETTERS_AN_INCH = 14
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and scaled
    "svg.hashsalt": "groundlings",
    "text.parse_math": False,  # an arm may be called "$x"
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": LIGHT["rule"],
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "xtick.color": LIGHT["rule"],
    "ytick.color": LIGHT["rule"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.labelcolor": LIGHT["ink"],
}


def svg(draw: Draw, name: str, label: str, width: float, height: float) -> str:
    """One panel as inline SVG.

    Args:
        draw: Draws on the axes it is given.
        name: Made part of every id, so that panels can share a page.
        label: The panel in words.
        width, height: In inches; the page scales it.
    """
    with _figure(width, height) as figure:
        draw(figure.add_subplot())
        return _inline(_document(figure), name, f'role="img" aria-label="{escape(label)}"')


def ornament(draw: Draw, name: str, width: float, height: float) -> str:
    """As `svg`, without margins, for what says nothing that the text beside it does not say."""
    with _figure(width, height) as figure:
        figure.set_layout_engine("none")
        draw(figure.add_axes((0.04, 0.0, 0.92, 1.0)))
        return _inline(_document(figure), name, 'aria-hidden="true"')


def sheet(draws: Sequence[Draw], title: str, note: str, columns: int, panel: tuple[float, float]) -> bytes:
    """Panels side by side as a PNG on light paper: title and names of lines, if there are any, above, a note below.

    Args:
        draws: Panels, row by row.
        title: One line.
        note: Broken into lines where it must be.
        columns: Panels a row.
        panel: Width and height of one, in inches.
    """
    rows = -(-len(draws) // columns)
    title, note = printable(title), printable(note)
    lines = textwrap.wrap(note, int(panel[0] * columns * _LETTERS_AN_INCH))
    foot = 0.2 + 0.15 * len(lines)
    with _figure(panel[0] * columns, panel[1] * rows) as figure:
        figure.set_facecolor(LIGHT["paper"])
        for number, draw in enumerate(draws, start=1):
            draw(figure.add_subplot(rows, columns, number))
        handles, names = figure.axes[0].get_legend_handles_labels()
        across = max(1, int(panel[0] * columns / (0.75 + 0.08 * max(map(len, names), default=1))))
        head = 0.55 + (0.1 + 0.2 * -(-len(names) // across) if names else 0.0)
        height = panel[1] * rows + head + foot
        figure.set_figheight(height)
        if names:
            corner = (0.01, 1 - 0.42 / height)
            figure.legend(
                handles, names, loc="upper left", bbox_to_anchor=corner, ncols=across, fontsize=9, handlelength=2.8
            )
        area = (0.01, foot / height, 0.98, 1 - (foot + head) / height)
        figure.set_layout_engine("constrained", rect=area, hspace=0.07, wspace=0.06)
        figure.text(0.018, 1 - 0.18 / height, title, fontsize=14, fontweight="bold", color=LIGHT["ink"], va="top")
        figure.text(0.018, 0.1 / height, "\n".join(lines), fontsize=8.5, color=LIGHT["muted"], va="bottom")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=180, metadata={"Software": None})
    return stream.getvalue()


def tell_values(line: Line2D | None, texts: Sequence[str]) -> None:
    """Give each mark of a line the words that a page shows where a pointer rests on it.

    Args:
        line: As drawn; None, which matplotlib returns for bars without a mark, is told nothing.
        texts: One per mark that is drawn.
    """
    if line is not None:
        line.set_gid(_TOLD + "\x1f".join(printable(text) for text in texts))


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """A figure outside pyplot: no window system, no global state, and nothing of the user's own settings."""
    mpl = _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # a matplotlibrc can ask for LaTeX, or for fonts and sizes that fit another page
        mpl.rcParams.update(_SETTINGS)
        # Names may be written in scripts that the font of the pictures lacks: a box stands for each letter there, and
        # the page beside it, which has the reader's fonts, shows them.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        # Of a panel with little in it and long names beside it there is nothing to lay out; it is drawn all the same.
        warnings.filterwarnings("ignore", message=r"constrained_layout not applied", category=UserWarning)
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


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


def _document(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
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
