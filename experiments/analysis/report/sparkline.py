"""A word-sized picture of how a figure went from day to day, to stand beside it in a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 64, 18
"""In pixels of the page."""
_MARGIN = 3.0


def sparkline(
    values: Sequence[float | None], label: str, scale: tuple[float, float], colour: str, kind: str = "spark"
) -> str:
    """A line through the days (or pages) as inline SVG, its last point marked; "" for fewer than two days.

    Args:
        values: One a day, None where there is none: the line has a gap there.
        label: The same in words.
        scale: Lowest and highest value that the picture has room for, the same in every arm.
        colour: Name of a colour of the page.
        kind: Class of the picture, by which a style sheet knows it.
    """
    known = [day for day, value in enumerate(values) if value is not None]
    if len(values) < 2 or not known:
        return ""
    low, high = scale
    across = (WIDTH - 2 * _MARGIN) / (len(values) - 1)

    def place(day: int, value: float) -> str:
        height = 0.5 if high == low else (value - low) / (high - low)
        return f"{_MARGIN + across * day:.1f} {HEIGHT - _MARGIN - height * (HEIGHT - 2 * _MARGIN):.1f}"

    steps, pen_up = [], True
    for day, value in enumerate(values):
        if value is not None:
            steps.append(f"{'M' if pen_up else 'L'}{place(day, value)}")
        pen_up = value is None
    last = known[-1]
    x, y = place(last, values[last] or 0.0).split()
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(label)}"><path d="{" ".join(steps)}" fill="none" stroke="var(--{colour})" '
        f'stroke-width="1.5"/><circle cx="{x}" cy="{y}" r="2" fill="var(--{colour})"/></svg>'
    )
