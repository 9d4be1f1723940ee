"""What was shown as data frames: figures of lists by arm, and what each group of items got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics.item_groups import measure_groups
from groundlings.experiments.analysis.metrics.lists import measure_lists
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.compare import Difference

_GAP = ("difference", "difference_low", "difference_high")
_LIST_COLUMNS = ("arm", "metric", "value", "low", "high", *_GAP, "at_random", "denominator", "agents", "why_missing")
_GROUP_COLUMNS = (
    "arm", "grouping", "group", "items", "of_catalog", "of_interactions", "what", "total", "share", "low", "high",
    *_GAP, "agents", "why_missing",
)  # fmt: skip


def list_frame(log: LogReader) -> pd.DataFrame:
    """One row per arm and list metric: the columns of `Run.lists`."""
    import pandas as pd

    rows: list[dict[str, object]] = []
    for metric in measure_lists(log):
        about = {"metric": metric.name, "denominator": metric.denominator}
        if metric.missing:
            missing = (arm.name for arm in log.visited_arms())
            rows += [{**about, "arm": arm, "agents": 0, "why_missing": metric.missing} for arm in missing]
        rows += [
            {
                **about,
                "arm": arm,
                "value": found.value.mean,
                "low": found.value.low,
                "high": found.value.high,
                **_gap(found.difference),
                "at_random": found.random,
                "agents": found.value.n,
            }
            for arm, found in metric.arms.items()
        ]
    return _typed(pd.DataFrame(rows, columns=list(_LIST_COLUMNS)), ("arm", "metric", "denominator"), ("agents",))


def group_frame(log: LogReader) -> pd.DataFrame:
    """One row per arm, group of items and count: the columns of `Run.item_groups`."""
    import pandas as pd

    rows: list[dict[str, object]] = []
    for grouping in measure_groups(log):
        if grouping.missing:
            rows.append({"grouping": grouping.name, "agents": 0, "why_missing": grouping.missing})
        rows += [
            {
                "arm": arm,
                "grouping": grouping.name,
                "group": group.name,
                "items": group.items,
                "of_catalog": group.of_catalog,
                "of_interactions": group.of_interactions,
                "what": what,
                "total": found.total,
                "share": found.share.mean,
                "low": found.share.low,
                "high": found.share.high,
                **_gap(found.difference),
                "agents": found.share.n,
            }
            for group in grouping.groups
            for arm, counted in group.arms.items()
            for what, found in counted.items()
        ]
    names = ("arm", "grouping", "group", "what")
    return _typed(pd.DataFrame(rows, columns=list(_GROUP_COLUMNS)), names, ("agents",))


def _gap(found: Difference | None) -> dict[str, float | None]:
    ends = (None, None, None) if found is None else (found.difference, found.low, found.high)
    return dict(zip(_GAP, ends, strict=True))


def _typed(frame: pd.DataFrame, names: tuple[str, ...], counts: tuple[str, ...]) -> pd.DataFrame:
    texts = (*names, "why_missing")
    numbers = [name for name in frame if name not in (*texts, *counts)]
    kinds = dict.fromkeys(texts, "string") | dict.fromkeys(counts, "int64") | dict.fromkeys(numbers, "float64")
    return frame.astype(kinds)
