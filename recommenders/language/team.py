"""The agents that work for a manager: an analyst, a searcher and an interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.prompts import Prompt, one_line
from groundlings.recommenders.language.agent_loop import FINISH, AgentLoop, Asking, Helper
from groundlings.recommenders.language.asking import Asker, Question
from groundlings.recommenders.language.tools.names import ItemNames
from groundlings.recommenders.language.tools.profile import ItemInfo, UserHistory, UserInfo
from groundlings.recommenders.language.tools.search import CatalogueSearch
from groundlings.recommenders.language.tools.summary import ItemSummary
from groundlings.recommenders.language.tools.tool import LONGEST, Tool
from groundlings.recommenders.language.wording import ItemWords

ANALYST, SEARCHER, INTERPRETER = HELPERS = ("analyst", "searcher", "interpreter")
"""As prompts and the log name them."""

QUERY_CHARACTERS = 200
_TASK = 160

Ask = Callable[[str, int, str, dict[str, Any]], Question]
"""A question, from who asks it, the number of the step, what is told and the JSON Schema of the reply."""


@dataclass(frozen=True, slots=True)
class Team:
    """The agents of a recommender, and what their tools know.

    Attributes:
        prompt: Their texts.
        asker: Puts their questions.
        words: The items as words.
        names: The items by their names.
        search: Finds items.
        analysis: The tools of the analyst.
        info: Describes an item.
        steps: Questions of an analyst's or searcher's task at most; the last one may only report.
    """

    prompt: Prompt
    asker: Asker
    words: ItemWords
    names: ItemNames
    search: CatalogueSearch
    analysis: tuple[Tool, ...]
    info: ItemInfo
    steps: int

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        asker: Asker,
        catalog: Catalog,
        known: Interactions,
        people: People | None,
        steps: int,
    ) -> Team:
        """A team that knows a catalogue, what was learnt from, and what users said of themselves."""
        info = ItemInfo(catalog)
        said = (UserInfo(people),) if people is not None and any(people.attributes) else ()
        analysis: tuple[Tool, ...] = (*said, UserHistory(catalog, known), info, ItemSummary(catalog, known))
        words, search = ItemWords(catalog), CatalogueSearch(catalog)
        return cls(prompt, asker, words, ItemNames(catalog), search, analysis, info, steps)

    def knowing(self, catalog: Catalog, known: Interactions) -> Team:
        """The same team with more to learn from; what it knows of the catalogue stays."""
        said = tuple(tool for tool in self.analysis if isinstance(tool, UserInfo))
        analysis: tuple[Tool, ...] = (*said, UserHistory(catalog, known), self.info, ItemSummary(catalog, known))
        return replace(self, analysis=analysis)

    def helpers(self, query: str | None, ask: Ask) -> tuple[Helper, ...]:
        """Who may work for one session's manager.

        Args:
            query: What the user asked for; without it there is nothing to interpret, and no interpreter.
            ask: Makes the session's questions.
        """
        one, many = self.words.one, self.words.many
        helpers = [
            self._helper(
                "analyse_user", f"what to find out; the {ANALYST} looks the user up and reports", ANALYST,
                self.analysis, ask, lambda said: f"Find out about the user: {one_line(said, _TASK)}",
            ),
            self._helper(
                "analyse_item", f"the name of one {one}; the {ANALYST} looks it up and reports", ANALYST,
                self.analysis, ask, lambda said: f"Say what {self._named(said)} is, and who takes it",
            ),
            self._helper(
                "search", f"what to look for; the {SEARCHER} searches all {many} of the site and reports", SEARCHER,
                (self.search, self.info), ask, lambda said: f"Search for {one_line(said, _TASK)}",
            ),
        ]  # fmt: skip
        if query is not None:
            words = one_line(query, QUERY_CHARACTERS)
            helpers.append(
                self._helper(
                    "interpret", f"nothing; the {INTERPRETER} says what the user's words ask for", INTERPRETER, (), ask,
                    lambda _: f"Say in plain words which {many} the user asks for with: {words}",
                )
            )  # fmt: skip
        return tuple(helpers)

    def _named(self, name: str) -> str:
        """An item as the catalogue has it; raises `ToolFault` where no item has that name."""
        return f'the {self.words.one} "{self.words.name(self.names.item(name))}"'

    def _helper(
        self, name: str, about: str, role: str, tools: Sequence[Tool], ask: Ask, task: Callable[[str], str]
    ) -> Helper:
        loop = AgentLoop(self.asker, tools, self.steps if tools else 1, 0, must_finish=True, longest_input=LONGEST)

        def begin(request: str) -> Asking:
            told = self._task(role, task(request), tools)

            def question(number: int, way: int, notes: Sequence[str], schema: dict[str, Any]) -> Question:  # noqa: ARG001
                actions = schema["properties"]["action"]["enum"]
                last = (
                    self.prompt.fill("last")
                    if actions == [FINISH]
                    else self.prompt.fill("work", actions=listed(actions))
                )
                return ask(role, number, "\n\n".join([told, *found(self.prompt, notes), last]), schema)

            return question

        return Helper(name, about, loop, begin)

    def _task(self, role: str, task: str, tools: Sequence[Tool]) -> str:
        if not tools:
            return self.prompt.fill(role, task=task)
        return self.prompt.fill("helper", role=role, task=task, tools=described(tools))


def described(tools: Sequence[Tool | Helper]) -> str:
    """What may be used, one a line."""
    return "\n".join(f"{tool.name}: {tool.about}" for tool in tools)


def listed(actions: Sequence[str]) -> str:
    """Names of actions, in quotes."""
    return ", ".join(f'"{name}"' for name in actions)


def found(prompt: Prompt, notes: Sequence[str]) -> list[str]:
    """The paragraph with what was found, [] where nothing was."""
    return [prompt.fill("found", notes="\n".join(notes))] if notes else []
