"""The promises of a conversing recommender as tests, to be inherited by the tests of your own.

    from groundlings.recommenders.conversation.contract import ChatSystemContract

    class TestMine(ChatSystemContract):
        def build(self):
            return MySystem()

Nothing here needs pytest to be imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.conversation.attributes import Attributes, Requirement
from groundlings.environments.conversation.messages import GOODBYE, REFUSAL, YES, Briefing, ChatSystem, Move, read_move
from groundlings.environments.conversation.wording import sentence

FINAL = ("recommend", "abstain")


def toy_attributes() -> Attributes:
    """A grocer's eight items: departments, a price each, one of them unknown, and labels."""
    return Attributes(
        item_ids=tuple(f"i{item}" for item in range(8)),
        titles=tuple(f"Item {item}" for item in range(8)),
        fields={
            "department": ["dairy", "bakery"] * 4,
            "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, None],
            "labels": [("organic",), ("organic", "vegan")] * 4,
        },
    )


@dataclass(frozen=True)
class ToyTools:
    """A site that has a history and nothing to confirm or disclose."""

    had: frozenset[str] = frozenset()

    def history(self) -> frozenset[str]:
        """Ids of what the user has had."""
        return self.had

    def must_confirm(self, item: str) -> bool:
        """Never."""
        return not item

    def notice(self, item: str) -> str:
        """Nothing about any item."""
        return "" if item else "?"


def toy_briefing(suggestions: int = 0, seed: int = 0, had: frozenset[str] = frozenset()) -> Briefing:
    """A conversation about the grocer's items."""
    shelf = toy_attributes()
    return Briefing(
        shelf, np.arange(8.0), tuple(shelf.fields), suggestions, ToyTools(had), np.random.default_rng(seed)
    )  # fmt: skip


class ChatSystemContract(ABC):
    """Tests that every conversing recommender passes."""

    @abstractmethod
    def build(self) -> ChatSystem:
        """A new system."""

    def moves(self, briefing: Briefing, opening: str, replies: Sequence[str], most: int = 40) -> list[Move]:
        """What the system does when the user answers suggestions in turn, and questions with no wish at all."""
        system, found, left = self.build(), list[Move](), [*replies]
        system.begin(briefing)
        said = opening
        while len(found) < most:
            found.append(read_move(system.reply(said), briefing.attributes))
            if found[-1].kind in FINAL:
                return found
            said = left.pop(0) if found[-1].kind == "suggest" and left else REFUSAL
            if found[-1].kind == "ask":
                said = " ".join(f'I have no wish about "{field}".' for field in found[-1].fields)
        raise AssertionError(f"no end after {most} moves")

    def test_it_ends_with_a_recommendation_or_an_abstention(self) -> None:
        """Also when every suggestion is refused."""
        for suggestions in (0, 3):
            assert self.moves(toy_briefing(suggestions), "I am looking for something.", [])[-1].kind in FINAL

    def test_it_suggests_no_more_than_it_may(self) -> None:
        """Where nothing may be suggested, the first item named is recommended."""
        for allowed in (0, 2):
            moves = self.moves(toy_briefing(allowed), "I am looking for something.", [])
            assert sum(move.kind == "suggest" for move in moves) <= allowed

    def test_it_recommends_what_the_user_said_yes_to(self) -> None:
        """At once, and nothing else."""
        moves = self.moves(toy_briefing(5), "I am looking for something.", [YES])
        suggested = [move.item for move in moves if move.kind == "suggest"]
        assert not suggested or moves[-1] == Move(moves[-1].say, "recommend", item=suggested[-1])

    def test_it_names_nothing_twice_that_was_refused(self) -> None:
        """No suggestion is repeated, and none is recommended."""
        named = [move.item for move in self.moves(toy_briefing(6), "I am looking for something.", []) if move.item]
        assert len(named) == len(set(named))

    def test_the_same_luck_gives_the_same_conversation(self) -> None:
        """All chance comes from the briefing."""
        said = sentence([Requirement("department", "==", "dairy")])
        first, second = (self.moves(toy_briefing(3, seed=7), said, []) for _ in range(2))
        assert first == second

    def test_a_conversation_leaves_nothing_for_the_next(self) -> None:
        """Nothing of one user is known in the next conversation."""
        system = self.build()
        found = []
        for _ in range(2):
            system.begin(toy_briefing(0, seed=5))
            found.append(system.reply("I am looking for something."))
        assert found[0] == found[1]

    def test_it_bears_any_text(self) -> None:
        """Whatever the user writes, moves stay readable and come to an end."""
        for said in ("", GOODBYE, '"price" is at most', '{"ask": 1}', '"department" is exactly'):
            self.moves(toy_briefing(2), said, [])
