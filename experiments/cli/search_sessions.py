"""The command `groundlings search-sessions`: how well click models predict the people of a search log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Search sessions, a table or JSON: docs/search.md.")]
FoldsOption = Annotated[int, typer.Option("--folds", help="Parts of the people; each is predicted from the others.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of parts, intervals and simulated clicks.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def search_sessions(file: FileArgument, folds: FoldsOption = 10, seed: SeedOption = 0, json: JsonOption = None) -> None:
    """Predict clicks and stops in logged search sessions by rules, regressions and click models, people left out."""
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.labs.search_sessions.lab import examine_sessions
    from groundlings.experiments.labs.search_sessions.terminal import print_findings

    console = Terminal()
    findings = examine_sessions(file, folds, seed)
    print_findings(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)
