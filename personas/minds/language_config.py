"""Options of the language mind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LanguageOptions(BaseModel):
    """How a language agent is asked; which model is asked is said elsewhere (`model`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    things: str = Field(default="films", pattern=r"^[\w -]{1,40}$")
    """What the site shows, in the plural; goes into the prompt."""
    feelings: tuple[str, ...] = Field(
        default=("delighted", "curious", "content", "indifferent", "bored", "annoyed"), min_length=2
    )
    """Words to choose a feeling from."""
    memory_visits: int = Field(default=3, ge=0)
    """Earlier visits an agent remembers, one line each; 0 for none."""
    memory_pages: int = Field(default=3, ge=0)
    """Earlier pages of the visit it remembers, one line each; 0 for none."""
    person_examples: int = Field(default=3, ge=0, le=20)
    """Liked titles, disliked titles, preferred and avoided genres a prompt names, of each at most so many."""
    demographics: bool = False
    """Whether a prompt says age, gender and the like; models answer those with stereotypes."""
    title_characters: int = Field(default=80, ge=8)
    """Longest title in a prompt."""
    text_characters: int = Field(default=120, ge=0)
    """Longest item description in a prompt; 0 for none."""
    reasks: int = Field(default=1, ge=0, le=3)
    """How often an unreadable reply is asked for again; then the page is logged as unreadable."""
