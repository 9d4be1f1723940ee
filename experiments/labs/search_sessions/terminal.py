"""The findings in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, decimal, plural, signed
from groundlings.experiments.labs.search_sessions import published
from groundlings.experiments.labs.search_sessions.clicks import ClickRow
from groundlings.experiments.labs.search_sessions.figures import Figure
from groundlings.experiments.labs.search_sessions.lab import Findings
from groundlings.experiments.labs.search_sessions.simulated import MOST_PAGES, HeldFigure
from groundlings.experiments.labs.search_sessions.stops import StopRow
from groundlings.experiments.terminal import escape

_ABSENT = Figure(None)


def print_findings(findings: Findings, console: Console) -> None:
    """Tables of clicks, of stops, of click rates by rank and of whole sessions, and whether the targets are reached."""
    console.print(
        f"{plural(findings.people, 'person', 'people')}, {plural(findings.sessions, 'session')}, "
        f"{plural(findings.pages, 'page')}, {plural(findings.results, 'result')}, "
        f"{plural(findings.clicks, 'click')}. Everybody is predicted from the people of {findings.folds - 1} of "
        f"{findings.folds} parts; 95 % intervals over people."
    )
    if findings.clicked_only:
        console.print(
            "Every page has a click: models are fitted, and clicks predicted and drawn, given one on the page."
        )
    _print_clicks(findings, console)
    _print_stops(findings, console)
    _print_rates(findings, console)
    _print_sessions(findings, console)
    for line in targets(findings):
        console.print(line)


def _print_clicks(findings: Findings, console: Console) -> None:
    table = _table("Clicks", "F1", "AUC", "AUC over rank only", "log-loss", "accuracy", "perplexity")
    for row in findings.click_rows:
        figures = row.figures
        table.add_row(
            escape(row.name), _with_interval(figures, "f1"), _with_interval(figures, "auc"),
            _with_interval(figures, "auc_gain", gain=True), _plain(figures, "log_loss"), _plain(figures, "accuracy"),
            NOT_KNOWN if row.perplexity is None else decimal(row.perplexity, 3),
        )  # fmt: skip
    table.add_row(
        published.NAME, decimal(published.CLICKS["f1"], 3), *(NOT_KNOWN,) * 3,
        decimal(published.CLICKS["accuracy"], 3), NOT_KNOWN,
    )  # fmt: skip
    console.print(table)


def _print_stops(findings: Findings, console: Console) -> None:
    title = f"Stops after this page ({findings.stops:.1%} of pages are the last)"
    table = _table(title, "F1", "AUC", "log-loss", "accuracy")
    for row in findings.stop_rows:
        shown = (_with_interval(row.figures, name) for name in ("f1", "auc"))
        table.add_row(escape(row.name), *shown, *(_plain(row.figures, name) for name in ("log_loss", "accuracy")))
    table.add_row(
        published.NAME, decimal(published.STOPS["f1"], 3), *(NOT_KNOWN,) * 2, decimal(published.STOPS["accuracy"], 3)
    )
    console.print(table)


def _print_rates(findings: Findings, console: Console) -> None:
    floor = findings.floor
    table = _table("Click rate by rank", "rates from the top", "clicks per page", "distance", "half to half", "within")
    table.add_row(
        "real people", _rates(floor.rates), decimal(floor.clicks_per_page, 2), "0.000",
        f"{decimal(floor.distance, 3)} (95 %: {decimal(floor.distance_95, 3)})", "floor",
    )  # fmt: skip
    for row in findings.rates:
        table.add_row(
            escape(row.name), _rates(row.rates), decimal(row.clicks_per_page, 2), decimal(row.distance, 3),
            decimal(row.halves, 3), "yes" if row.within else "no",
        )  # fmt: skip
    table.add_row(
        published.NAME, _rates(published.SIMULATED_RATES), NOT_KNOWN, decimal(published.rate_distance(), 3), NOT_KNOWN,
        NOT_KNOWN,
    )  # fmt: skip
    console.print(table)


def _print_sessions(findings: Findings, console: Console) -> None:
    simulated, run = findings.simulated, findings.run
    title = "Simulated sessions, by what was fitted on other people or by stated rules"
    _print_held(title, simulated.figures, simulated.without_click, findings.clicked_only, console)
    for by, cut in simulated.cut.items():
        if cut:
            console.print(f"{by}: {plural(cut, 'session')} cut after {MOST_PAGES} pages")
    if run is not None:
        _print_held("Sessions of the run, by arm", run.figures, run.without_click, findings.clicked_only, console)


def _print_held(
    title: str,
    figures: Sequence[HeldFigure],
    without_click: Mapping[str, float],
    clicked_only: bool,
    console: Console,
) -> None:
    table = _table(title, "by", "simulated", "real", "distance", "half to half", "real people (95 %)", "within")
    for row in figures:
        table.add_row(
            escape(row.name), escape(row.by), _rates(row.simulated), _rates(row.real), decimal(row.distance, 3),
            decimal(row.halves, 3), f"{decimal(row.floor, 3)} ({decimal(row.floor_95, 3)})",
            "yes" if row.within else "no",
        )  # fmt: skip
    console.print(table)
    left_out = ", left out as the log has none" if clicked_only else ""
    for by, share in without_click.items():
        console.print(f"{escape(by)}: {share:.1%} of simulated pages without a click{left_out}")


def targets(findings: Findings) -> list[str]:
    """A line per target: whether the predictor of highest AUC reaches it. That one is chosen by AUC, for both."""
    found = []
    for what, rows, wanted in (
        ("clicks", findings.click_rows, published.CLICK_TARGETS),
        ("stops", findings.stop_rows, published.STOP_TARGETS),
    ):
        best = best_row(rows)
        for name, target in wanted.items():
            value = best.figures.get(name, _ABSENT).value
            word = "not known" if value is None else "reached" if value >= target else "missed"
            found.append(
                f"{what}, {name.upper() if name == 'auc' else 'F1'}: {_with_interval(best.figures, name)} by "
                f"{best.name}; target {target:.2f} {word}"
            )
    return found


def best_row(rows: Sequence[ClickRow | StopRow]) -> ClickRow | StopRow:
    """The one of highest AUC."""
    return max(rows, key=lambda row: row.figures.get("auc", _ABSENT).value or 0.0)


def _table(title: str, *headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(title), title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _with_interval(figures: Mapping[str, Figure], name: str, *, gain: bool = False) -> str:
    figure = figures.get(name, _ABSENT)
    if figure.value is None:
        return NOT_KNOWN
    write = signed if gain else decimal
    ends = "" if figure.low is None else f" \\[{write(figure.low, 3)}, {write(figure.high, 3)}]"
    return write(figure.value, 3) + ends


def _plain(figures: Mapping[str, Figure], name: str) -> str:
    value = figures.get(name, _ABSENT).value
    return NOT_KNOWN if value is None else decimal(value, 3)


def _rates(rates: Sequence[float | None]) -> str:
    return " ".join("-" if rate is None else f"{rate:.2f}".removeprefix("0") for rate in rates)
