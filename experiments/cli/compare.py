"""The commands `groundlings compare` and `groundlings power`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]
ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")]


def compare(
    directory: RunArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    fidelity: Annotated[
        Path | None, typer.Option("--fidelity", metavar="FILE", help="A fidelity.json; RUN/fidelity.json if absent.")
    ] = None,
    variant: Annotated[
        list[Path] | None,
        typer.Option("--variant", metavar="RUN", help="The same experiment with another prompt, model or seed; often."),
    ] = None,
) -> None:
    """Say which recommender is better, how sure that is, and whether it may be believed."""
    import json
    from contextlib import ExitStack

    from groundlings.experiments.analysis.comparison.comparing import compare_run
    from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
    from groundlings.experiments.archive.integrity import reading
    from groundlings.experiments.running.replicates import runs_in
    from groundlings.simulator.log.reader import LogReader

    first, *others = (*runs_in(directory), *(run for each in variant or () for run in runs_in(each)))
    with reading(first, *others), ExitStack() as stack:
        log, *variants = (stack.enter_context(LogReader(run)) for run in (first, *others))
        found = compare_run(first, log, fidelity or _beside(directory), variants)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False, default=str))
        return
    from rich.console import Console

    print_verdict(found, Console())


def _beside(directory: Path) -> Path | None:
    """An examination that lies with a matrix counts for its cells."""
    from groundlings.experiments.analysis.comparison.fidelity_gate import FIDELITY_NAME

    found = directory / FIDELITY_NAME
    return found if found.is_file() else None


def power(
    config: ConfigArgument,
    people: Annotated[int, typer.Option("--people", min=20, help="How many agents the pilot has.")] = 100,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be given often."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Run a small pilot and say how many agents the experiment needs, and which effects it can see."""
    import json

    from rich.console import Console

    from groundlings.experiments.analysis.comparison.pilot import run_pilot
    from groundlings.experiments.analysis.report.verdict_terminal import print_needs
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config

    console = Console(stderr=as_json)
    pilot = run_pilot(load_config(config, changes or ()), people, TerminalProgress(console))
    if as_json:
        typer.echo(json.dumps(pilot.as_dict(), indent=2, ensure_ascii=False, default=str))
        return
    print_needs(pilot, console)
