"""What ties did, in sentences: a run held against the same world without ties, where that was measured.

`groundlings word-of-mouth RUN WITHOUT --json RUN/word_of_mouth.json` measures it; `compare` and the report repeat it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError, in_words
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report.formatting import count, decimal, signed
from groundlings.experiments.archive.directory import read_manifest
from groundlings.experiments.labs.interference.estimates import Estimate as Interference
from groundlings.experiments.labs.interference.estimates import Estimates
from groundlings.simulator.assignment import in_percent

WORD_OF_MOUTH_NAME = "word_of_mouth.json"

_TOLD = {
    "interactions per agent": "{arm}, interactions per agent: {with_ties} with ties and {without} without",
    "told and opened": "{arm}, of what agents were told and shown they opened {with_ties}, and {without} of the same"
    " where nobody told them",
}
"""Figure -> its sentence, without the difference."""


def social_lines(directory: Path) -> tuple[str, ...]:
    """A sentence per arm and figure, () where nothing was measured.

    Args:
        directory: The run's.

    Raises:
        RunDirectoryError: The file beside the run is no such file.
    """
    path = directory / WORD_OF_MOUTH_NAME
    if not path.is_file():
        return ()
    try:
        content = json.loads(bounded_text(path))
        if content["digest"] != read_manifest(directory)["digest"]:
            return (f"{WORD_OF_MOUTH_NAME} is of another run than this one, so what ties did is not told",)
        return tuple(_lines(content))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise RunDirectoryError(
            f"{path}: not a file of `groundlings word-of-mouth --json` ({in_words(fault)}); write it anew, or remove it"
        ) from None


def spillover_lines(comparison: Comparison) -> tuple[str, ...]:
    """What ties carry from arm to arm, a sentence per arm but the baseline; () where they carry nothing."""
    found = comparison.spillover
    if found is None:
        return ()
    metric = comparison.metrics[comparison.plan.primary]
    assigned = "clusters of agents" if found.by == "clusters" else "agents"
    first = (
        f"{in_percent(found.across)} of the ties join agents of different arms ({assigned} were assigned; there are "
        f"{count(found.clusters)} clusters); estimates are by least squares, intervals 95 % over clusters"
    )
    return (first, *(_carried(name, each, metric, comparison.baseline) for name, each in found.arms.items()))


def _carried(name: str, found: Estimates, metric: Metric, baseline: str) -> str:
    lead = f"{name} against {baseline}, {metric.label.lower()}"
    if found.total.value is None:
        return f"{lead}: own arm and the arms of ties cannot be told apart"
    parts = {"own arm": found.direct, "all ties in the arm": found.spillover, "a launch for everybody": found.total}
    return f"{lead}: {'; '.join(f'{what} {_with_interval(each, metric)}' for what, each in parts.items())}"


def _with_interval(found: Interference, metric: Metric) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "unknown"
    value, low, high = (signed(each, metric.decimals) for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    for figure in content["figures"]:
        words, both = _TOLD.get(figure["name"]), (figure["with_ties"], figure["without"])
        if words is None or None in both:
            continue
        arm = f"{figure['arm']} (random lists)" if figure["arm"] == content["control"] else figure["arm"]
        told = words.format(arm=arm, with_ties=decimal(both[0], 3), without=decimal(both[1], 3))
        interval = f" [{signed(figure['low'], 3)}, {signed(figure['high'], 3)}]" if figure["low"] is not None else ""
        yield f"{told}; difference {signed(both[0] - both[1], 3)}{interval}"
