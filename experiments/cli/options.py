"""Options and arguments that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.terminal import say


def finite(value: float | None) -> float | None:
    """The value of an option; raises `typer.BadParameter` where it is NaN or infinite, which no bound refuses."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"found {value}; expected a finite number")
    return value


HERE = "."
"""What relative paths of a command begin at. Code of somebody's own, which may go elsewhere, runs in `chdir(HERE)`."""

OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to write; runs/NAME if absent.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
]
TimesOption = Annotated[
    int, typer.Option("--times", min=100, max=10_000, help="Resamples behind the intervals: 100 to 10,000.")
]
LostOption = Annotated[
    float,
    typer.Option(
        "--max-unreadable",
        min=0,
        max=1,
        help="Share of the model's answers behind any one row of figures that may be unreadable, else status 1.",
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--server-rate",
        metavar="N",
        min=0.001,
        callback=finite,
        help="Answers per second of one model server, for the plan; `groundlings model check --rate` measures it.",
    ),
]
Hours = Annotated[
    float,
    typer.Option("--hours", metavar="H", min=0.01, callback=finite, help="How long asking may take, for the plan."),
]

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"groundlings {version('groundlings')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
