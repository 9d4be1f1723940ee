"""The command `groundlings validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say_json

TableArgument = Annotated[Path, typer.Argument(metavar="TESTS", help="A table of past tests (CSV or Parquet).")]
ScaleOption = Annotated[
    str,
    typer.Option("--scale", metavar="SCALE", help="`relative` (0.05 is 5 % more) or `absolute` (the metric's unit)."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="KEY=NAME", help="Name of a column, if it is not its key; may be repeated."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where to write; runs/past-tests if absent.")
]


def validate(
    table: TableArgument,
    scale: ScaleOption,
    columns: ColumnOption = None,
    run: Annotated[
        bool, typer.Option("--run", help="Simulate experiment files of the column `config` that name no run.")
    ] = False,
    percent: Annotated[bool, typer.Option("--percent", help="Relative effects are in percent.")] = False,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Only the tests on this metric.")
    ] = None,
    out: OutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare simulated effects with the real effects of past A/B tests.

    Writes validate.json, which `groundlings compare --past-tests` applies to a new simulated effect, and validate.html.
    """
    from groundlings.environments.errors import ConfigError, DataError
    from groundlings.experiments.archive.directory import new_directory, write_json, write_text
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.labs.past_tests import lab
    from groundlings.experiments.labs.past_tests.page import render_page
    from groundlings.experiments.labs.past_tests.terminal import print_findings
    from groundlings.experiments.labs.past_tests.tests_file import read_columns, read_scale, read_tests

    unit = read_scale(scale)
    if percent and unit == "absolute":
        raise ConfigError("--percent: only relative effects are in percent; take one of the two options out")
    tests = read_tests(table, read_columns(columns or ()), unit, percent=percent, metric=metric)
    if not tests:
        raise DataError(f"{table}: no test is on the metric {metric!r}")
    console = Terminal(stderr=as_json)
    if not run:
        lab.simulate_missing(tests, None)  # says what has not been run, before anything is written
    with new_directory("past-tests", out) as directory:
        with TerminalProgress(console) as progress:
            runs = lab.simulate_missing(tests, directory / "runs", progress) if run else {}
        findings = lab.validate(tests, runs, unit, table=table)
        write_json(directory / lab.FILE_NAME, findings.as_dict())
        write_text(directory / "validate.html", render_page(findings))
    if as_json:
        say_json(findings.as_dict())
        return
    print_findings(findings, console)
    console.print(f"records  {escape(str(directory / lab.FILE_NAME))}", soft_wrap=True)
    console.print(f"page     {escape(str(directory / 'validate.html'))}", soft_wrap=True)
