"""The results on the terminal."""

from __future__ import annotations

from rich.table import Table

from groundlings.environments.words import persons, plural
from groundlings.experiments.labs.fidelity.sentences import figure_and_n, reached, target
from groundlings.experiments.labs.truth.headlines import headlines
from groundlings.experiments.labs.truth.lab import Findings
from groundlings.experiments.labs.truth.records import VALIDATED
from groundlings.experiments.terminal import escape

_COLOURS = {VALIDATED: "green", "indicative": "cyan", "not supported": "red"}


def render_findings(findings: Findings) -> Table:
    """The pooled headline figures of every mind: value, interval, comparison, target and verdict."""
    about = findings.about
    passed = {True: "passed", False: "did not pass"}
    gates = "; ".join(f"the {name} {passed[each]}" for name, each in findings.passed.items())
    table = Table(
        title=(
            f"{escape(about['dataset'])}: {plural(about['exposures'], 'random exposure')} of "
            f"{persons(about['people'])}, pooled over {plural(len(about['salts']), 'partition')}"
        ),
        caption=f"Gate of random exposure: {escape(gates)}. Targets were set before measuring.",
        caption_justify="left",
    )
    for heading, justify in (
        ("figure", "left"), ("exposures", "left"), ("value", "right"), ("compared with", "left"), ("target", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("met")
    table.add_column("verdict")
    for row in headlines(findings.records):
        record = row.record
        met = reached(record).replace("no", "[red]no")
        colour = _COLOURS.get(record.said, "")
        said = f"[{colour}]{record.said}" if colour else record.said
        told = (row.label, record.exposures, figure_and_n(record), row.beside)
        table.add_row(*map(escape, told), target(record), met, said)
    return table
