"""`groundlings calibrate --exposures`: what a log of exposures says, as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.table import Table

    from groundlings.personas.exposure.calibration import ExposureCalibration
    from groundlings.personas.exposure.held_out import Difference
    from groundlings.personas.exposure.parameter import Parameter

COLUMN_KEYS = (
    "user", "item", "list", "page", "session", "position", "opened", "rating", "timestamp", "propensity", "censored",
)  # fmt: skip
"""Keys of the section `exposures` that name a column."""

_SMALL = 0.01
_SHAPES = {"power": "some k^-exponent fits", "flat": "a flat curve fits", "preset": "the preset fits"}
_MEASURES = {"log_likelihood": "log likelihood per exposure", "brier": "Brier score", "auc": "AUC"}


def as_changes(path: Path | None, columns: Sequence[str]) -> list[str]:
    """The options as `--set` would write them.

    Args:
        path: Of the log, from where the command was started.
        columns: `KEY=COLUMN`, several separated by commas.

    Raises:
        ConfigError: One of them names no key, or no column.
    """
    from groundlings.environments.errors import ConfigError, shown
    from groundlings.environments.paths import written_out

    changes = [] if path is None else [f"exposures.path={json.dumps(str(written_out(path, '--exposures').absolute()))}"]
    for each in (part for column in columns for part in column.split(",")):
        key, equals, name = each.partition("=")
        if key not in COLUMN_KEYS or not equals or not name:
            raise ConfigError(
                f"--columns: found {shown(each)}, expected KEY=COLUMN with a key of {', '.join(COLUMN_KEYS)}"
            )
        changes.append(f"exposures.{key}={json.dumps(name)}")
    return changes


def print_exposures(found: ExposureCalibration, console: Terminal) -> None:
    """The parameters, what could not be identified, and what the fitted utilities gain."""
    console.print(_parameters(found))
    if found.position.curve:
        told = "  ".join(f"{place}: {each.value:.2f}" for place, each in found.position.curve.items())
        console.print(f"look    {told}", highlight=False, soft_wrap=True)
    for shape, p_value in found.position.p_values.items():
        console.print(f"        {_SHAPES[shape]}: p = {p_value:.2g}", highlight=False)
    notes: dict[tuple[str, str], list[str]] = {}
    for name, parameter in found.parameters():
        if parameter.note:
            notes.setdefault(("note" if parameter.fitted else "preset", parameter.note), []).append(name)
    for (kind, note), names in notes.items():
        console.print(escape(f"{kind}  {', '.join(names)}: {note}"), highlight=False, soft_wrap=True)
    gains = _gains(found)
    if gains is not None:
        console.print(gains)
    console.print(f"SHA-256 {found.sha256}", highlight=False, soft_wrap=True)


def _parameters(found: ExposureCalibration) -> Table:
    from rich.table import Table

    from groundlings.environments.words import persons, plural

    counts = found.counts
    left_out = "".join(f", {plural(count, 'row')} left out ({why})" for why, count in counts.left_out.items())
    table = Table(
        title=(
            f"{escape(found.fitted_on.dataset)}, {found.fitted_on.policy} policy, "
            f"{plural(counts.exposures, 'exposure')}"
        ),
        caption=(
            f"{persons(counts.people)}, {plural(counts.lists, 'list')}, {plural(counts.sessions, 'session')}; "
            f"{counts.opened:,} "
            f"opened, {counts.unknown_opens:,} unknown, {counts.rated:,} rated; {counts.known_pairs:,} of "
            f"items in the history{left_out}. Held out: {persons(counts.held_out_people)}, "
            f"{plural(counts.held_out_exposures, 'exposure')}. Intervals are 95 %, clustered by person."
        ),
        caption_justify="left",
    )
    for heading in ("parameter", "estimate", "95 %", "preset", "from"):
        table.add_column(heading, justify="left" if heading in ("parameter", "from") else "right")
    for name, parameter in found.parameters():
        table.add_row(escape(name), *_figures(parameter), "the log" if parameter.fitted else "preset")
    return table


def _figures(parameter: Parameter) -> Iterator[str]:
    yield _figure(parameter.value) if parameter.fitted else "-"
    bounds = (parameter.low, parameter.high)
    yield " to ".join(_figure(bound) for bound in bounds if bound is not None) if parameter.fitted else ""
    yield "" if parameter.preset is None else _figure(parameter.preset)


def _figure(value: float) -> str:
    """Three digits after the point, and three that count where a figure is small."""
    return f"{value:.3g}" if 0 < abs(value) < _SMALL else f"{value:.3f}"


def _gains(found: ExposureCalibration) -> Table | None:
    """Held-out measures; None where nobody was held out or nothing was fitted."""
    from rich.table import Table

    judged = [(utility.outcome, gain) for utility in (found.utility, found.liking) for gain in utility.gains]
    if not judged:
        return None
    table = Table(
        title="on people held out", caption="Gains are above 0 where the fit is better.", caption_justify="left"
    )
    for heading in ("outcome", "measure", "fitted", "preset", "constant", "gain on preset", "gain on constant"):
        table.add_column(heading, justify="left" if heading in ("outcome", "measure") else "right")
    for outcome, gain in judged:
        figures = (f"{value:.4f}" for value in (gain.fitted, gain.preset, gain.constant))
        table.add_row(
            outcome, _MEASURES[gain.measure], *figures, _difference(gain.over_preset), _difference(gain.over_constant)
        )
    return table


def _difference(difference: Difference) -> str:
    told = f"{difference.value:+.4f}"
    if difference.low is None or difference.high is None:
        return told
    return f"{told} [{difference.low:+.4f}, {difference.high:+.4f}]"
