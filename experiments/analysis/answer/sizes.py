"""How far recommenders are from the baseline: in per cent where that means something, else in the metric's unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, decimal, signed

NONE = Size(percent=False, value=None, low=None, high=None)


def in_percent(comparison: Comparison) -> bool:
    """Whether all sizes are told in per cent of the baseline's mean.

    They are not where that mean may be zero or is below it, where an interval of a lift reaches below a loss of all
    there is, and where it and that of the difference are not on the same side of zero: the lift of a small and
    uncertain baseline is hardly known.
    """
    base = comparison.standing.means.get(comparison.baseline)
    if base is None or base.mean is None or base.low is None or base.low <= 0:
        return False
    known = [arm for arm in comparison.arms if arm.headline.effect.difference is not None]
    return bool(known) and all(_agree(arm) for arm in known)


def _agree(arm: ArmFindings) -> bool:
    lift, effect = arm.headline.lift, arm.headline.effect
    if lift.mean is None or lift.low is None or lift.high is None or effect.low is None or effect.high is None:
        return False
    return lift.low >= -1 and (lift.low > 0, lift.high < 0) == (effect.low > 0, effect.high < 0)


def size_of(arm: ArmFindings, *, percent: bool) -> Size:
    """The size of an arm's effect."""
    effect, lift = arm.headline.effect, arm.headline.lift
    found: Estimate | Difference = lift if percent else effect
    if found.low == found.high or (arm.headline.unvaried and not percent):
        # An interval of no width would look like certainty, where nothing is known of the spread.
        return Size(percent, lift.mean if percent else effect.difference, None, None)
    if percent:
        return Size(True, lift.mean, lift.low, lift.high) if effect.difference is not None else NONE
    return Size(False, effect.difference, effect.low, effect.high)


def is_share(metric: Metric) -> bool:
    """Whether values are shares, which people read in per cent."""
    return metric.unit.startswith("share")


@dataclass(frozen=True, slots=True)
class Unit:
    """How figures of the primary metric are written, alike in the whole answer.

    Attributes:
        metric: The primary metric.
        decimals: Of a mean.
        fine: Of an effect in the metric's own unit.
    """

    metric: Metric
    decimals: int
    fine: int

    def level(self, value: float | None) -> str:
        """A mean as people read it: shares in per cent."""
        if value is None:
            return NOT_KNOWN
        return f"{decimal(100 * value, self.decimals)} %" if is_share(self.metric) else decimal(value, self.decimals)

    def middle(self, size: Size) -> str:
        """The effect with its sign: "+81 %", "+0.68", or "+6.2 percentage points"."""
        if size.value is None:
            return NOT_KNOWN
        unit = " %" if size.percent else " percentage points" if is_share(self.metric) else ""
        return f"{self._signed(size.value, size)}{unit}"

    def ends(self, size: Size) -> str:
        """The interval in brackets, "" where there is none."""
        if size.low is None or size.high is None:
            return ""
        unit = " %" if size.percent else ""
        clear = not size.low <= 0 <= size.high
        low, high = (self._end(end, size, clear=clear) for end in (size.low, size.high))
        return f"[{low}{unit}, {high}{unit}]"

    def _end(self, end: float, size: Size, *, clear: bool) -> str:
        """One end; an interval that excludes zero must not look as if it held zero, so its nearer end has decimals."""
        for more in range(_MOST_DECIMALS):
            said = self._signed(end, size, more)
            if not clear or said[0] in "+\N{MINUS SIGN}":
                break
        return said

    def spoken(self, size: Size) -> str:
        """The effect and its interval."""
        return f"{self.middle(size)} {self.ends(size)}".rstrip()

    def _signed(self, value: float, size: Size, more: int = 0) -> str:
        if size.percent:
            return signed(100 * value, more + (0 if abs(size.value or 0.0) >= _WHOLE_FROM else 1))
        return signed(100 * value, self.fine + more) if is_share(self.metric) else signed(value, self.fine + more)


def unit_of(comparison: Comparison) -> Unit:
    """How figures of the primary metric are written: so that the baseline and every standard error have two figures."""
    metric = comparison.metrics[comparison.plan.primary]
    base = comparison.standing.means.get(comparison.baseline)
    usual = max(metric.decimals - 2, 1) if is_share(metric) else metric.decimals
    errors = [arm.headline.effect.standard_error or 0.0 for arm in comparison.arms]
    return Unit(
        metric,
        max(usual, _decimals(0.0 if base is None or base.mean is None else base.mean, metric)),
        max(usual, _decimals(min((error for error in errors if error > 0), default=0.0), metric)),
    )


def _decimals(value: float, metric: Metric) -> int:
    """Decimals that give a figure two digits other than leading zeros."""
    shown = abs(100 * value if is_share(metric) else value)
    return min(1 - math.floor(math.log10(shown)), _MOST_DECIMALS) if shown > 0 else 0


def ranked(ranks: tuple[int, int] | None) -> str:
    """A rank, or from which to which."""
    return NOT_KNOWN if ranks is None else " to ".join(map(str, dict.fromkeys(ranks)))


def chance(share: float | None) -> str:
    """A chance in per cent; one that resamples cannot tell from none or from certainty is said to be so."""
    if share is None:
        return NOT_KNOWN
    return "< 1 %" if share < 0.005 else "> 99 %" if share >= 0.995 else f"{100 * share:.0f} %"


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names in a sentence; where there are more than `most`, the first ones and how many more."""
    known = list(names)
    if len(known) > most + 1:
        return f"{', '.join(known[:most])} and {len(known) - most} others"
    return " and ".join(filter(None, (", ".join(known[:-1]), known[-1]))) if known else ""


_WHOLE_FROM = 0.095
"""From 10 % on a lift is told without decimals."""
_MOST_DECIMALS = 6
