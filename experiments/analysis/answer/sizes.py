"""How far recommenders are from the baseline: in per cent where that means something, else in the metric's unit."""

from __future__ import annotations

from collections.abc import Iterable

from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, decimal, signed

NONE = Size(percent=False, value=None, low=None, high=None)


def in_percent(comparison: Comparison) -> bool:
    """Whether all sizes are told in per cent of the baseline's mean.

    They are not where that mean may be zero or is below it, and where an interval of a lift and that of the difference
    are not on the same side of zero: the lift of a small and uncertain baseline is hardly known.
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
    return (lift.low > 0, lift.high < 0) == (effect.low > 0, effect.high < 0)


def size_of(arm: ArmFindings, *, percent: bool) -> Size:
    """The size of an arm's effect."""
    effect, lift = arm.headline.effect, arm.headline.lift
    if percent:
        return Size(True, lift.mean, lift.low, lift.high) if effect.difference is not None else NONE
    return Size(False, effect.difference, effect.low, effect.high)


def is_share(metric: Metric) -> bool:
    """Whether values are shares, which people read in per cent."""
    return metric.unit.startswith("share")


def level(value: float | None, metric: Metric) -> str:
    """A mean of the metric as people read it: shares in per cent."""
    if value is None:
        return NOT_KNOWN
    return f"{decimal(100 * value, 1)} %" if is_share(metric) else decimal(value, metric.decimals)


def middle(size: Size, metric: Metric) -> str:
    """The effect with its sign: "+81 %", "+0.68", or "+6.2 points" of a share."""
    if size.value is None:
        return NOT_KNOWN
    return f"{_signed(size.value, size, metric)}{_unit(size, metric)}"


def ends(size: Size, metric: Metric) -> str:
    """The interval in brackets, "" where there is none."""
    if size.low is None or size.high is None:
        return ""
    unit = " %" if size.percent else ""
    return f"[{_signed(size.low, size, metric)}{unit}, {_signed(size.high, size, metric)}{unit}]"


def spoken(size: Size, metric: Metric) -> str:
    """The effect and its interval."""
    return f"{middle(size, metric)} {ends(size, metric)}".rstrip()


def chance(share: float) -> str:
    """A chance in per cent; one that resamples cannot tell from none or from certainty is said to be so."""
    return "< 1 %" if share < 0.005 else "> 99 %" if share >= 0.995 else f"{100 * share:.0f} %"


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names in a sentence; where there are more than `most`, the first ones and how many more."""
    known = list(names)
    if len(known) > most + 1:
        return f"{', '.join(known[:most])} and {len(known) - most} others"
    return " and ".join(filter(None, (", ".join(known[:-1]), known[-1]))) if known else ""


def _signed(value: float, size: Size, metric: Metric) -> str:
    if size.percent:
        return signed(100 * value, 0 if abs(size.value or 0.0) >= _WHOLE_FROM else 1)
    return signed(100 * value, 1) if is_share(metric) else signed(value, metric.decimals)


def _unit(size: Size, metric: Metric) -> str:
    return " %" if size.percent else " percentage points" if is_share(metric) else ""


_WHOLE_FROM = 0.095
"""From 10 % on a lift is told without decimals."""
