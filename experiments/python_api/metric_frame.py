"""The metrics of a run as a data frame, and as a short table for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics import Metric, summarise
from groundlings.experiments.analysis.metrics.totals import RunTotals
from groundlings.experiments.analysis.report.formatting import NOT_VALIDATED, absent
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd


FOR_TABLES = ["label", "decimals"]
"""How `short_table` shows a metric."""


def metric_frame(log: LogReader, metrics: Sequence[Metric]) -> pd.DataFrame:
    """One row per arm and metric: the columns of `Run.metrics`, and `FOR_TABLES`; `attrs` say what is absent."""
    import pandas as pd

    summary = summarise(log, metrics)
    totals = RunTotals(log, summary.run["like_from"], summary.metrics)
    ids = {arm.name: arm.arm_id for arm in log.logged_arms()}
    rows = []
    for arm in summary.arms:
        parts = totals.of(ids[arm.name]).columns
        for metric in summary.metrics:
            found = asdict(arm.metrics[metric.name])
            rows.append(
                {
                    "arm": arm.name,
                    "metric": metric.name,
                    "label": metric.label,
                    "value": found["mean"],
                    "standard_error": found["standard_error"],
                    "low": found["low"],
                    "high": found["high"],
                    "denominator": metric.denominator,
                    "denominator_total": int(parts[metric.totals[1]].sum()),
                    "agents": found["n"],
                    "agents_without": found["excluded"],
                    "decimals": metric.decimals,
                }
            )
    numbers = dict.fromkeys(("value", "standard_error", "low", "high"), "float64")
    frame = pd.DataFrame(rows).astype(numbers)
    frame.attrs["absent"] = list(absent(summary))
    return frame


def short_table(metrics: pd.DataFrame) -> str:
    """What `metric_frame` made, as HTML: mean and interval of each."""
    from groundlings.experiments.analysis.report.formatting import decimal

    def cell(row: pd.Series) -> str:
        places = row.decimals
        if row.value != row.value:
            return decimal(None, places)
        interval = "" if row.low != row.low else f" [{decimal(row.low, places)}, {decimal(row.high, places)}]"
        return decimal(row.value, places) + interval

    shown = metrics.assign(metric=metrics.label, cell_text=metrics.apply(cell, axis=1))
    index = [name for name in ("cell", "arm") if name in metrics]
    table = shown.pivot(index=index, columns="metric", values="cell_text")
    table = table.loc[shown.set_index(index).index.unique(), metrics.label.unique()]
    notes = [f"Mean and 95 % interval. {NOT_VALIDATED.capitalize()}.", *metrics.attrs.get("absent", ())]
    return table.rename_axis(columns=None).to_html() + "".join(f"<p>{note}</p>" for note in notes)
