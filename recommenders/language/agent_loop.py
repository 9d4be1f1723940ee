"""One loop for recommenders that act in steps: think, use a tool, read what it answers, and maybe try another way.

The loop has no opinion of its own: it asks for a step, uses the tool that the step names, and notes both. It ends when
the model says so, when the steps are used up, or when a reply cannot be read; whoever began it goes on from the notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from groundlings.environments.chat import CallRecord
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.prompts import one_line
from groundlings.environments.replies import read_json
from groundlings.recommenders.language.asking import Asker, Question
from groundlings.recommenders.language.tools.tool import FAILED, LONGEST, Seat, Tool, ToolFault

FINISH = "finish"
NONE = "none"
NOTES_HEADING = "What was found:"
"""The line before the notes in the prompts of all agents."""
LAST_STEP = "This is your last step."
"""How the question begins that leaves nothing to do but to finish, where there is one."""

_THOUGHT, _INPUT = 160, 160
"""Characters."""

Asking = Callable[[int, int, Sequence[str], dict[str, Any]], Question]
"""The question for a step, from its number (0, 1, ...), which way it is (0 the first, then the others), the notes so
far and the JSON Schema of the reply."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a model wants to do next.

    Attributes:
        thought: Why, in its own words.
        action: Name of a tool, `FINISH` or `NONE`.
        request: What the tool is asked.
    """

    thought: str
    action: str
    request: str


@dataclass(slots=True)
class Trace:
    """What came of the steps.

    Attributes:
        notes: A line for each tool that was used, in order; other ways stand behind the step that they were other
            ways of.
        calls: The questions asked, in order, those of helpers among them.
        said: What the model gave as the input of `FINISH`; None where it did not come to that.
    """

    notes: list[str] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    said: str | None = None


@dataclass(frozen=True, slots=True)
class AgentLoop:
    """Acts in steps.

    Attributes:
        asker: Puts the questions.
        tools: What may be used: tools, and other agents.
        steps: How many at most.
        alternatives: How many other ways may be tried beside each step. None is dropped: what they found is noted as
            well (*self-inspiring*, Wang et al. 2024), unlike in a search that keeps the best branch alone.
        must_finish: Whether the last step may only finish, so that there is always something said.
        longest_input: Characters of what a tool is asked, and of what is said at the end.
    """

    asker: Asker
    tools: Sequence[Tool | Helper]
    steps: int
    alternatives: int
    must_finish: bool = False
    longest_input: int = _INPUT

    async def run(self, seat: Seat, question: Asking) -> Trace:
        """The notes and calls of one session, or of one task of a helper.

        Args:
            seat: For whom.
            question: Makes the question for a step.
        """
        trace = Trace()
        for number in range(self.steps):
            tools = () if self.must_finish and number == self.steps - 1 else self.tools
            for way in range(1 + self.alternatives):
                schema = self._schema(tools, FINISH if way == 0 else NONE)
                asked = question(number, way, trace.notes, schema)
                step, call = await self.asker.ask(asked, partial(_read, schema))
                trace.calls.append(call)
                if step is None:
                    return trace
                if step.action == FINISH:
                    trace.said = step.request
                    return trace
                if step.action == NONE:
                    break
                mark = f"{number + 1}{'' if way == 0 else ' (another way)'}"
                trace.notes.append(f"{mark}. {await self._noted(step, seat, trace.calls)}")
        return trace

    async def _noted(self, step: Step, seat: Seat, calls: list[CallRecord]) -> str:
        """The tool, what it was asked and what it answered, on one line; the calls of a helper are added to `calls`."""
        (tool,) = (each for each in self.tools if each.name == step.action)
        failed = ""
        try:
            if isinstance(tool, Helper):
                work = await tool.work(step.request, seat)
                calls += work.calls
                answer = _report(work)
            else:
                answer = tool.use(step.request, seat)
        except ToolFault as fault:
            answer, failed = str(fault), FAILED
        return f"{failed}{tool.name} {one_line(step.request, self.longest_input)} -> {one_line(answer, LONGEST)}"

    def _schema(self, tools: Sequence[Tool | Helper], end: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "thought": {"type": "string", "maxLength": _THOUGHT},
                "action": {"type": "string", "enum": [*(tool.name for tool in tools), end]},
                "input": {"type": "string", "maxLength": self.longest_input},
            },
            "required": ["thought", "action", "input"],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Helper:
    """An agent that serves another one as a tool does: it works in a loop of its own and says what came of it.

    Attributes:
        name, about: As of a `Tool`.
        loop: How it works.
        begin: Makes its questions from what it is asked; raises `ToolFault` where it cannot begin.
    """

    name: str
    about: str
    loop: AgentLoop
    begin: Callable[[str], Asking]

    async def work(self, request: str, seat: Seat) -> Trace:
        """What came of a request; raises `ToolFault` where it cannot begin."""
        return await self.loop.run(seat, self.begin(request))


def _report(work: Trace) -> str:
    """What a helper said; raises `ToolFault` where it said nothing."""
    if not (work.said or "").strip():
        raise ToolFault("it gave no report")
    return work.said or ""


def _read(schema: dict[str, Any], text: str) -> Step:
    """The step that a reply gives; raises `UnreadableReply`."""
    step = read_step(text)
    if step.action not in schema["properties"]["action"]["enum"]:
        raise UnreadableReply("action: expected one of those listed")
    return step


def read_step(text: str) -> Step:
    """The step that a reply gives, whatever tools there were; raises `UnreadableReply`."""
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["thought", "action", "input"]:
        raise UnreadableReply("expected an object with the keys thought, action and input")
    if not all(isinstance(each, str) for each in value.values()):
        raise UnreadableReply("expected texts")
    return Step(value["thought"], value["action"], value["input"])
