"""The answer on a terminal: the sentence, the table sorted by effect, the trust light, what to do next."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from groundlings.experiments.analysis.answer.values import Answer, Row
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
from groundlings.experiments.terminal import escape

_COLOURS = {"good": "green", "warn": "yellow", "bad": "red", "unknown": "dim"}
_MARKS = {"good": "\N{CHECK MARK}", "warn": "!", "bad": "\N{MULTIPLICATION X}", "unknown": "?"}
_READINGS = {"better": "green", "worse": "red", "higher": "cyan", "lower": "cyan"}
_WIDE = 110
"""Columns from which on a bar is drawn."""


def print_comparison(answer: Answer, comparison: Comparison, console: Console) -> None:
    """What `groundlings compare` prints: the sentence first, then everything that it rests on."""
    print_sentence(answer, console)
    print_lights(answer, console)
    console.print()
    print_verdict(comparison, console, answer.rows)


def print_sentence(answer: Answer, console: Console) -> None:
    """The sentence, what is claimed in bold."""
    rest = f": {escape(answer.detail)}" if answer.detail else ""
    console.print(f"[bold]{escape(answer.claim)}[/]{rest}", highlight=False)


def print_lights(answer: Answer, console: Console) -> None:
    """Whether it may be believed, and what to do next."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(style="dim")
    grid.add_column()
    for light in answer.lights:
        grid.add_row(f"[{_COLOURS[light.state]}]{_MARKS[light.state]}[/]", light.name.lower(), escape(light.words))
    if answer.chances_note:
        grid.add_row("", "best", escape(answer.chances_note))
    if answer.adjusted_note:
        grid.add_row("", "adjusted", escape(answer.adjusted_note))
    grid.add_row("\N{RIGHTWARDS ARROW}", "next", escape(answer.next_step))
    console.print(Padding(grid, (0, 0, 0, 2)))


def render_ranking(answer: Answer, width: int) -> Table | None:
    """Recommenders sorted by effect, with their chance to be best and their bad news; None where none are compared.

    Args:
        answer: Of the run.
        width: Of the terminal, in columns: a wide one has bars.
    """
    if len(answer.rows) < 2:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=width >= _WIDE)
    table.add_column("recommender", overflow="fold")
    against = f"against {escape(answer.baseline)} ({escape(answer.level)})\n{answer.sure} interval"
    against = f"{escape(answer.metric.lower())}\n{against}"
    table.add_column(against, justify="right", overflow="fold")
    if width >= _WIDE:
        table.add_column("", ratio=2, no_wrap=True)
    placed = any(row.chance is not None for row in answer.rows)  # over several runs, nobody is
    if placed:
        table.add_column("chance to\nbe best", justify="right")
        table.add_column("likely\nrank", justify="right")
    table.add_column("side effects", overflow="fold", ratio=3 if width >= _WIDE else None)
    for row in answer.rows:
        bar = [_bar(answer, row, max(10, width // 8))] if width >= _WIDE else []
        places = (row.odds, row.standing) if placed else ()
        table.add_row(*_cells(row), *bar, *places, _news(row))
    return table


def print_abouts(answer: Answer, console: Console) -> None:
    """What the recommenders do, one line each."""
    for row in answer.rows:
        if row.about:
            console.print(f"[dim]{escape(row.name)}: {escape(row.about)}[/]", highlight=False)


def _cells(row: Row) -> tuple[str, str]:
    mark = f" [green]{row.place}[/]" if row.place else ""
    colour = _READINGS.get(row.reading, "dim")
    size = f"[{colour}]{escape(row.change)}[/]" if row.change else ""
    below = "\n".join(filter(None, (row.interval, row.why_unclear)))
    return f"{escape(row.name)}{mark}", f"{size}\n[dim]{escape(below, newlines=True)}[/]" if below else size


def _news(row: Row) -> str:
    shown = [f"[{_COLOURS[each.state]}]{escape(each.words)}[/]" for each in row.news if each.state != "good"]
    return "\n".join(shown[:3]) + (f"\n[dim]and {len(shown) - 3} more[/]" if len(shown) > 3 else "")


def _bar(answer: Answer, row: Row, columns: int) -> str:
    """A bar from zero to the effect, on the scale of all."""
    known = [each.size.value for each in answer.rows if each.size.value is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    if row.size.value is None or high == low:
        return ""
    start, end = sorted((0.0, row.size.value))
    before = round(columns * (start - low) / (high - low))
    length = round(columns * (end - low) / (high - low)) - before
    return f"{' ' * before}[{_READINGS.get(row.reading, 'dim')}]{chr(0x2588) * length}[/]"
