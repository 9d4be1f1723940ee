"""Metrics an agent, an arm and a difference, straight from the log."""

from groundlings.experiments.analysis.metrics.definitions import BY_NAME, METRICS, Metric, per_arm_sql
from groundlings.experiments.analysis.metrics.summary import ArmSummary, Summary, summarise

__all__ = ["BY_NAME", "METRICS", "ArmSummary", "Metric", "Summary", "per_arm_sql", "summarise"]
