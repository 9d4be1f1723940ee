"""What an agent did in steps before it made a list or a report, read off its questions and replies."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from groundlings.environments.errors import UnreadableReply
from groundlings.recommenders.language.agent_loop import FINISH, LAST_STEP, NONE, NOTES_HEADING, read_step
from groundlings.recommenders.language.tools.names import NOT_KNOWN
from groundlings.recommenders.language.tools.tool import FAILED


@dataclass(slots=True)
class AgentSteps:
    """What an agent did before it made its lists, or its reports, counted.

    Attributes:
        questions: Steps asked for, other ways included.
        unreadable, unanswerable: As in `ModelLists`; each ends the steps of its list.
        tools: Tools used, and other agents asked.
        failed: Of these, requests that could not be served.
        made_up: Of these, names that no item has.
        other_ways: Of the tools, those used as another way beside a step.
        lists: Lists that were asked for after the steps; of an agent that works for another one, its tasks.
        finished: Of these, those before whose last step the agent said that it knew enough.
    """

    questions: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    tools: int = 0
    failed: int = 0
    made_up: int = 0
    other_ways: int = 0
    lists: int = 0
    finished: int = 0

    @property
    def exhausted(self) -> int:
        """Lists whose steps were used up before the agent said that it knew enough."""
        return max(0, self.lists - self.finished - self.unreadable - self.unanswerable)

    def count(self, status: str, question: str, reply: str) -> str:
        """Add the question for one step, and tell its action; "" where there is none to read."""
        self.questions += 1
        if status == "unanswerable":
            self.unanswerable += 1
            return ""
        try:
            action = read_step(reply).action
        except UnreadableReply:
            action = ""
        if status != "ok" or not action:
            self.unreadable += 1
            return ""
        self.finished += action == FINISH and not _is_last(question)
        if action not in (FINISH, NONE):
            self.tools += 1
            # The second question offers to leave it at that, the first to finish.
            self.other_ways += f'"{NONE}"' in question.rpartition("\n\n")[2]
        return action

    def count_list(self, question: str) -> None:
        """Add the question for a list, or the last one of a task, which shows what the steps found."""
        self.lists += 1
        failed = [note for note in _notes(question) if note.partition(". ")[2].startswith(FAILED)]
        self.failed += len(failed)
        self.made_up += sum(note.endswith(NOT_KNOWN) for note in failed)

    def sentence(self, lists: str = "lists") -> str:
        """The counts in words; `lists` is what the steps were for."""
        made_up = f" ({self.made_up:,} with a name that no item has)" if self.made_up else ""
        return (
            f"{self.tools:,} tools used in {self.questions:,} steps, {self.failed:,} of them could not serve what was "
            f"asked{made_up}; {self.unreadable + self.unanswerable:,} steps without a readable reply, "
            f"{self.exhausted:,} {lists} ran out of steps"
        )

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return {**asdict(self), "exhausted": self.exhausted}


def _notes(question: str) -> list[str]:
    """What the steps before a question found, a line each."""
    parts = [part.partition("\n") for part in question.split("\n\n")]
    return next((notes.splitlines() for first, _, notes in parts if first == NOTES_HEADING), [])


def _is_last(question: str) -> bool:
    """Whether a question leaves nothing to do but to report."""
    return question.rpartition("\n\n")[2].startswith(LAST_STEP)
