"""The command `groundlings paradigms`: recommenders of every paradigm side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say_json

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where to write; the run's directory if absent.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def paradigms(run: RunArgument, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Compare the arms of a run as recommenders: users, held-out part, lists, fairness, calls, hallucination.

    Writes paradigms.csv, paradigms_groups.csv and paradigms.html.
    """
    from groundlings.experiments.archive.directory import write_text
    from groundlings.experiments.archive.strangers import refuse_strange
    from groundlings.experiments.cli.formulas import tell_formulas
    from groundlings.experiments.labs.paradigms.comparing import compare_paradigms
    from groundlings.experiments.labs.paradigms.page import render_page
    from groundlings.experiments.labs.paradigms.tables import csv_of_arms, csv_of_groups
    from groundlings.experiments.labs.paradigms.terminal import print_findings

    if out is not None:
        _make(out)
    findings = compare_paradigms(run)
    if out is None:
        refuse_strange(run)
    directory = out or run
    write_text(directory / "paradigms.csv", csv_of_arms(findings))
    write_text(directory / "paradigms_groups.csv", csv_of_groups(findings))
    write_text(directory / "paradigms.html", render_page(findings))
    if as_json:
        say_json(findings.as_dict())
        return
    console = Terminal()
    print_findings(findings, console)
    for name in ("paradigms.csv", "paradigms_groups.csv", "paradigms.html"):
        console.print(f"written  {escape(str(directory / name))}", soft_wrap=True)
        tell_formulas(directory / name, console)


def _make(out: Path) -> None:
    """Make a directory where there is none, before anything is computed for it."""
    from groundlings.environments.addresses import not_written
    from groundlings.environments.errors import ConfigError

    if address := not_written(out):
        raise ConfigError(f"--out {out}: {address}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ConfigError(f"--out {out}: cannot be made a directory ({fault.strerror}); name another one") from None
