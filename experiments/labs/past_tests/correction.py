"""What past tests say of a new simulated effect: the real effect to be expected, with its interval.

groundlings compare RUN --past-tests validate.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError, in_words, shown
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.verdict import UNVARIED
from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.labs.past_tests.slope import Slope
from groundlings.experiments.labs.past_tests.tests_file import LARGEST, Scale

_MOST_TESTS = 10**9


@dataclass(frozen=True, slots=True)
class PastTests:
    """The part of a `validate.json` that corrects.

    Attributes:
        slope: Of real on simulated effects.
        scale: Of those effects.
        metrics: Metrics of the tests.
    """

    slope: Slope
    scale: Scale
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A simulated effect and what past tests make of it.

    Attributes:
        arm, metric: Whose.
        simulated: The effect of the run.
        expected: The real effect to be expected; None where past tests say nothing of it.
        low, high: Ends of its 95 % prediction interval, None likewise.
        words: All of that in a sentence.
    """

    arm: str
    metric: str
    simulated: float | None
    expected: float | None
    low: float | None
    high: float | None
    words: str


def read_past_tests(path: Path) -> PastTests:
    """A file of `groundlings validate`.

    Raises:
        RunDirectoryError: There is no such file, it is none, or its tests were too few for a slope.
    """
    try:
        content = json.loads(bounded_text(path))
        slope, scale, metrics = content["slope"], content["scale"], content["metrics"]
        if slope is not None:
            slope = _slope(slope)
        if scale not in ("relative", "absolute"):
            raise ValueError(f"scale {shown(scale)}")
        if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
            raise ValueError(f"metrics {shown(metrics)}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise RunDirectoryError(
            f"--past-tests {path}: not a file of `groundlings validate` ({in_words(fault)}); name its validate.json"
        ) from None
    if slope is None:
        raise RunDirectoryError(f"--past-tests {path}: its tests were too few for a slope; validate on more of them")
    return PastTests(slope, scale, tuple(metrics))


def _is_figure(value: object) -> bool:
    """Whether a value is a number whose square is one, too."""
    return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _slope(content: dict[str, Any]) -> Slope:
    """A slope as the file has it; raises ValueError or TypeError where a figure cannot be."""
    found = Slope(**content)
    for name in ("value", "error", "spread", "rest", "largest"):
        figure = getattr(found, name)
        if not _is_figure(figure) or (name != "value" and figure < 0):
            raise ValueError(f"slope.{name} {shown(figure)}")
    for name in ("low", "high"):
        figure = getattr(found, name)
        if figure is not None and not _is_figure(figure):
            raise ValueError(f"slope.{name} {shown(figure)}")
    counts = (found.n_experiments, found.n)
    if any(type(count) is not int for count in counts) or not 2 <= counts[0] <= counts[1] <= _MOST_TESTS:
        raise ValueError(f"slope of {shown(found.n)} tests and {shown(found.n_experiments)} experiments")
    return found


def correct(comparison: Comparison, past: PastTests) -> list[Corrected]:
    """The primary effect of each arm, corrected by past tests."""
    return [_correct(arm, comparison.baseline, comparison.plan.primary, past) for arm in comparison.arms]


def as_plain(corrected: Sequence[Corrected]) -> list[dict[str, Any]]:
    """Plain JSON values."""
    return [asdict(each) for each in corrected]


def _correct(arm: ArmFindings, baseline: str, metric: str, past: PastTests) -> Corrected:
    relative = past.scale == "relative"
    found = arm.headline.lift if relative else arm.headline.effect
    effect = arm.headline.lift.mean if relative else arm.headline.effect.difference
    if metric not in past.metrics:
        words = f"{arm.name}: no past test was on {metric} (they were on {', '.join(past.metrics)}): not corrected"
        return Corrected(arm.name, metric, effect, None, None, None, words)
    if effect is None or found.standard_error is None:
        words = f"{arm.name}: the simulated effect has no interval: not corrected"
        return Corrected(arm.name, metric, effect, None, None, None, words)
    if arm.headline.identical or arm.headline.unvaried:
        why = f"identical to {baseline}" if arm.headline.identical else UNVARIED
        words = f"{arm.name}: {why}, so the simulated effect has no error: not corrected"
        return Corrected(arm.name, metric, effect, None, None, None, words)
    expected, error = past.slope.predict(effect, found.standard_error)
    low, high = expected - past.slope.quantile * error, expected + past.slope.quantile * error
    words = (
        f"{slope_words(past.slope)}: corrected effect of {arm.name} on {metric} {_figure(expected, relative)} "
        f"[{_figure(low, relative)}, {_figure(high, relative)}], simulated {_figure(effect, relative)}"
    )
    if abs(effect) > past.slope.largest:
        words += f"; larger than any of the past tests' ({_figure(past.slope.largest, relative)}): extrapolated"
    return Corrected(arm.name, metric, effect, expected, low, high, words)


def slope_words(slope: Slope) -> str:
    """The slope in a sentence."""
    tests = f"in {slope.n} past tests of {plural(slope.n_experiments, 'experiment')}"
    if slope.low is None or slope.high is None:
        return f"{tests} the size of real effects beside simulated ones is not bounded (slope {slope.value:.2f})"
    interval = f"[{slope.low:.2f}, {slope.high:.2f}]"
    return f"{tests} real effects were {slope.value:.2f} {interval} of the simulated ones"


def _figure(value: float, relative: bool) -> str:
    return f"{100 * value:+.1f} %" if relative else f"{value:+.4g}"
