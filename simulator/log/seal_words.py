"""What a check of seals calls what it found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

NAMES = {
    "config": "the configuration",
    "config_hash": "the configuration's hash",
    "mind": "the description of the mind",
    "dataset_hash": "the data set's hash",
    "status": "the status",
    "identity": "what the run depends on (runs.identity)",
    "accepted_changes": "the list of accepted changes",
    "interventions": "the list of interventions",
}
"""What messages call the parts of a run's row."""


def told(sessions: set[tuple[int, int]], names: Mapping[int, str]) -> str:
    """The arms and days of some sessions: "arm ease, day 2"; days count from 1, as everywhere on screen."""
    days: dict[int, list[int]] = defaultdict(list)
    for arm, day in sorted(sessions):
        days[arm].append(day + 1)
    return "; ".join(
        f"arm {names.get(arm, arm)}, day{'s' if len(found) > 1 else ''} {_spans(found)}" for arm, found in days.items()
    )


def _spans(days: Sequence[int]) -> str:
    """Ascending numbers, those that follow each other as "2 to 5"."""
    spans: list[list[int]] = []
    for day in days:
        if spans and day == spans[-1][1] + 1:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
