"""Options of commands that read an experiment file."""

from __future__ import annotations

from typing import Annotated

import typer

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--server-rate",
        metavar="N",
        min=0.001,
        help="Answers per second of one model server, for the plan; `groundlings model check --rate` measures it.",
    ),
]
Hours = Annotated[float, typer.Option("--hours", metavar="H", min=0.01, help="How long asking may take, for the plan.")]
