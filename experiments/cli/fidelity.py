"""The command `groundlings fidelity`."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.cli.options import HERE, OutOption, SeedOption, SetOption
from groundlings.experiments.terminal import Terminal, escape

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A fidelity file or an experiment file (YAML).")]


def fidelity(config: ConfigArgument, out: OutOption = None, changes: SetOption = None, seed: SeedOption = None) -> None:
    """Compare simulated users with real ones, with trivial scorers and with the noise of real data.

    An experiment file is taken as it is: its arms are ordered together with the lab's own recommenders.
    """
    from functools import partial

    from groundlings.experiments.archive.directory import new_directory, write_json, write_text
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.fidelity.config import FidelityConfig
    from groundlings.experiments.labs.fidelity.experiment_file import as_fidelity
    from groundlings.experiments.labs.fidelity.lab import examine
    from groundlings.experiments.labs.fidelity.page import render_page
    from groundlings.experiments.labs.fidelity.terminal import render_findings
    from groundlings.simulator.log.manifest_seal import with_seal

    console = Terminal()

    def say(line: str) -> None:
        console.print(f"[dim]note[/]  {escape(line)}", highlight=False, soft_wrap=True)

    loaded = load_as(FidelityConfig, config, changes or (), seed, partial(as_fidelity, say=say))
    with new_directory(loaded.name, out) as directory:
        with TerminalProgress(console, pairs="language model") as progress, chdir(HERE):
            findings = examine(loaded, progress)
        write_json(directory / "fidelity.json", with_seal(findings.as_dict()))
        write_text(directory / "fidelity.html", render_page(findings))
    console.print(render_findings(findings, console.width))
    console.print(f"records  {escape(str(directory / 'fidelity.json'))}", soft_wrap=True)
    console.print(f"page     {escape(str(directory / 'fidelity.html'))}", soft_wrap=True)
