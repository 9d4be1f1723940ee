"""Figures of USimAgent (Zhang et al. 2024) for the sessions of THUIR's study, and the targets set beside them.

Its own run is computed from the records in its authors' repository: 40 people of whom the sessions at hand are a part,
real queries and real pages given at each step. Its rows are for orientation; the people are not the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NAME = "USimAgent (gpt-4o-mini), 40 people"

CLICKS: Mapping[str, float] = MappingProxyType({"f1": 0.479, "accuracy": 0.658})
STOPS: Mapping[str, float] = MappingProxyType({"f1": 0.636, "accuracy": 0.603})

REAL_RATES = (0.68, 0.46, 0.35, 0.28, 0.22, 0.17, 0.13, 0.11, 0.08, 0.07)
SIMULATED_RATES = (0.56, 0.77, 0.41, 0.44, 0.42, 0.32, 0.24, 0.19, 0.19, 0.13)
"""Click rates by rank of its 40 people and of its simulation."""

CLICK_TARGETS: Mapping[str, float] = MappingProxyType({"f1": 0.57, "auc": 0.77})
STOP_TARGETS: Mapping[str, float] = MappingProxyType({"auc": 0.73, "f1": 0.64})
"""What a behavioural mind is to reach for people who were left out of these sessions."""


def rate_distance() -> float:
    """Mean over ranks of the difference between its simulated and real click rates."""
    differences = [abs(ours - theirs) for ours, theirs in zip(SIMULATED_RATES, REAL_RATES, strict=True)]
    return sum(differences) / len(differences)
