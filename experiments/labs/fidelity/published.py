"""Figures that others published for the same tasks, quoted with their source. They are not our measurements.

Their users, splits and negatives are not ours: these rows are for orientation, never the baseline of a claim.
"""

from __future__ import annotations

from groundlings.experiments.labs.fidelity.records import Record

_AGENT4REC = "Agent4Rec (Zhang et al., SIGIR 2024, gpt-3.5-turbo)"
_RERUN = "Agent4Rec, a user's re-run"
_SIMUSER = "SimUSER (gpt-4o-mini)"
_RECAGENT = "RecAgent, as re-run by SimUSER"

_NOTES = "read in third parties' notes of the paper, not in the paper itself"
_PAGE = "the paper's page"
_FIRST = "the paper's first table of user taste alignment, read in a note of its text"

_F1 = (
    (_AGENT4REC, {1: 0.698, 3: 0.543, 9: 0.323}, _NOTES),
    (_RERUN, {1: 0.501, 2: 0.415, 3: 0.373, 9: 0.223}, "a report of a failed reproduction in the authors' repository"),
    (_SIMUSER, {1: 0.777, 3: 0.637, 9: 0.497}, _NOTES),
    (_RECAGENT, {1: 0.621, 3: 0.518, 9: 0.336}, _NOTES),
)
_OTHER = (
    ("interaction", "uniform 1:1", _AGENT4REC, "accuracy", 0.691, _FIRST),
    ("interaction", "uniform 1:1", _SIMUSER, "accuracy", 0.791, "the authors' page"),
    ("interaction", "uniform 1:1", "ContextSim (2026)", "accuracy", 0.824, f"{_PAGE}; ratio presumed to be 1:1"),
    ("interaction", "uniform 1:1", "AlignUSER (ACL 2026)", "accuracy", 0.8317, f"{_PAGE}; ratio presumed to be 1:1"),
    ("interaction", "choice among five", "UserMirrorer, 3B tuned (ACL 2026), mean of eight domains", "top-1", 0.550,
     f"{_NOTES}; not the strict version"),
    ("interaction", "choice among five", "GPT-5, mean of eight domains", "top-1", 0.422,
     f"as a baseline of UserMirrorer, {_NOTES}; not the strict version"),
    ("preference", "rating", "Llama-3.3-70B, direct history", "mae", 0.739, "repository beyond-click-sim, its results"),
    ("preference", "rating", "Qwen3.6-27B, direct history", "mae", 0.698, "repository beyond-click-sim, its results"),
    ("preference", "rating", "Qwen3.6-27B, direct history", "rmse", 0.917, "repository beyond-click-sim, its results"),
    ("distributions", "ratings", _AGENT4REC, "ks", 0.349, "computed from the run log in the authors' repository"),
    ("system", "order of recommenders", "Agent4Rec-style agents (6 recommenders)", "kendall tau", 0.867,
     "repository beyond-click-sim, the best of three seeds; the others .733"),
)  # fmt: skip


def published_rows(dataset: str) -> list[Record]:
    """The published rows for a data set; most have none."""
    if dataset != "ml-1m":
        return []
    rows = [
        ("interaction", f"uniform 1:{ratio}", scorer, "f1", value, source)
        for scorer, values, source in _F1
        for ratio, value in values.items()
    ]
    return [
        Record(part, task, scorer, metric, "published", value, None, None, 0, "people", "As published.", source=source)
        for part, task, scorer, metric, value, source in [*rows, *_OTHER]
    ]
