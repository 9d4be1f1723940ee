"""What is kept of a conversation, and figures over many, with intervals over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.resampling import Interval, Resamples, interval, kendall_of_figures


@dataclass(frozen=True, slots=True)
class Talked:
    """One conversation.

    Attributes:
        system, style, task, trial: Which one.
        suggestions_allowed: How many items might be suggested before the recommendation.
        outcome: `recommended`, `abstained`, `left` or `unreadable`.
        satisfied: Whether what was recommended meets the need, or abstaining was right.
        broken: The policies that were not kept, with spaces between.
        turns: Moves of the system.
        questions: Fields asked about.
        suggestions: Items suggested.
        regret: See `Need.regret`; tau-Rec has no graded tastes, so that it is 0 or 1.
        fault: What was wrong with an unreadable message.
        transcript: All messages, a line each.
    """

    system: str
    style: str
    suggestions_allowed: int
    task: str
    trial: int
    outcome: str
    satisfied: bool
    broken: str
    turns: int
    questions: int
    suggestions: int
    regret: float
    fault: str
    transcript: str

    @property
    def passed(self) -> bool:
        """Satisfied, with all policies kept."""
        return self.satisfied and not self.broken


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """What one system achieved with users of one style.

    Attributes:
        system, style, suggestions_allowed: Which conversations.
        tasks, trials: How many, and how often each was talked through.
        passes: pass^1, pass^2 ..., policies kept: the probability that k trials of a task all pass.
        intervals: Of each, 95 % over tasks.
        satisfied: Share of conversations with the need met, whatever the policies.
        kept: Share with all policies kept.
        turns, questions, suggestions, regret: Means per conversation.
        outcomes: How many conversations ended in which way.
    """

    system: str
    style: str
    suggestions_allowed: int
    tasks: int
    trials: int
    passes: tuple[float, ...]
    intervals: tuple[Interval, ...]
    satisfied: float
    kept: float
    turns: float
    questions: float
    suggestions: float
    regret: float
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether users of two styles put the systems in one order of pass^1: Kendall's tau-b, 95 % interval over tasks.

    There is no tau where one of the two has no order: of one system, or of systems that all fare alike.
    """

    styles: tuple[str, str]
    tau: float | None
    interval: Interval


def pass_k(passed: FloatArray, k: int) -> FloatArray:
    """Per task, the unbiased estimate that k trials all pass: C(c, k) / C(n, k) with c of n passed.

    Args:
        passed: 1 where a trial passed, shape (n_tasks, n_trials).
        k: At most the trials.
    """
    trials = passed.shape[1]
    return np.array([comb(int(count), k) / comb(trials, k) for count in passed.sum(axis=1)])


def passes_of(rows: Sequence[Talked], trials: int, resamples: Resamples) -> list[FloatArray]:
    """pass^k and its resamples for each k, shape (1 + times,) each; rows are task by task."""
    passed = np.array([row.passed for row in rows], dtype=np.float64).reshape(-1, trials)
    everyone = np.ones(len(passed), dtype=np.bool_)
    return [resamples.mean(pass_k(passed, k), everyone) for k in range(1, trials + 1)]


def figures_of(rows: Sequence[Talked], trials: int, resampled: Sequence[FloatArray]) -> SystemFigures:
    """Of the conversations of one system in one setting.

    Args:
        rows: Task by task, at least one.
        trials: Rows of each task.
        resampled: As `passes_of` gives them.
    """
    first = rows[0]
    mean = {name: float(np.mean([getattr(row, name) for row in rows]))
            for name in ("satisfied", "turns", "questions", "suggestions", "regret")}  # fmt: skip
    outcomes = [row.outcome for row in rows]
    return SystemFigures(
        system=first.system,
        style=first.style,
        suggestions_allowed=first.suggestions_allowed,
        tasks=len(rows) // trials,
        trials=trials,
        passes=tuple(float(each[0]) for each in resampled),
        intervals=tuple(interval(each, 0.0, 1.0) for each in resampled),
        kept=float(np.mean([not row.broken for row in rows])),
        outcomes={outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        **mean,
    )


def agreements_of(order: Mapping[str, Sequence[FloatArray]]) -> tuple[Agreement, ...]:
    """Of every pair of styles: style -> pass^1 and its resamples of each system, shape (1 + times,) each."""
    columns = {style: np.column_stack(each) for style, each in order.items()}
    found = []
    for first, second in combinations(columns, 2):
        tau = kendall_of_figures(columns[first], columns[second])
        value = None if np.isnan(tau[0]) else float(tau[0])
        found.append(Agreement((first, second), value, interval(tau, -1.0, 1.0)))
    return tuple(found)
