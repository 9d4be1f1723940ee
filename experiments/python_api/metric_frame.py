"""The metrics of a run as a data frame, and as a short table for a notebook."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics import BY_NAME, METRICS, summarise
from groundlings.experiments.analysis.metrics.totals import session_totals
from groundlings.experiments.analysis.report.formatting import NOT_VALIDATED
from groundlings.experiments.archive.integrity import reading
from groundlings.simulator.log.store import open_log

if TYPE_CHECKING:
    import pandas as pd


def metric_frame(run: Path) -> pd.DataFrame:
    """One row per arm and metric; see `Run.metrics`."""
    import pandas as pd

    with reading(run):
        engine = open_log(run)
        try:
            summary = summarise(engine)
            totals = session_totals(engine, summary.run["like_from"])
            names = pd.read_sql_query("SELECT arm_id, name FROM arms", engine).set_index("arm_id").name
        finally:
            engine.dispose()
    sums = totals.groupby(totals.arm_id.map(names)).sum(numeric_only=True)
    rows = []
    for arm in summary.arms:
        for metric in METRICS:
            found = asdict(arm.metrics[metric.name])
            rows.append(
                {
                    "arm": arm.name,
                    "metric": metric.name,
                    "value": found["mean"],
                    "standard_error": found["standard_error"],
                    "low": found["low"],
                    "high": found["high"],
                    "denominator": metric.denominator,
                    "denominator_total": int(sums[metric.denominator].get(arm.name, 0)),
                    "agents": found["n"],
                    "agents_without": found["excluded"],
                }
            )
    numbers = dict.fromkeys(("value", "standard_error", "low", "high"), "float64")
    return pd.DataFrame(rows).astype(numbers)


def short_table(metrics: pd.DataFrame) -> str:
    """Arms and their metrics as HTML: mean and interval of each."""
    from groundlings.experiments.analysis.report.formatting import decimal

    def cell(row: pd.Series) -> str:
        places = BY_NAME[row.metric].decimals
        if row.value != row.value:
            return decimal(None, places)
        interval = "" if row.low != row.low else f" [{decimal(row.low, places)}, {decimal(row.high, places)}]"
        return decimal(row.value, places) + interval

    labels = metrics.metric.map({metric.name: metric.label for metric in METRICS})
    shown = metrics.assign(metric=labels, cell_text=metrics.apply(cell, axis=1))
    index = [name for name in ("cell", "arm") if name in metrics]
    table = shown.pivot(index=index, columns="metric", values="cell_text")
    table = table.loc[shown.set_index(index).index.unique(), [metric.label for metric in METRICS]]
    return table.rename_axis(columns=None).to_html() + f"<p>Mean and 95 % interval. {NOT_VALIDATED.capitalize()}.</p>"
