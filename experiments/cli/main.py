"""The command `groundlings`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.markup import escape

from groundlings.environments.earlier_names import EarlierName
from groundlings.environments.errors import BudgetExhausted, ConfigError, TooMuchUnreadable, UserError

app = typer.Typer(
    name="groundlings",
    help="Give a recommender an audience before it meets people.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")]

CTRL_C = 130

errors = Console(stderr=True, soft_wrap=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"groundlings {version('groundlings')}")
        raise typer.Exit


@app.callback()
def groundlings(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Give a recommender an audience before it meets people."""


@app.command()
def check(config: ConfigArgument, changes: SetOption = None, seed: SeedOption = None) -> None:
    """Validate an experiment file and print what a run would do and cost."""
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.running.cost import print_plan
    from groundlings.experiments.running.plan import build_plan

    console = Console()
    print_plan(build_plan(load_config(config, changes or (), seed), progress=TerminalProgress(console)), console)


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="An experiment file (YAML).")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; runs/NAME if absent.")
    ] = None,
    changes: SetOption = None,
    seed: SeedOption = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="Continue an interrupted run.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end, and progress on standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the path of the report.")] = False,
) -> None:
    """Simulate all arms, write the log, then summary and report."""
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.cli.run_output import print_as_json, print_outcome
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.running.replicates import go_on_with, run_as_configured

    if (config is None) == (resume is None) or (resume and (out or changes or seed is not None)):
        raise ConfigError("run: give either CONFIG (with --out, --set, --seed) or --resume RUN alone")
    if as_json and quiet:
        raise ConfigError("run: give either --json or --quiet")
    with TerminalProgress(Console(stderr=as_json, quiet=quiet)) as progress:
        try:
            if config is not None:
                outcome = run_as_configured(load_config(config, changes or (), seed), out, progress)
            elif resume is not None:
                outcome = go_on_with(resume, progress)
        except (UserError, BudgetExhausted, TooMuchUnreadable, KeyboardInterrupt):
            if progress.directory is not None:
                errors.print("every finished session is in the log; continue with")
                errors.print(f"    groundlings run --resume {escape(str(progress.directory))}")
            raise
    if as_json:
        print_as_json(outcome)
    else:
        print_outcome(outcome, Console(), quiet=quiet)


@app.command()
def report(directory: RunArgument) -> None:
    """Compute metrics and report of a run again, from its log alone."""
    from groundlings.experiments.analysis.measuring import measure
    from groundlings.experiments.analysis.report import render_summary_table
    from groundlings.experiments.archive.integrity import reading
    from groundlings.experiments.running.replicates import has_cells, write_reports
    from groundlings.simulator.log.reader import LogReader

    console = Console()
    if has_cells(directory):
        write_reports(directory)
    else:
        with reading(directory), LogReader(directory) as log:
            console.print(render_summary_table(measure(directory, log)))
    console.print(f"report  {escape(str(directory / 'report.html'))}", soft_wrap=True)


@app.command("digest")
def print_digest(directory: RunArgument) -> None:
    """Print the digest of a run (SHA-256 over what happened); equal digests mean equal behaviour."""
    from groundlings.experiments.archive.integrity import reading
    from groundlings.experiments.running.replicates import runs_in
    from groundlings.simulator.log.reader import LogReader

    runs = runs_in(directory)
    for run in runs:
        with reading(run), LogReader(run) as log:
            typer.echo(log.digest() + (f"  {run.name}" if len(runs) > 1 else ""))


@app.command()
def schema() -> None:
    """Print every key of an experiment file with type, default and meaning."""
    from groundlings.experiments.config.reference import reference

    typer.echo(reference(), nl=False)


@app.command()
def doctor() -> None:
    """Check this installation and print what is missing or broken."""
    from groundlings.experiments.cli.doctor import print_findings

    raise typer.Exit(print_findings(Console()))


def _mount() -> None:
    from groundlings.experiments.cli import (
        agent,
        calibrate,
        compare,
        datasets,
        exports,
        fidelity,
        model,
        personas,
        runs,
        warmup,
    )

    app.command("agent")(agent.agent)
    app.command("compare")(compare.compare)
    app.command("power")(compare.power)
    app.command("calibrate")(calibrate.calibrate)
    app.command("fidelity")(fidelity.fidelity)
    app.command("warmup")(warmup.warmup)
    app.add_typer(exports.app)
    app.add_typer(runs.app, name="runs", help="Runs: list, show, diff, delete.")
    app.add_typer(datasets.app, name="datasets", help="Data sets: list, fetch, show.")
    app.add_typer(personas.app, name="personas", help="The personas of an experiment.")
    app.add_typer(model.app, name="model", help="Language models: serve the embedded one, probe an endpoint.")


_show_with_place = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """An earlier name is the reader's to change, wherever our code noticed it; other warnings tell their place."""
    if issubclass(category, EarlierName):
        errors.print(f"[yellow]earlier name[/] {escape(str(message))}")
    else:
        _show_with_place(message, category, filename, lineno, file, line)


def main() -> None:
    """Run the command and exit.

    0 done, 1 a fault of ours or too little that could be read, 2 something the user can mend, 3 a verdict to fail on,
    130 Ctrl-C.
    """
    warnings.showwarning = _show_warning
    try:
        _mount()
        app()
    except (UserError, BudgetExhausted) as error:
        errors.print(f"[bold red]error[/] {escape(str(error))}")
        sys.exit(2)
    except TooMuchUnreadable as error:
        errors.print(f"[bold red]too little could be read[/] {escape(str(error))}")
        sys.exit(1)
    except SystemExit as leaving:
        if leaving.code == CTRL_C:
            errors.print("stopped by Ctrl-C")
        raise


if __name__ == "__main__":
    main()
