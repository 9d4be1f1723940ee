"""The numbers of a metric of one's own: numerator and denominator of each agent, read and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.scanning import Scanned
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

FRAMES = ("impressions", "sessions", "events", "calls", "interactions", "agents", "items", "arms")
"""Methods of `LogReader` that a metric's function may name as parameters."""

_PARTS = ["numerator", "denominator"]
_MOST = 1e100
"""Of numerator and denominator: squares and their sums stay numbers."""
_BY_NUMBER, _BY_NAME = ["arm_id", "agent_id"], ["arm", "user_id"]
_BY_DAY = [*_BY_NUMBER, "day"]


@dataclass(slots=True)
class MetricReader:
    """Reads metrics from one log; frames are read once for all of them.

    Attributes:
        log: The run's.
        missing: Name of a metric that was asked for and cannot be told -> why.
    """

    log: LogReader
    missing: dict[str, str] = field(default_factory=dict)
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    _answers: dict[Metric, pd.DataFrame] = field(default_factory=dict)
    _scanned: Scanned | None = None

    def values(self, metric: Metric) -> pd.DataFrame:
        """arm_id, agent_id, numerator, denominator: one row for each agent and arm with a value, over all days.

        Raises:
            ConfigError: What the metric gives does not fit; the message says which row.
        """
        rows = self.rows(metric)
        if "day" not in rows:
            return checked(metric, rows)
        return checked(metric, rows, _BY_DAY).groupby(_BY_NUMBER, as_index=False)[_PARTS].sum()

    def values_by_day(self, metric: Metric, days: int) -> Mapping[int, pd.DataFrame]:
        """Day -> as `values`, of that day alone; empty where the metric's SQL names no day.

        Args:
            metric: Which.
            days: How many there were.
        """
        if metric.function is not None:
            return {day: checked(metric, self.rows(metric, day)) for day in range(days)}
        rows = self.rows(metric)
        if "day" not in rows:
            return {}
        rows = checked(metric, rows, _BY_DAY)
        return {day: rows[rows.day == day].drop(columns="day") for day in range(days)}

    def rows(self, metric: Metric, day: int | None = None) -> pd.DataFrame:
        """What the metric gives, unchecked but for its columns: arm_id, agent_id, numerator, denominator, perhaps day.

        Args:
            metric: Which.
            day: Of a function, the one day that it is shown.
        """
        if metric.function is None:
            if metric not in self._answers:
                self._answers[metric] = self._asked(metric) if metric.scan is None else self._scan(metric)
            return self._answers[metric]
        return self.called(metric, self.frames(metric, day))

    def frames(self, metric: Metric, day: int | None = None) -> dict[str, pd.DataFrame]:
        """What the metric's function asks for, by parameter; of one day only where a day is given."""
        assert metric.function is not None
        names = list(inspect.signature(metric.function).parameters)
        unknown = [name for name in names if name not in FRAMES]
        if unknown:
            raise ConfigError(
                f"metrics: {metric.name}: its function asks for {', '.join(unknown)}; name its parameters after what "
                f"it reads: {', '.join(FRAMES)}"
            )
        for name in names:
            if name not in self._frames:
                self._frames[name] = getattr(self.log, name)()
        found = {name: self._frames[name] for name in names}
        return {
            name: frame if day is None or "day" not in frame else frame[frame.day == day]
            for name, frame in found.items()
        }

    def _asked(self, metric: Metric) -> pd.DataFrame:
        try:
            found = self.log.query(metric.sql or "")
        except RunDirectoryError as fault:
            raise ConfigError(f"metrics: {metric.name}: the database refuses its SQL: {fault}") from None
        _has(metric, found, [*_BY_NUMBER, *_PARTS], "its SQL")
        for number, known in (("arm_id", self._arms().values()), ("agent_id", self.log.agent_ids())):
            strange = found[number][~found[number].isin(list(known))]
            if len(strange):
                raise ConfigError(f"metrics: {metric.name}: the log has no {number} {strange.iloc[0]}")
        return found[[*_BY_NUMBER, *(["day"] if "day" in found else []), *_PARTS]]

    def _scan(self, metric: Metric) -> pd.DataFrame:
        import pandas as pd

        assert metric.scan is not None
        self._scanned = self._scanned or Scanned(self.log)
        found = metric.scan(self._scanned)
        if isinstance(found, str):
            self.missing[metric.name] = found
            return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in (*_BY_DAY, *_PARTS)})
        return found[[*_BY_DAY, *_PARTS]]

    def called(self, metric: Metric, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """What the metric's function makes of some frames; it gets copies, which it may change."""
        import pandas as pd

        assert metric.function is not None
        try:
            found = metric.function(**{name: frame.copy() for name, frame in frames.items()})
        except Exception as fault:  # whatever a function of the user's own does, its name helps most
            reason = f"{type(fault).__name__}: {fault}"
            raise ConfigError(f"metrics: {metric.name}: its function failed: {reason}") from fault
        if not isinstance(found, pd.DataFrame):
            raise ConfigError(f"metrics: {metric.name}: its function gave {type(found).__name__}, expected a DataFrame")
        _has(metric, found, [*_BY_NAME, *_PARTS], "its function")
        numbers = {
            "arm_id": self._arms(),
            "agent_id": dict(zip(self.log.user_ids(), self.log.agent_ids(), strict=True)),
        }
        rows = found[_PARTS].copy()
        for number, name in zip(_BY_NUMBER, _BY_NAME, strict=True):
            rows[number] = found[name].map(numbers[number])
            strange = found[name][rows[number].isna()]
            if len(strange):
                raise ConfigError(f"metrics: {metric.name}: the log knows no {name} {strange.iloc[0]!r}")
        return rows[[*_BY_NUMBER, *_PARTS]].astype(dict.fromkeys(_BY_NUMBER, np.int64))

    def _arms(self) -> dict[str, int]:
        return {arm.name: arm.arm_id for arm in self.log.logged_arms()}


def checked(metric: Metric, rows: pd.DataFrame, key: Sequence[str] = _BY_NUMBER) -> pd.DataFrame:
    """The rows with a value, their parts as floats; rows whose denominator is zero or missing have none.

    Args:
        metric: Whose rows they are, for messages.
        rows: As `MetricReader.rows` gives them.
        key: What may stand there once only.

    Raises:
        ConfigError: An agent stands there twice, or a part is no number that makes a ratio.
    """
    import pandas as pd

    rows = rows.reset_index(drop=True)
    unnamed = rows[rows[list(key)].isna().any(axis=1)]
    if len(unnamed):
        raise ConfigError(f"metrics: {metric.name}: a row does not say whose it is: {_about(unnamed.iloc[0], key)}")
    twice = rows[rows.duplicated(list(key))]
    if len(twice):
        raise ConfigError(
            f"metrics: {metric.name}: {_about(twice.iloc[0], key)} stands there twice; give one row per agent and arm"
        )
    try:
        if any(pd.api.types.is_complex_dtype(rows[part]) for part in _PARTS):
            raise TypeError("found complex ones")
        parts = rows[_PARTS].astype(np.float64).to_numpy()
    except (TypeError, ValueError, OverflowError) as fault:
        raise ConfigError(f"metrics: {metric.name}: numerator and denominator must be numbers ({fault})") from None
    above, below = parts[:, 0], parts[:, 1]
    nothing = np.isnan(below) | (below == 0)
    for wrong, what in (
        (np.isinf(parts).any(axis=1) | (below < 0), "the denominator must be positive, and both finite"),
        ((np.abs(parts) > _MOST).any(axis=1), f"numbers beyond {_MOST:g} have no mean and no interval"),
        (nothing & (np.nan_to_num(above) != 0), "there is a numerator and nothing to divide it by"),
        (
            ~nothing & np.isnan(above),
            "the numerator is missing; write 0 if nothing counts as zero, or no row",
        ),
    ):
        if wrong.any():
            row = rows.iloc[int(np.flatnonzero(wrong)[0])]
            raise ConfigError(
                f"metrics: {metric.name}: {_about(row, key)} has {row.numerator} / {row.denominator}: {what}"
            )
    kept = rows[~nothing].copy()
    kept[_PARTS] = parts[~nothing]
    return kept


def _has(metric: Metric, found: pd.DataFrame, wanted: Sequence[str], what: str) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ConfigError(
            f"metrics: {metric.name}: {what} gives the columns {', '.join(map(str, found.columns)) or 'none'}; "
            f"{', '.join(missing)} is missing (expected {', '.join(wanted)})"
        )


def _about(row: pd.Series, key: Sequence[str]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in key)
