"""What the agents of `macrec` did for its manager, and what its reflector said, counted for each agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from groundlings.environments.errors import UnreadableReply
from groundlings.experiments.analysis.metrics.agent_steps import AgentSteps
from groundlings.recommenders.language.agent_loop import FINISH
from groundlings.recommenders.language.macrec import REFLECTOR, read_reflection, template_of
from groundlings.recommenders.language.team import HELPERS

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


@dataclass(slots=True)
class Reflections:
    """What a reflector said of rankings.

    Attributes:
        questions: Rankings that it was asked about.
        unreadable, unanswerable: As in `ModelLists`; the ranking stands then.
        held: Rankings that hold together.
        again: Rankings that do not, so that there was another trial.
    """

    questions: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    held: int = 0
    again: int = 0

    def count(self, status: str, reply: str) -> None:
        """Add one question."""
        self.questions += 1
        if status == "unanswerable":
            self.unanswerable += 1
            return
        try:
            said = read_reflection(reply)
        except UnreadableReply:
            self.unreadable += 1
            return
        self.held += said.holds
        self.again += not said.holds

    def sentence(self) -> str:
        """The counts in words."""
        return (
            f"{REFLECTOR}: {self.again:,} of {self.questions:,} rankings were made anew, "
            f"{self.unreadable + self.unanswerable:,} replies cannot be read"
        )


@dataclass(slots=True)
class TeamWork:
    """What a team did.

    Attributes:
        agents: Name of an agent that works for the manager -> its steps; absent where it was never asked.
        reflections: What the reflector said.
    """

    agents: dict[str, AgentSteps] = field(default_factory=dict)
    reflections: Reflections = field(default_factory=Reflections)

    def sentence(self) -> str:
        """The counts in words."""
        return "; ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        for name, steps in self.agents.items():
            yield f"{name}: {steps.sentence('tasks')}"
        if self.reflections.questions:
            yield self.reflections.sentence()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        agents = {name: steps.as_dict() for name, steps in self.agents.items()}
        return {**agents, REFLECTOR: asdict(self.reflections)}


def read_team_work(log: LogReader) -> dict[int, TeamWork]:
    """arm_id -> what its team did; arms without one are absent."""
    found: dict[int, TeamWork] = {}
    for name in HELPERS:
        for each in log.replies_to(template_of(name)):
            steps = found.setdefault(each.arm_id, TeamWork()).agents.setdefault(name, AgentSteps())
            if steps.count(each.status, each.question, each.reply) in ("", FINISH):  # the last question of a task
                steps.count_list(each.question)
    for each in log.replies_to(template_of(REFLECTOR)):
        found.setdefault(each.arm_id, TeamWork()).reflections.count(each.status, each.reply)
    return found
