"""A figure with its 95 % interval, and where it comes from: fitted on a file, or set with a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from groundlings.personas.exposure.presets import Preset


class Part(BaseModel):
    """A part of a calibration file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Parameter(Part):
    """A figure that a mind may use."""

    value: float
    low: float | None
    """Of the 95 % interval; of a preset: of what its source gives, None where it gives no interval."""
    high: float | None
    origin: Literal["fitted", "preset"]
    source: str
    """How it was estimated, or where the preset comes from."""
    note: str = ""
    """Why the file cannot identify a preset; what else to know of a fitted figure."""
    preset: float | None = None
    """What would stand here without the file, where that is one figure."""

    @property
    def fitted(self) -> bool:
        """Whether it was estimated on the file."""
        return self.origin == "fitted"

    @classmethod
    def from_preset(cls, preset: Preset, note: str) -> Parameter:
        """A preset, and why it was not estimated."""
        return cls(
            value=preset.value,
            low=preset.low,
            high=preset.high,
            origin="preset",
            source=preset.source,
            note=note,
            preset=preset.value,
        )

    @classmethod
    def from_fit(
        cls,
        value: float,
        error: float,
        quantile: float,
        source: str,
        *,
        note: str = "",
        preset: float | None = None,
        scale: Callable[[float], float] = float,
    ) -> Parameter:
        """An estimate whose interval is symmetric before `scale` is applied.

        Args:
            value: On the scale on which it was estimated (log-odds, for instance).
            error: Its standard error there.
            quantile: How many standard errors the interval reaches to each side.
            source: How it was estimated.
            note: What else to know.
            preset: What would stand here without the file.
            scale: To the scale of the figure; must rise.
        """
        low, high = value - quantile * error, value + quantile * error
        return cls(
            value=scale(value),
            low=scale(low),
            high=scale(high),
            origin="fitted",
            source=source,
            note=note,
            preset=preset,
        )
