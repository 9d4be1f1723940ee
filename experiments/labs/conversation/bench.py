"""Every system in conversation with the user of every task: what came of it, with intervals over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.conversation.attributes import Requirement
from groundlings.environments.conversation.messages import Briefing, ChatSystem
from groundlings.environments.conversation.wording import requirements_in
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.conversation.figures import (
    Agreement,
    SystemFigures,
    Talked,
    agreements_of,
    figures_of,
    passes_of,
)
from groundlings.experiments.labs.conversation.policies import broken
from groundlings.experiments.labs.conversation.talking import Conversation, converse
from groundlings.experiments.labs.conversation.tau_rec import QUESTIONS, Task, Tasks, TauRecTools, read_tasks
from groundlings.experiments.labs.resampling import Resamples
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
    if seed < 0:
        raise ConfigError(f"seed: found {seed}; expected 0 or more")
    tasks = read_tasks(directory)
    chosen = tasks.tasks[HALVES[half]]
    if not chosen:
        raise ConfigError(f"half: found no {half} task among {len(tasks.tasks)}; expected two tasks or more")
    classes = {name: _system(name) for name in systems}
    heard = _heard(tasks, seed) if hear else dict.fromkeys((task.task_id for task in tasks.tasks), ())
    stage = _Stage(tasks, heard, seed)
    settings = [(styles[0], most) for most in suggestions] + [(style, suggestions[-1]) for style in styles[1:]]
    resamples = Resamples.draw(len(chosen), RESAMPLES, np.random.default_rng(seed))
    rows: list[Talked] = []
    figures: list[SystemFigures] = []
    order: dict[str, list[FloatArray]] = {}
    for style, most in dict.fromkeys(settings):
        for name, system in classes.items():
            found = [
                stage.talk((name, system()), (style, most), task, trial) for task in chosen for trial in range(trials)
            ]
            rows += found
            resampled = passes_of(found, trials, resamples)
            figures.append(figures_of(found, trials, resampled))
            if most == suggestions[-1]:
                order.setdefault(style, []).append(resampled[0])
    faults = {row.system: row.fault for row in reversed(rows) if row.fault}
    return Findings(tuple(rows), tuple(figures), agreements_of(order), faults)


def _system(name: str) -> type[ChatSystem]:
    found = CHAT_SYSTEMS.load(name, at="system")
    if not isinstance(found, type) or not all(callable(getattr(found, each, None)) for each in ("begin", "reply")):
        raise ConfigError(f"system: found {name}, which cannot converse; expected a class with begin and reply")
    return cast("type[ChatSystem]", found)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What all conversations of one bench have in common.

    Attributes:
        tasks: All of them, and the catalogue.
        heard: Task -> what earlier users said.
        seed: Of whatever systems leave to chance; every system has the same luck with a task's trial.
    """

    tasks: Tasks
    heard: Mapping[str, Heard]
    seed: int

    def talk(self, system: tuple[str, ChatSystem], setting: tuple[str, int], task: Task, trial: int) -> Talked:
        """One conversation of a new system, given with its name, in a setting of a style and how many suggestions."""
        (name, talker), (style, most) = system, setting
        shelf, tools = self.tasks.attributes, TauRecTools(self.tasks, task)
        chance = np.random.default_rng(name_key("conversation", self.seed, task.task_id, trial))
        briefing = Briefing(shelf, self.tasks.popularity, QUESTIONS, most, tools, chance, self.heard[task.task_id])
        talk = converse(ConversingUser(task.need, STYLES[style], shelf), talker, briefing)
        return Talked(
            system=name,
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
            fault=talk.fault,
            transcript=talk.transcript,
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
