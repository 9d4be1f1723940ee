"""Agreement with past tests on one screen of the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.labs.past_tests.agreement import Record
from groundlings.experiments.labs.past_tests.correction import slope_words
from groundlings.experiments.labs.past_tests.lab import PUBLISHED, Findings
from groundlings.experiments.labs.past_tests.slope import FEWEST
from groundlings.experiments.terminal import escape


def print_findings(findings: Findings, console: Console) -> None:
    """Figures beside trivial guesses, the slope, and what is published."""
    about = findings.about
    console.print(
        f"[bold]{plural(about['tests'], 'past test')}[/] of {plural(about['experiments'], 'experiment')}, "
        f"{findings.scale} effects on {escape(', '.join(sorted({test.metric for test in findings.tests})))}"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("figure", "guess", "value", "95 %", "tests"):
        table.add_column(heading, justify="left" if heading in ("figure", "guess") else "right")
    seen = ""
    for record in findings.records:
        table.add_row(
            record.metric if record.metric != seen else "",
            escape(record.guess),
            figure(record.value),
            interval(record),
            str(record.n),
        )
        seen = record.metric
    console.print(table)
    console.print(escape(conclusion(findings)))
    published = "; ".join(f"{system}: {figures}" for system, figures in PUBLISHED)
    console.print(f"[dim]{escape(f'published, on tests that nobody else can see: {published}')}[/]")
    changed = sum(1 for each in findings.simulated if each.changed)
    if changed:
        words = f"{plural(changed, 'test')} on runs whose log was changed after it was written"
        console.print(f"[bold red]{escape(words)}[/]")


def conclusion(findings: Findings) -> str:
    """What a later comparison can make of it, in a sentence."""
    if findings.slope is None:
        return f"too few tests for a slope (at least {FEWEST} of two experiments, with effects other than zero)"
    words = slope_words(findings.slope)
    low = findings.slope.low
    doubt = (
        ""
        if low is not None and low > 0
        else "; the interval includes zero: these tests do not show that a simulated effect predicts a real one"
    )
    return f"{words[0].upper()}{words[1:]}{doubt}"


def figure(value: float | None) -> str:
    """A figure, or that there is none."""
    return "n/a" if value is None else f"{value:.3f}"


def interval(record: Record) -> str:
    """The ends of the interval."""
    return "" if record.low is None or record.high is None else f"{record.low:.3f} to {record.high:.3f}"
