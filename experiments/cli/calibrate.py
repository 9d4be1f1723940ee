"""The command `groundlings calibrate`."""

from __future__ import annotations

import asyncio
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.options import HERE, SetOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.table import Table

    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.events import Progress
    from groundlings.personas.language_term import LanguageTerm
    from groundlings.personas.taste.calibration import Calibration, Estimate

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="An experiment file (YAML).")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Also write what was fitted to this file.")
]
ExposuresOption = Annotated[
    Path | None,
    typer.Option(
        "--exposures",
        metavar="LOG",
        help="A table of what was shown to real people, opened or not (CSV, TSV, Parquet; docs/exposures.md).",
    ),
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="KEY=COLUMN,...", help="Names of that table's columns; may be repeated."),
]


def calibrate(
    config: ConfigArgument,
    exposures: ExposuresOption = None,
    columns: ColumnsOption = None,
    out: OutOption = None,
    changes: SetOption = None,
) -> None:
    """Fit what agents do to what real people did.

    It fits one of two things. From a log of what real people were shown (--exposures LOG, or a section `exposures` in
    the file): how far down they look, what they open, when they leave and come back. Without such a log, where the
    file says `mind: {kind: calibrated}` with a language model: how much an agent's history and the model's opinion of
    an item each count when it chooses. That is fitted on what real people who were set aside for it chose later.
    """
    from groundlings.environments.errors import ConfigError
    from groundlings.experiments.cli.exposures import as_changes
    from groundlings.experiments.cli.fitted_out import refuse_taken
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.config.minds import CalibratedMindConfig
    from groundlings.personas.exposure.calibration import read_exposure_calibration
    from groundlings.personas.taste.calibration import read_calibration

    if out is not None:
        refuse_taken(out, "calibration", read_calibration, read_exposure_calibration)
    loaded = load_config(config, [*as_changes(exposures, columns or ()), *(changes or ())])
    asks = isinstance(loaded.mind, CalibratedMindConfig) and loaded.mind.asks
    if exposures is not None or (loaded.exposures is not None and not asks):
        _calibrate_exposures(loaded, out)
    elif asks:
        _calibrate_language(loaded, out)
    else:
        raise ConfigError(
            f"{config}: nothing to fit: found mind {loaded.mind.kind} and no log of exposures; expected "
            "--exposures LOG, or kind: calibrated with `language` among its terms"
        )


def _calibrate_exposures(config: ExperimentConfig, out: Path | None) -> None:
    from groundlings.experiments.archive.directory import write_text
    from groundlings.experiments.cli.exposures import print_exposures
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.running.exposures import calibrate_exposures

    console = Terminal()
    with TerminalProgress(console) as progress, chdir(HERE):
        found = calibrate_exposures(config, progress)
    print_exposures(found, console)
    if out is not None:
        write_text(out, found.as_text())
        console.print(f"written {escape(str(out))}; use it with mind.exposures", soft_wrap=True)


def _calibrate_language(config: ExperimentConfig, out: Path | None) -> None:
    from groundlings.experiments.archive.directory import write_text
    from groundlings.experiments.cli.progress import TerminalProgress

    console = Terminal()
    with TerminalProgress(console) as progress, chdir(HERE):
        term = asyncio.run(find_term(config, progress))
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
    share = 100 * labels.unreadable / labels.asked
    table = Table(
        title=f"{escape(fitted.dataset)}, {escape(fitted.model)}, salt {escape(repr(fitted.salt))}",
        caption=(
            f"{labels.met:,} held-out items and {labels.passed_by:,} random ones of {labels.people:,} validation "
            f"people; {labels.unreadable:,} of "
            f"{labels.asked:,} answers unreadable ({share:.1f} %). Intervals are 95 %, clustered by person.\n"
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
