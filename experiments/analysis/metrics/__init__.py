"""Metrics per agent, per arm and per difference, straight from the log."""

from groundlings.experiments.analysis.metrics.declaration import Metric, per_arm_sql
from groundlings.experiments.analysis.metrics.definitions import BY_NAME, METRICS
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.analysis.metrics.summary import ArmSummary, Summary, summarise

__all__ = ["BY_NAME", "METRICS", "ArmSummary", "Metric", "Summary", "metrics_of", "per_arm_sql", "summarise"]
