"""Every system in conversation with the user of every task: what came of it, with intervals over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.conversation.attributes import Requirement
from groundlings.environments.conversation.messages import Briefing, ChatSystem
from groundlings.environments.conversation.wording import requirements_in
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.conversation.policies import broken
from groundlings.experiments.labs.conversation.talking import Conversation, converse
from groundlings.experiments.labs.conversation.tau_rec import QUESTIONS, Task, Tasks, TauRecTools, read_tasks
from groundlings.experiments.labs.resampling import Interval, Resamples, interval, kendall
from groundlings.personas.conversation.styles import STYLES
from groundlings.personas.conversation.user import ConversingUser
from groundlings.recommenders.conversation.registry import CHAT_SYSTEMS
from groundlings.recommenders.conversation.rules import AskingTalk

if TYPE_CHECKING:
    import pandas as pd

HALVES = {"all": slice(None), "development": slice(0, None, 2), "held-out": slice(1, None, 2)}
"""Name -> which tasks, in the order of their ids."""

Heard = tuple[tuple[Requirement, ...], ...]
"""What earlier users said that they wanted."""

RESAMPLES = 2_000
"""Bootstrap resamples of the tasks."""


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
    """Whether users of two styles put the systems in one order of pass^1: Kendall's tau-b, 95 % interval over tasks."""

    styles: tuple[str, str]
    tau: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        rows: Every conversation.
        figures: Per setting, style and system, in the order in which they were asked for.
        agreements: Per pair of styles, where suggestions are allowed.
        faults: System -> what was wrong with its first unreadable message.
    """

    rows: tuple[Talked, ...]
    figures: tuple[SystemFigures, ...]
    agreements: tuple[Agreement, ...]
    faults: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; conversations are in `frame`."""
        return {
            "figures": [asdict(each) for each in self.figures],
            "agreements": [asdict(each) for each in self.agreements],
            "faults": dict(self.faults),
        }

    def frame(self) -> pd.DataFrame:
        """One row per conversation."""
        import pandas as pd

        return pd.DataFrame([{**asdict(row), "passed": row.passed} for row in self.rows])


def pass_k(passed: FloatArray, k: int) -> FloatArray:
    """Per task, the unbiased estimate that k trials all pass: C(c, k) / C(n, k) with c of n passed.

    Args:
        passed: 1 where a trial passed, shape (n_tasks, n_trials).
        k: At most the trials.
    """
    trials = passed.shape[1]
    return np.array([comb(int(count), k) / comb(trials, k) for count in passed.sum(axis=1)])


def try_systems(
    directory: Path,
    systems: Sequence[str],
    styles: Sequence[str] = tuple(STYLES),
    suggestions: Sequence[int] = (0, 1, 20),
    trials: int = 4,
    seed: int = 0,
    half: str = "all",
    hear: bool = True,
) -> Findings:
    """Let systems talk with the users of tau-Rec's tasks.

    Args:
        directory: The data of tau-Rec.
        systems: Names, or `module:Class`.
        styles: Ways of talking; the first is the one of all settings, the others are tried in the last setting only.
        suggestions: Settings: how many items may be suggested before the recommendation.
        trials: Conversations per task and setting.
        seed: Of whatever systems leave to chance.
        half: One of `HALVES`; the tasks on which the shipped systems were developed are the first, third, fifth ...
        hear: Whether systems are told what the users of the other half of the tasks said to a system that asks about
            everything, as a site knows its earlier conversations. What those users hid is told to nobody.

    Raises:
        ConfigError: There is no such system or style, or nothing to do.
        DataError: The data cannot be read.
    """
    if not systems or not styles or not suggestions or trials < 1 or min(suggestions) < 0:
        raise ConfigError("conversation: expected a system, a style, a number of suggestions from 0 up, and a trial")
    if unknown := [style for style in styles if style not in STYLES]:
        raise ConfigError(f"style: found {unknown[0]}; expected {', '.join(STYLES)}")
    if half not in HALVES:
        raise ConfigError(f"half: found {half}; expected {', '.join(HALVES)}")
    tasks = read_tasks(directory)
    chosen = tasks.tasks[HALVES[half]]
    if not chosen:
        raise ConfigError(f"half: found no {half} task among {len(tasks.tasks)}; expected two tasks or more")
    classes = {name: cast("type[ChatSystem]", CHAT_SYSTEMS.load(name, at="system")) for name in systems}
    heard = _heard(tasks, seed) if hear else dict.fromkeys((task.task_id for task in tasks.tasks), ())
    settings = [(styles[0], most) for most in suggestions] + [(style, suggestions[-1]) for style in styles[1:]]
    resamples = Resamples.draw(len(chosen), RESAMPLES, np.random.default_rng(seed))
    rows: list[Talked] = []
    figures: list[SystemFigures] = []
    faults: dict[str, str] = {}
    order: dict[str, list[FloatArray]] = {}
    for style, most in settings:
        for name, system in classes.items():
            found = [_talk(tasks, task, (name, system()), style, most, trial, seed, heard, faults)
                     for task in chosen for trial in range(trials)]  # fmt: skip
            rows += found
            resampled = _passes(found, trials, resamples)
            figures.append(_figures(found, trials, resampled))
            if most == suggestions[-1]:
                order.setdefault(style, []).append(resampled[0])
    return Findings(tuple(rows), tuple(figures), _agreements(order), faults)


def _talk(
    tasks: Tasks,
    task: Task,
    system: tuple[str, ChatSystem],
    style: str,
    most: int,
    trial: int,
    seed: int,
    heard: Mapping[str, Heard],
    faults: dict[str, str],
) -> Talked:
    tools = TauRecTools(tasks, task)
    chance = np.random.default_rng(name_key("conversation", seed, task.task_id, trial))
    briefing = Briefing(tasks.attributes, tasks.popularity, QUESTIONS, most, tools, chance, heard[task.task_id])
    talk = converse(ConversingUser(task.need, STYLES[style], tasks.attributes), system[1], briefing)
    if talk.fault:
        faults.setdefault(system[0], talk.fault)
    return Talked(
        system=system[0],
        style=style,
        suggestions_allowed=most,
        task=task.task_id,
        trial=trial,
        outcome=talk.outcome,
        satisfied=_satisfied(task, talk),
        broken=" ".join(broken(talk, tools)),
        turns=len(talk.moves),
        questions=talk.questions,
        suggestions=talk.suggestions,
        regret=task.need.regret(talk.item),
    )


def _heard(tasks: Tasks, seed: int) -> dict[str, Heard]:
    """Task -> what the users of the other half of the tasks tell a system that asks about everything."""
    told: list[tuple[Requirement, ...]] = []
    for task in tasks.tasks:
        chance = np.random.default_rng(name_key("heard", seed, task.task_id))
        briefing = Briefing(tasks.attributes, tasks.popularity, QUESTIONS, 0, TauRecTools(tasks, task), chance)
        talk = converse(ConversingUser(task.need, STYLES["patient"], tasks.attributes), AskingTalk(), briefing)
        told.append(tuple(dict.fromkeys(requirements_in(" ".join(talk.messages[::2])))))
    return {task.task_id: tuple(told[1 - row % 2 :: 2]) for row, task in enumerate(tasks.tasks)}


def _satisfied(task: Task, talk: Conversation) -> bool:
    if task.unanswerable:
        return talk.outcome == "abstained"
    return talk.item is not None and bool(task.need.suitable[talk.item])


def _passes(rows: Sequence[Talked], trials: int, resamples: Resamples) -> list[FloatArray]:
    """pass^k and its resamples for each k, shape (1 + times,) each; rows are task by task."""
    passed = np.array([row.passed for row in rows], dtype=np.float64).reshape(-1, trials)
    everyone = np.ones(len(passed), dtype=np.bool_)
    return [resamples.mean(pass_k(passed, k), everyone) for k in range(1, trials + 1)]


def _figures(rows: Sequence[Talked], trials: int, resampled: Sequence[FloatArray]) -> SystemFigures:
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


def _agreements(order: Mapping[str, Sequence[FloatArray]]) -> tuple[Agreement, ...]:
    """Of every pair of styles."""
    columns = {style: np.column_stack(each) for style, each in order.items()}
    found = []
    for first, second in combinations(columns, 2):
        tau = kendall(columns[first], columns[second])
        found.append(Agreement((first, second), float(tau[0]), interval(tau, -1.0, 1.0)))
    return tuple(found)
