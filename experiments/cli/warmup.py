"""The command `groundlings warmup`."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.cli.options import HERE, OutOption, SeedOption, SetOption
from groundlings.experiments.terminal import Terminal, escape

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A warm-up file (YAML).")]


def warmup(config: ConfigArgument, out: OutOption = None, changes: SetOption = None, seed: SeedOption = None) -> None:
    """Simulate first interactions of new items (cold start), and measure their value against simpler methods."""
    from groundlings.experiments.archive.directory import new_directory, write_json, write_text
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.warmup.config import WarmupConfig
    from groundlings.experiments.labs.warmup.lab import measure_warm_up
    from groundlings.experiments.labs.warmup.page import render_page
    from groundlings.experiments.labs.warmup.terminal import render_claims, render_findings

    loaded = load_as(WarmupConfig, config, changes or (), seed)
    console = Terminal()
    with new_directory(loaded.name, out) as directory:
        with TerminalProgress(console, pairs="language model") as progress, chdir(HERE):
            findings = measure_warm_up(loaded, progress, directory)
        write_json(directory / "warmup.json", findings.as_dict())
        write_text(directory / "warmup.html", render_page(findings))
    console.print(render_findings(findings, console.width))
    console.print(render_claims(findings))
    console.print(f"records  {escape(str(directory / 'warmup.json'))}", soft_wrap=True)
    console.print(f"page     {escape(str(directory / 'warmup.html'))}", soft_wrap=True)
