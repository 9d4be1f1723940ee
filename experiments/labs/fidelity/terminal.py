"""The examination on the terminal: progress, and the table at the end."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.lab import PARTS, Findings, Observer
from groundlings.experiments.labs.fidelity.sentences import figure, target
from groundlings.experiments.labs.progress import OneBar

_COLOURS = {"validated": "green", "indicative": "cyan", "not supported": "red"}


class ExaminationProgress(OneBar, Observer):
    """Draws one bar, and says which part is under way."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "examination", PARTS)

    def pairs(self, done: int, total: int) -> None:
        """See `Observer.pairs`."""
        self._progress.update(self._task, description=f"language model, {done:,} of {total:,}")

    def step(self, number: int, name: str) -> None:
        """See `Observer.step`."""
        self._progress.update(self._task, completed=number - 1, description=name)


def render_findings(findings: Findings) -> Table:
    """The headline figures: value, interval, what it stands beside, target and word."""
    about = findings.about
    gate = "passed" if findings.passed else "did not pass"
    table = Table(
        title=f"{about['dataset']}: {about['people_tested']:,} people nothing was fitted on, salt {about['salt']!r}",
        caption=f"As a whole: {findings.overall}; the mind {gate} the system gate. Targets were set before.",
        caption_justify="left",
    )
    for heading, justify in (("figure", "left"), ("value", "right"), ("beside", "left"), ("target", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("met")
    table.add_column("verdict")
    for row in headlines(findings.records):
        record = row.record
        met = "" if record.target is None else "yes" if record.target.met else "[red]no"
        word = record.verdict or ""
        colour = _COLOURS.get(word, "")
        said = f"[{colour}]{word}" if colour else word
        table.add_row(row.label, escape(figure(record)), escape(row.beside), target(record), met, said)
    return table
