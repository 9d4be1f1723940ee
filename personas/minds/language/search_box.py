"""A search box in a prompt and in its reply: what the page is, and the words that an agent may look for next.

{"open":{},"query":"war films","feel":"curious","satisfaction":5,"next":false}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from groundlings.environments.actions import Action
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.search_site import QUERY, SEARCH, SOURCE
from groundlings.personas.mind import PageTurn, Situation
from groundlings.personas.minds.language.text import one_line

QUERY_CHARACTERS = 80
"""Longest query: some ten words."""


@dataclass(frozen=True, slots=True)
class SearchBox:
    """What one page offers to whoever wants to search.

    Attributes:
        offered: Whether a query can be made on the page.
        heading: What the page is, "" where the site has no search box.
    """

    offered: bool = False
    heading: str = ""

    @classmethod
    def of(cls, situation: Situation, row: int = 0) -> SearchBox:
        """That of one session's page."""
        if QUERY.name not in situation.legal.schema:
            return cls()
        offered = bool(situation.legal.offers(QUERY.name, situation.page)[row])
        return cls(offered, _heading(situation, row))

    @property
    def form(self) -> str:
        """The part of the form of a reply that is about it, "" for none."""
        return '"query":TEXT,' if self.offered else ""

    @property
    def meaning(self) -> str:
        """What that part means."""
        if not self.offered:
            return ""
        return (
            f"\nquery: words that you search this site for, at most {QUERY_CHARACTERS} characters; their results come "
            "next, in place of the next page. Leave it out for no search."
        )

    def ask(self, number: int, *, may_go_on: bool) -> str | None:
        """The last line of the question where the prompt's own would be wrong; None where that one holds."""
        if not self.offered or may_go_on:
            return None
        return f'That was page {number}; no page follows it, but you can search: leave out "next". Your answer:'

    def fields(self) -> dict[str, Any]:
        """JSON Schema of `query`, which a reply may leave out."""
        return {QUERY.name: {"type": "string", "maxLength": QUERY_CHARACTERS}}

    def check(self, query: str | None) -> None:
        """Raise `UnreadableReply` where a reply has a query of another form, or the site has no search box.

        A blank one, and one on a page on which none can be made, is read: the site refuses it.
        """
        if query is None:
            return
        if not self.heading:
            raise UnreadableReply("query: was not asked for")
        if not query.isprintable() or len(query) > QUERY_CHARACTERS:
            raise UnreadableReply(f"query: expected at most {QUERY_CHARACTERS} characters on one line")

    def actions(self, query: str | None) -> list[Action]:
        """What a reply does."""
        return [] if query is None else [Action(QUERY.name, value=query)]


def query_words(turn: PageTurn, row: int) -> list[str]:
    """What an agent remembers of its query on a page: one part of a line, or none."""
    queries = turn.decision.get(QUERY.name)
    if queries is None or queries[row] is None:
        return []
    return [f"searched for {one_line(queries[row], QUERY_CHARACTERS)}"]


def _heading(situation: Situation, row: int) -> str:
    """What stands above the items of a page."""
    if situation.page.further[SOURCE][row] != SEARCH:
        return "Suggestions:"
    said = [turn.decision[QUERY.name][row] for turn in situation.earlier]
    asked = [query for query in said if query is not None]
    if not asked:
        return "(a search box, and nothing else)"
    words = one_line(asked[-1], QUERY_CHARACTERS)
    return f"Results of your search for {words}:" if situation.page.shown[row].any() else f"No results for {words}."
