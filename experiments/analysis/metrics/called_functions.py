"""Which functions agents called for their lists, and with what, counted from their calls."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from groundlings.recommenders.language.function_calls import RECOMMEND, SEARCH, read_choice, read_names, read_query
from groundlings.recommenders.language.grounding import Grounding, normal
from groundlings.recommenders.language.puma import CHOICE, TEMPLATE
from groundlings.recommenders.language.task_memory import memory_shown
from groundlings.recommenders.language.tools.search import words_of
from groundlings.recommenders.learning import said_in

if TYPE_CHECKING:
    from groundlings.experiments.analysis.metrics.model_lists import ModelLists
    from groundlings.simulator.log.reader import LogReader


@dataclass(slots=True)
class CalledFunctions:
    """Functions and parameters of one arm, counted.

    Attributes:
        choices: Choices asked for; a list of a user without history has none, and is a search.
        unreadable, unanswerable: Choices without a readable reply; each leaves its list without a function.
        search, recommend: Functions that readable choices name.
        parameters: Parameters asked for.
        queries: Readable ones for a search.
        empty: Of these, queries of which no title and no category has a word; descriptions are not in the log.
    """

    choices: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    search: int = 0
    recommend: int = 0
    parameters: int = 0
    queries: int = 0
    empty: int = 0

    def count_choice(self, status: str, reply: str) -> bool:
        """Add a choice; whether it names a function."""
        self.choices += 1
        function = said_in(reply, read_choice) if status == "ok" else None
        self.search += function == SEARCH
        self.recommend += function == RECOMMEND
        self.unreadable += status == "unreadable"
        self.unanswerable += status == "unanswerable"
        return function is not None

    def count_parameter(self, status: str, reply: str, known: Container[str]) -> bool:
        """Add a parameter; whether it is a readable query. `known` are the words of titles and categories."""
        self.parameters += 1
        query = said_in(reply, read_query) if status == "ok" else None
        if query is None:
            return False
        self.queries += 1
        self.empty += not any(word in known for word in normal(query).split())
        return True

    def sentence(self) -> str:
        """The counts in words."""
        lost = self.unreadable + self.unanswerable
        return (
            f"of {self.choices:,} functions chosen {self.search:,} are search and {self.recommend:,} recommend, "
            f"{lost:,} cannot be read; {self.empty:,} of {self.queries:,} queries have no word of a title or category"
        )

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return asdict(self)


def count_functions(log: LogReader, lists_of: Callable[[int], ModelLists]) -> None:
    """Add the functions that the arms of a log called to the counts of their lists.

    Args:
        log: The run's.
        lists_of: arm_id -> its counts.
    """

    def counts(arm_id: int) -> tuple[ModelLists, CalledFunctions]:
        lists = lists_of(arm_id)
        lists.functions = lists.functions or CalledFunctions()
        return lists, lists.functions

    @cache
    def known() -> frozenset[str]:
        return frozenset(word for item in log.logged_items() for word in words_of(item.title, item.genres))

    for each in log.replies_to(CHOICE):
        lists, functions = counts(each.arm_id)
        if not functions.count_choice(each.status, each.reply):  # the last question of its list
            lists.questions += 1
            lists.unreadable += each.status == "unreadable"
            lists.unanswerable += each.status == "unanswerable"
    for each in log.replies_to(TEMPLATE):
        lists, functions = counts(each.arm_id)
        if functions.count_parameter(each.status, each.reply, known()):
            lists.questions += 1
        else:
            lists.count(each.status, each.question, each.reply, _named)


def _named(question: str, reply: str) -> Grounding:
    return read_names(reply, memory_shown(question))
