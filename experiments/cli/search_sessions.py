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
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FITTED", help="Write there what simulated people search by (mind.search.fitted)."),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run", metavar="RUN", help="Hold the sessions of this run in environment: search against the log's."
    ),
]


def search_sessions(
    file: FileArgument,
    folds: FoldsOption = 10,
    seed: SeedOption = 0,
    json: JsonOption = None,
    out: OutOption = None,
    run: RunOption = None,
) -> None:
    """Predict clicks and stops in logged search sessions by rules, regressions and click models, people left out."""
    from groundlings.experiments.archive.directory import write_json, write_text
    from groundlings.experiments.archive.tables import check_place
    from groundlings.experiments.cli.fitted_out import refuse_taken
    from groundlings.experiments.labs.search_sessions.lab import examine_sessions
    from groundlings.experiments.labs.search_sessions.terminal import print_findings
    from groundlings.personas.search.fitted import read_fitted_search

    if json is not None:
        check_place(json, "--json")
    if out is not None:
        refuse_taken(out, "file of fitted search", read_fitted_search)
    console = Terminal()
    examined = examine_sessions(file, folds, seed, run)
    print_findings(examined.findings, console)
    if json is not None:
        write_json(json, examined.findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)
    if out is not None:
        write_text(out, examined.fitted().as_text())
        console.print(f"written {escape(str(out))}; use it with mind.search.fitted", soft_wrap=True)
