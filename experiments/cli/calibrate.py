"""The command `groundlings calibrate`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.table import Table

    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.events import Progress
    from groundlings.personas.language_term import LanguageTerm
    from groundlings.personas.taste.calibration import Calibration, Estimate

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML), mind: calibrated.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the weights to this file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
]


def calibrate(config: ConfigArgument, out: OutOption = None, changes: SetOption = None) -> None:
    """Fit the weights of a calibrated mind on held-out data of validation users, or read those fitted before."""
    from groundlings.environments.errors import ConfigError
    from groundlings.experiments.archive.directory import write_text
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config

    loaded = load_config(config, changes or ())
    if loaded.mind.kind != "calibrated" or loaded.mind.asked is None:
        raise ConfigError(
            f"{config}: mind: found {loaded.mind.kind}; expected kind: calibrated with `language` among its terms, "
            "because nothing else has weights to fit"
        )
    console = Terminal()
    with TerminalProgress(console) as progress:
        term = asyncio.run(find_term(loaded, progress))
    console.print(render_calibration(term.calibration))
    if out is not None:
        write_text(out, term.calibration.as_text())
        console.print(f"weights  {escape(str(out))}", soft_wrap=True)


async def find_term(config: ExperimentConfig, progress: Progress) -> LanguageTerm:
    """The weights of an experiment, and which model was asked."""
    from contextlib import AsyncExitStack

    from groundlings.experiments.running.plan import prepare

    async with AsyncExitStack() as stack:
        plan = await prepare(config, stack, progress=progress)
    assert plan.minds.language_term is not None
    return plan.minds.language_term


def render_calibration(calibration: Calibration) -> Table:
    """Weights with intervals, and what they rest on."""
    from rich.table import Table

    fitted, labels = calibration.fitted_for, calibration.labels
    table = Table(
        title=f"{escape(fitted.dataset)}, {escape(fitted.model)}, salt {escape(repr(fitted.salt))}",
        caption=(
            f"{labels.met:,} held-out items and {labels.passed_by:,} random ones of {labels.people:,} validation "
            f"people, {labels.unreadable:,} unreadable. Intervals are 95 %, clustered by person.\n"
            f"SHA-256 {calibration.sha256}"
        ),
        caption_justify="left",
    )
    for heading in ("weight", "log-odds", "95 %", "for"):
        table.add_column(heading, justify="left" if heading in ("weight", "for") else "right")
    rows = (
        ("evidence", calibration.evidence, "one unit of appeal, beside the language term"),
        ("language", calibration.language, "one standard deviation of the score, beside appeal"),
        ("language alone", calibration.language_alone, "one standard deviation of the score"),
        ("gain", calibration.gain, "nats a pair that the language term adds, people left out"),
    )
    for name, estimate, meaning in rows:
        table.add_row(name, *_figures(estimate), meaning)
    return table


def _figures(estimate: Estimate) -> tuple[str, str]:
    low, high = estimate.interval
    return f"{estimate.value:+.3f}", f"{low:+.3f} to {high:+.3f}"
