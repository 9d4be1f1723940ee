"""What agents inside a recommender have noted in words, where it keeps such agents (`agentcf`).

A run writes the notes of the first fit beside its log, and a language mind may be told them: then the agents that
learnt for the recommender are its audience. The two meet in that file alone; neither knows of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of


@runtime_checkable
class KeepsAgentNotes(Protocol):
    """A recommender whose users and items are agents with a note each."""

    def first_note(self) -> str:
        """What every user agent begins with."""
        ...

    def user_notes(self) -> Mapping[int, str]:
        """User -> the note that was learnt; users who learnt nothing are absent."""
        ...

    def item_notes(self) -> Mapping[int, str]:
        """Item -> the note that was learnt; items that no reflection reached are absent."""
        ...


def noting_part(recommender: AsyncRecommender) -> KeepsAgentNotes | None:
    """The recommender, or the outermost inside of it, that keeps such agents; None where none does."""
    return next((part for part in parts_of(recommender) if isinstance(part, KeepsAgentNotes)), None)
