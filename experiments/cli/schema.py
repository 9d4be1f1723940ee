"""The command `groundlings schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape, say


def schema(
    section: Annotated[
        str | None, typer.Argument(metavar="[SECTION]", help="One section, such as plan or mind.shopping.")
    ] = None,
) -> None:
    """Print every key of an experiment file with type, default and meaning, or those of one section."""
    from rich.padding import Padding

    from groundlings.experiments.config.reference import keys_of, reference

    if section is None:
        say(reference().removesuffix("\n"))
        return
    console = Terminal()
    for heading, keys in keys_of(section).items():
        console.print(f"[bold]{escape(heading)}[/]")
        for key in keys:
            console.print(f"  {escape(key.name)}  [dim]{escape(key.kind)}, {escape(key.default)}[/]", highlight=False)
            console.print(Padding(escape(key.meaning), (0, 0, 0, 6)), highlight=False)
        console.print()
