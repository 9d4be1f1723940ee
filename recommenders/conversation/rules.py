"""Conversing recommenders by rule, from one that listens to nothing to one that asks about everything.

They are the trivial rows beside which any other system has to be seen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.conversation.attributes import Requirement, all_met
from groundlings.environments.conversation.messages import NO_WISH, REASON, YES, Briefing, Move, fields_in
from groundlings.environments.conversation.wording import requirements_in


class RuleSystem:
    """Hears requirements, perhaps asks for more, and names items until one suits.

    What it was told must hold for whatever it names, and nothing is named twice, or that the user has had already.
    It abstains when nothing is left.

    Attributes:
        listens: Whether what the user says counts.
        asks: Whether it asks about every field first, and again about those without an answer.
    """

    listens = True
    asks = False

    def begin(self, briefing: Briefing) -> None:
        """Start a conversation."""
        self.briefing = briefing
        self.known: list[Requirement] = []
        self.out = np.isin(briefing.attributes.item_ids, [*briefing.tools.history()])
        self._unanswered = list(briefing.questions) if self.asks else []
        self._asked = False
        self._suggested: list[int] = []
        self._waiting = False

    def reply(self, said: str) -> str:
        """The next move."""
        self._hear(said)
        return self._next(said).as_json()

    def order(self, candidates: IntArray) -> IntArray:
        """Candidates, the one to name first at the front; by chance here."""
        return self.briefing.chance.permutation(candidates)

    def refused(self, item: int, because: Collection[str]) -> None:  # noqa: ARG002 - systems that infer read it
        """Learn from a refusal and the fields that it names, perhaps none; here, not to name the item again."""
        self.out[item] = True

    def gives_up(self, candidates: IntArray) -> bool:
        """Whether it is likelier that nothing suits than that one of the candidates does."""
        return not len(candidates)

    def _hear(self, said: str) -> None:
        if self.listens:
            # A model that words what users say may name what is no field, or compare it as nothing can be compared.
            told = tuple(each for each in requirements_in(said) if each.fits(self.briefing.attributes))
            self.known += told
            if self._asked:  # what is said unasked of a field need not be all that there is to say of it
                answered = {*fields_in(said, NO_WISH), *(requirement.field for requirement in told)}
                self._unanswered = [field for field in self._unanswered if field not in answered]
        if self._waiting and YES not in said:
            self.refused(self._suggested[-1], fields_in(said, REASON))

    def _next(self, said: str) -> Move:
        if self._waiting and YES in said:
            return self._name("recommend", self._suggested[-1])
        self._waiting = False
        if self._unanswered:
            self._asked, fields = True, tuple(self._unanswered)
            return Move(f"What do you wish about {', '.join(fields)}?", "ask", fields=fields)
        candidates = np.flatnonzero(self._allowed())
        if self.gives_up(candidates):
            return Move("Nothing that I know of is like that.", "abstain")
        item = int(self.order(candidates)[0])
        if len(self._suggested) >= self.briefing.suggestions:
            return self._name("recommend", item)
        self._suggested.append(item)
        self._waiting = True
        return self._name("suggest", item)

    def _allowed(self) -> BoolArray:
        return all_met(self.known, self.briefing.attributes) & ~self.out

    def _name(self, kind: Literal["suggest", "recommend"], item: int) -> Move:
        """An item with whatever the site wants to be said of it."""
        shelf, tools = self.briefing.attributes, self.briefing.tools
        item_id = shelf.item_ids[item]
        words = [f"Would {shelf.titles[item]} suit you?" if kind == "suggest" else f"Then take {shelf.titles[item]}."]
        if tools.must_confirm(item_id):
            words.append("It is not for everybody: please say so if that is not for you.")
        if notice := tools.notice(item_id):
            words.append(notice)
        return Move(" ".join(words), kind, item=item_id)


class RandomTalk(RuleSystem):
    """Names items by chance, whatever the user says."""

    listens = False


class PopularTalk(RuleSystem):
    """Names what most people chose, whatever the user says."""

    listens = False

    def order(self, candidates: IntArray) -> IntArray:
        """The most popular first, ties by chance."""
        shuffled = self.briefing.chance.permutation(candidates)
        return shuffled[np.argsort(-self.briefing.popularity[shuffled], kind="stable")]


class ListeningTalk(RuleSystem):
    """Holds to what the user says unasked, and asks nothing."""


class AskingTalk(RuleSystem):
    """Asks about every field before it names anything."""

    asks = True


class AskingPopularTalk(PopularTalk):
    """Asks about every field, then names what most people chose among what meets all that it was told."""

    listens = True
    asks = True
