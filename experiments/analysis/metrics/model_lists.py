"""What language models made of the candidates that they were to rank: names matched, made up, repeated and left out.

Nothing of it is logged apart: it is read off the calls, from the question and the reply as they were, with the function
that the recommender itself reads replies with (`recommenders.language`). So anybody can recompute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from groundlings.environments.errors import UnreadableReply
from groundlings.experiments.analysis.metrics.agent_steps import AgentSteps
from groundlings.experiments.analysis.metrics.asked_by_recommenders import may_ask
from groundlings.experiments.analysis.metrics.called_functions import CalledFunctions, count_functions
from groundlings.experiments.analysis.metrics.chat_moves import ChatMoves, count_moves
from groundlings.experiments.analysis.metrics.compared_pairs import ComparedPairs, count_pairs
from groundlings.experiments.analysis.metrics.team_work import TeamWork, read_team_work
from groundlings.experiments.analysis.metrics.tool_plans import ToolPlans, is_another
from groundlings.recommenders.language.agentcf import TEMPLATE as AGENTCF
from groundlings.recommenders.language.billp import PLANS
from groundlings.recommenders.language.billp import TEMPLATE as BILLP
from groundlings.recommenders.language.grounding import Grounding
from groundlings.recommenders.language.interec_agent import CRITIC
from groundlings.recommenders.language.interec_agent import TEMPLATE as INTEREC
from groundlings.recommenders.language.llm_ranker import TEMPLATE, read_order
from groundlings.recommenders.language.macrec import MANAGER, template_of
from groundlings.recommenders.language.macrec import TEMPLATE as MACREC
from groundlings.recommenders.language.pairwise import TEMPLATE as PAIRS
from groundlings.recommenders.language.rah import TEMPLATE as RAH
from groundlings.recommenders.language.rah import read_disliked
from groundlings.recommenders.language.recmind import STEPS
from groundlings.recommenders.language.recmind import TEMPLATE as RECMIND
from groundlings.recommenders.language.title_generation import TEMPLATE as TITLES
from groundlings.recommenders.language.titles import Titles, read_titles
from groundlings.recommenders.language.wording import candidates_shown, shown_name

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader


_TEMPLATES = (TEMPLATE, AGENTCF, BILLP, MACREC, RECMIND)
"""Whose questions ask for candidates in an order."""

_STEPS = {RECMIND: STEPS, MACREC: template_of(MANAGER)}
"""Those whose lists come after steps -> their questions for a step."""

_PARTS = ("steps", "team", "plans", "tool_plans", "functions", "pairs", "moves")
"""What is counted besides the lists, in the order in which it is told."""

Read = Callable[[str, str], Grounding]
"""Question and reply -> what was named; raises `UnreadableReply`."""


def _withheld(question: str, reply: str) -> Grounding:
    """Candidates that are named are left out of a list, and those that are not named stay: none of them is missing."""
    found = read_disliked(reply, candidates_shown(question))
    return replace(found, candidates=len(found.order))


def _ranked(question: str, reply: str) -> Grounding:
    return read_order(reply, candidates_shown(question))


@dataclass(slots=True)
class Plans:
    """Plans that a list was to follow, counted.

    Attributes:
        questions: Plans asked for.
        unreadable, unanswerable: As in `ModelLists`; each list of these was made without a plan.
    """

    questions: int = 0
    unreadable: int = 0
    unanswerable: int = 0

    def count(self, status: str) -> None:
        """Add one call."""
        self.questions += 1
        self.unreadable += status == "unreadable"
        self.unanswerable += status == "unanswerable"

    def sentence(self) -> str:
        """The counts in words."""
        without = self.unreadable + self.unanswerable
        return f"{self.questions:,} plans asked for, {without:,} without a readable reply"

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return asdict(self)


class _Part(Protocol):
    """Something that is counted besides the lists."""

    def sentence(self) -> str: ...
    def as_dict(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class ModelLists:
    """The replies of one arm's language model, counted; counts of this log, not estimates of others.

    Attributes:
        questions: Questions that ask for a list.
        again: Of these, those behind the first of a list: further rounds, further trials.
        unreadable: Replies that were not the form asked for.
        unanswerable: Questions that the server refuses for good.
        nothing_named: Replies in that form that name no candidate; as the two above, they put nothing in order.
        names: Names in readable replies.
        exact, normalised, near: Names matched to a candidate, by how (`recommenders.language.grounding`).
        ties: Of these, names that fitted several candidates alike.
        repeated: Names of candidates that the reply had named before.
        hallucinated: Names that fit no candidate.
        candidates: Candidates of the readable replies; 0 where the model wrote titles without being shown any. Of
            replies that name what is to be left out of a list (`rah`), those that are named.
        missing: Of these, candidates that the reply does not name.
        steps: What was done before the lists were asked for; None where nothing is.
        plans: What lists were to follow; None where nothing is planned.
        tool_plans: Plans that the lists came from; None where there are none. `questions` counts the first of each
            list, and names are those that plans go by.
        team: What other agents did for the lists; None where there are none.
        functions: What was called for the lists; None where nothing is. `questions` counts the last of each list, and
            names are those of a history to recommend by.
        pairs: Candidates compared two at a time; None where none are. Such replies name nothing.
        moves: What was said in conversations; None where nobody converses. `questions` counts turns, and a turn names
            one candidate at most.
    """

    questions: int = 0
    again: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    nothing_named: int = 0
    names: int = 0
    exact: int = 0
    normalised: int = 0
    near: int = 0
    ties: int = 0
    repeated: int = 0
    hallucinated: int = 0
    candidates: int = 0
    missing: int = 0
    steps: AgentSteps | None = field(default=None)
    plans: Plans | None = field(default=None)
    tool_plans: ToolPlans | None = field(default=None)
    team: TeamWork | None = field(default=None)
    functions: CalledFunctions | None = field(default=None)
    pairs: ComparedPairs | None = field(default=None)
    moves: ChatMoves | None = field(default=None)

    @property
    def lists(self) -> int:
        """Lists asked for."""
        return self.questions - self.again

    @property
    def ordered_nothing(self) -> int:
        """Questions whose reply put nothing in order."""
        return self.unreadable + self.unanswerable + self.nothing_named

    @property
    def hallucination_rate(self) -> float | None:
        """Hallucinated names by names in readable replies, None where there is none."""
        return self.hallucinated / self.names if self.names else None

    def count(self, status: str, question: str, reply: str, read: Read = _ranked) -> None:
        """Add one call, read by `read`."""
        self.questions += 1
        if status == "unanswerable":
            self.unanswerable += 1
            return
        try:
            found = read(question, reply)
        except UnreadableReply:
            self.unreadable += 1
            return
        self.nothing_named += not found.order
        self.add(found)

    def count_plan(self, status: str, question: str, reply: str, titles: Titles) -> None:
        """Add one call for a plan; `titles` are those of all items."""
        self.tool_plans = self.tool_plans or ToolPlans()
        steps = self.tool_plans.count_plan(status, question, reply)
        if not is_another(question):
            self.questions += 1
            self.unanswerable += status == "unanswerable"
            self.unreadable += steps is None and status != "unanswerable"
        for names in (names for step in steps or () for names in (step.items, step.unwanted)):
            self.add(titles.ground(names))

    def add(self, found: Grounding) -> None:
        """Add the names of one reply."""
        for name in _OF_A_REPLY if found.candidates else _OF_WRITTEN_TITLES:
            setattr(self, name, getattr(self, name) + getattr(found, name))

    def sentence(self) -> str:
        """The counts in words."""
        if self.moves is not None:
            return self.moves.sentence()
        what = "candidate" if self.candidates or not (self.names or self.functions) else "item"
        failed = [f"{self.unreadable:,} unreadable"]
        failed += [f"{self.unanswerable:,} refused by the server"] if self.unanswerable else []
        if self.nothing_named or (self.tool_plans is None and self.pairs is None):
            failed.append(f"{self.nothing_named:,} without {'an item' if what == 'item' else 'a candidate'}")
        times = f" in {self.questions:,} questions" if self.again else ""
        begin = f"{self.lists:,} lists asked of a language model{times}, {', '.join(failed)}"
        begin += "".join(f"; {each.sentence()}" for each in self._parts().values())
        if not self.names:
            return begin
        told = (
            f"{begin}; in readable replies {self.hallucinated:,} of {self.names:,} names fit no {what} "
            f"({100 * self.hallucinated / self.names:.1f} % hallucinated), {self.repeated:,} are repeated, "
        )
        if not self.candidates:
            return f"{told}and {self.ties:,} fit several items alike"
        return (
            f"{told}{self.ties:,} fit several candidates alike, and {self.missing:,} of {self.candidates:,} candidates "
            "are not named"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {name: count for name, count in asdict(self).items() if name not in _PARTS}
        parts = {name: each.as_dict() for name, each in self._parts().items()}
        return {"lists": self.lists, **counts, "hallucination_rate": self.hallucination_rate, **parts}

    def _parts(self) -> dict[str, _Part]:
        """What is counted besides the lists, where there is any of it."""
        return {name: part for name in _PARTS if (part := getattr(self, name)) is not None}


_OF_A_REPLY = tuple(
    each.name
    for each in fields(ModelLists)
    if each.name not in ("questions", "again", "unreadable", "unanswerable", "nothing_named", *_PARTS)
)
"""Counts that a `Grounding` has, too."""

_OF_WRITTEN_TITLES = tuple(name for name in _OF_A_REPLY if name not in ("candidates", "missing"))
"""Those that there are without candidates."""


def read_model_lists(log: LogReader, config: Mapping[str, Any]) -> dict[int, ModelLists]:
    """arm_id -> what its language model made of candidates; arms that asked for no list are absent.

    Args:
        log: The run's.
        config: The run's configuration as plain values; calls are looked through only where an arm may ask a model.
    """
    if not may_ask(config):
        return {}
    found: dict[int, ModelLists] = {}
    for template in _TEMPLATES:
        for each in log.replies_to(template):
            found.setdefault(each.arm_id, ModelLists()).count(each.status, each.question, each.reply)
            if template in _STEPS:
                _steps_of(found[each.arm_id]).count_list(each.question)
    for template in _STEPS.values():
        for each in log.replies_to(template):
            steps = _steps_of(found.setdefault(each.arm_id, ModelLists()))
            steps.count(each.status, each.question, each.reply)
    for arm_id, team in read_team_work(log).items():
        found.setdefault(arm_id, ModelLists()).team = team
    for each in log.replies_to(PLANS):
        lists = found.setdefault(each.arm_id, ModelLists())
        lists.plans = lists.plans or Plans()
        lists.plans.count(each.status)
    for each in log.replies_to(RAH):
        found.setdefault(each.arm_id, ModelLists()).count(each.status, each.question, each.reply, _withheld)
    titles: Titles | None = None
    for each in log.replies_to(TITLES):
        titles = titles or _titles_in(log)
        lists = found.setdefault(each.arm_id, ModelLists())
        lists.count(each.status, each.question, each.reply, partial(_written, titles))
    for each in log.replies_to(INTEREC):
        titles = titles or _titles_in(log)
        found.setdefault(each.arm_id, ModelLists()).count_plan(each.status, each.question, each.reply, titles)
    for each in log.replies_to(CRITIC):
        lists = found.setdefault(each.arm_id, ModelLists())
        lists.tool_plans = lists.tool_plans or ToolPlans()
        lists.tool_plans.count_review(each.status, each.question, each.reply)
    for count_parts in (count_functions, count_pairs, count_moves):
        count_parts(log, lambda arm_id: found.setdefault(arm_id, ModelLists()))
    for template in (*_TEMPLATES, PAIRS):
        for arm_id, again in log.asked_again(template).items():
            found[arm_id].again += again
    return found


def _written(titles: Titles, _question: str, reply: str) -> Grounding:
    return read_titles(reply, titles)


def _titles_in(log: LogReader) -> Titles:
    """The items of the run's whole catalogue, by the names that prompts show."""
    items = log.items()
    years = [None if year != year else int(year) for year in items.year.astype("float64")]
    return Titles.of([shown_name(title, year) for title, year in zip(items.title, years, strict=True)])


def _steps_of(lists: ModelLists) -> AgentSteps:
    if lists.steps is None:
        lists.steps = AgentSteps()
    return lists.steps
