"""The words of a report that a reader may rest on: metrics, and what the page itself says again and again."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.experiments.analysis.metrics import Summary

WORDS: Mapping[str, tuple[str, str]] = {
    "word-agent": ("Agent", "A simulated user, built from one real user's history."),
    "word-arm": (
        "Arm",
        "One recommender of the experiment. The first arm is the baseline: the others are compared with it.",
    ),
    "word-impression": ("Impression", "One item shown in one slot of a page."),
    "word-session": (
        "Session",
        "One stay of an agent in one arm: pages of items until the agent leaves or pages run out.",
    ),
    "word-interval": (
        "95 % interval",
        "Repeated with other agents, such an interval would hold the true figure 95 times in 100. It measures noise "
        "of the simulation, not the distance from real users.",
    ),
    "word-validated": (
        "Validated",
        "Declared beforehand, all checks passed, and these agents put recommenders in the order that real users' "
        "behaviour does.",
    ),
    "word-indicative": (
        "Indicative",
        "The effect is clear in the simulation; its distance from real users is not known.",
    ),
    "word-not-supported": (
        "Not supported",
        "The effect is not clear, a check or a guardrail failed, or real behaviour says the opposite.",
    ),
    "word-guardrail": ("Guardrail", "A metric that must not get worse while another one gets better."),
    "word-bound": (
        "Bound",
        "An arm that ranks by the agents' hidden preferences, which no recommender can know: the most that can be "
        "gained or lost.",
    ),
}
"""Id of a word -> how it is written, and what it means; metrics come with their names as ids."""


def glossary(summary: Summary) -> dict[str, tuple[str, str]]:
    """What `term` of the templates may name: the metrics of a run, and the words."""
    metrics = {
        metric.name: (metric.label, f"{metric.definition} In {metric.unit}. Left out: {metric.left_out}.")
        for metric in summary.metrics
    }
    return {**metrics, **WORDS}
