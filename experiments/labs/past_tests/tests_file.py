"""The table of past tests: real effects with their errors, and where their simulated counterparts are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from scipy import stats

from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import ConfigError, DataError, shown
from groundlings.environments.paths import at_home

Scale = Literal["relative", "absolute"]

COLUMNS = (
    "experiment", "arm", "metric", "effect", "low", "high", "standard_error", "run", "config", "baseline",
)  # fmt: skip
"""Keys of the table; a column has the name of its key unless `--column KEY=NAME` says otherwise."""

LARGEST, SMALLEST = 1e100, 1e-100
"""Between which effects and errors lie, if they are not 0: beyond, their squares are no numbers."""

_NEEDED = ("experiment", "arm", "metric", "effect")
_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class PastTest:
    """One arm of one experiment that really took place.

    Attributes:
        where: File and line, for messages.
        experiment, arm, metric: Names; arm and metric are those of the simulated run.
        effect, error: The real effect of the arm over the baseline and its standard error.
        run: Directory of the simulated run; None where there is none yet.
        config: The experiment file to simulate; None where a run is named.
        baseline: Name of the simulated arm that it is compared to; None is the first one.
    """

    where: str
    experiment: str
    arm: str
    metric: str
    effect: float
    error: float
    run: Path | None
    config: Path | None
    baseline: str | None


def read_columns(named: Sequence[str]) -> dict[str, str]:
    """Key -> name of the column, of `KEY=NAME` each.

    Raises:
        ConfigError: One is no such pair, its key is not known, or stands there twice.
    """
    found: dict[str, str] = {}
    for each in named:
        key, equals, name = each.partition("=")
        if not equals or not name or key not in COLUMNS:
            raise ConfigError(f"--column {each}: expected KEY=NAME, KEY being one of {', '.join(COLUMNS)}")
        if key in found:
            raise ConfigError(f"--column {each}: {key} is {key}={found[key]} already; name one column of each key")
        found[key] = name
    return found


def read_scale(word: str) -> Scale:
    """The scale that a word names.

    Raises:
        ConfigError: It names none.
    """
    for scale in get_args(Scale):
        if scale == word:
            return cast("Scale", scale)
    raise ConfigError(f"--scale: found {shown(word)}, expected relative or absolute")


def read_tests(
    path: Path, columns: Mapping[str, str], scale: Scale, *, percent: bool = False, metric: str | None = None
) -> tuple[PastTest, ...]:
    """The tests of a CSV or Parquet file.

    Args:
        path: Paths in it are relative to its directory.
        columns: Key -> name, of those that do not have the name of their key.
        scale: Of the effects.
        percent: Whether effects are in percent; they are divided by 100.
        metric: The only metric whose tests are wanted; None wants all.

    Raises:
        DataError: A cell cannot be read, an effect lies outside its interval, or relative effects look like percent.
    """
    table = Table.read(path)
    headers = table.data.column_names
    found: dict[str, Column] = {}
    for key in COLUMNS:
        name = columns.get(key, key)
        if key in columns or name in headers or key in _NEEDED:
            found[key] = table.column(name, f"--column {key}=NAME")
    other = [key for key in COLUMNS if key not in found]
    table.warn_of_unread(
        [column.name for column in found.values()], f"where they are there, {', '.join(other)} are read"
    )
    for key in _NEEDED:
        found[key].refuse_empty(f"the {key}")
    effects = found["effect"].parsed(_number, np.float64)
    errors = _errors(found, effects)
    if percent:
        effects, errors = effects / 100, errors / 100
    elif scale == "relative" and np.median(np.abs(effects)) > 1:
        raise DataError(
            f"{path}: half of the effects are above 1, which is 100 % as relative effects; if they are in percent, add "
            "--percent, and if they are differences in the metric's unit, say --scale absolute"
        )
    cells = {key: column.cells for key, column in found.items()}
    nothing = [""] * len(effects)
    tests = tuple(
        PastTest(
            where=f"{path}, {table.where(row)}",
            experiment=cells["experiment"][row],
            arm=cells["arm"][row],
            metric=cells["metric"][row],
            effect=float(effects[row]),
            error=float(errors[row]),
            run=_path(found.get("run"), row),
            config=_path(found.get("config"), row),
            baseline=cells.get("baseline", nothing)[row] or None,
        )
        for row in range(len(effects))
        if metric in (None, cells["metric"][row])
    )
    _check(tests, scale)
    return tests


def _errors(found: Mapping[str, Column], effects: np.ndarray) -> np.ndarray:
    """Standard errors, from their column or from the ends of 95 % intervals, shape (n,)."""
    if "standard_error" in found:
        column = found["standard_error"]
        errors = column.parsed(_number, np.float64)
        for row in np.flatnonzero(errors <= 0)[:1]:
            column.fail(int(row), f"found {errors[row]:g}, expected a standard error above 0")
        return np.asarray(errors)
    if "low" not in found or "high" not in found:
        raise DataError(
            f"{found['effect'].table.path}: there is no error of the real effects; name the ends of their 95 % "
            "intervals (low, high) or their standard errors (standard_error), for instance with --column low=ci_low"
        )
    low, high = (found[key].parsed(_number, np.float64) for key in ("low", "high"))
    wrong = ~((low <= effects) & (effects <= high) & (low < high))
    for row in np.flatnonzero(wrong)[:1]:
        found["effect"].fail(
            int(row),
            f"found {effects[row]:g}, expected an effect inside its interval {low[row]:g} to {high[row]:g}, and an "
            "interval with some width",
        )
    return np.asarray((high - low) / (2 * _Z))


def _check(tests: Sequence[PastTest], scale: Scale) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for test in tests:
        if test.run is None and test.config is None:
            raise DataError(f"{test.where}: no run and no config; name the directory of a run, or an experiment file")
        key = (test.experiment, test.arm, test.metric)
        if key in seen:
            raise DataError(f"{test.where}: {', '.join(map(shown, key))} stands already at {seen[key]}; remove one")
        seen[key] = test.where
    metrics = sorted({test.metric for test in tests})
    if scale == "absolute" and len(metrics) > 1:
        raise DataError(
            f"absolute effects of {len(metrics)} metrics ({', '.join(metrics)}) have different units; give relative "
            "effects, or the tests of one metric at a time (--metric NAME)"
        )


def _number(cell: str) -> float:
    try:
        value = float("" if "_" in cell else cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("a finite number")
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"0, or a number from {SMALLEST:g} to {LARGEST:g} without its sign")
    return value


def _path(column: Column | None, row: int) -> Path | None:
    """A path in a cell, which counts from the directory of the table; None where nothing is named."""
    if column is None or not column.cells[row]:
        return None
    try:
        return column.table.path.parent / at_home(Path(column.cells[row]))
    except ValueError as error:
        column.fail(row, f"found {shown(column.cells[row])}; {error}")
