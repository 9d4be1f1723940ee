"""The command `groundlings truth`: hold agents against items that nobody chose."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.cli.options import HERE, OutOption, SeedOption, SetOption
from groundlings.experiments.terminal import Terminal, escape

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A truth file (YAML).")]


def truth(config: ConfigArgument, out: OutOption = None, changes: SetOption = None, seed: SeedOption = None) -> None:
    """Compare simulated users with what real ones thought of items that were shown at random."""
    from groundlings.experiments.archive.directory import new_directory, write_json, write_text
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.truth.config import TruthConfig
    from groundlings.experiments.labs.truth.lab import examine
    from groundlings.experiments.labs.truth.page import render_page
    from groundlings.experiments.labs.truth.terminal import render_findings
    from groundlings.simulator.log.manifest_seal import with_seal

    loaded = load_as(TruthConfig, config, changes or (), seed)
    console = Terminal()
    with new_directory(loaded.name, out) as directory:
        with TerminalProgress(console) as progress, chdir(HERE):
            findings = examine(loaded, progress)
        write_json(directory / "truth.json", with_seal(findings.as_dict()))
        write_text(directory / "truth.html", render_page(findings))
    console.print(render_findings(findings))
    console.print(f"records  {escape(str(directory / 'truth.json'))}", soft_wrap=True)
    console.print(f"page     {escape(str(directory / 'truth.html'))}", soft_wrap=True)
