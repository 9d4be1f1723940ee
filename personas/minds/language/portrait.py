"""A person as a prompt describes them: what bears on choosing, in about a hundred tokens.

`Persona.description` says more, for people to read; a prompt is paid for on every page. What is unknown is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from groundlings.environments.catalog import Catalog
from groundlings.personas.acts import Act, act_words
from groundlings.personas.description import NOTABLE_LIFT
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.persona import Persona
from groundlings.personas.prompts import Prompt


class PortraitOptions(Protocol):
    """How much of a person a prompt tells."""

    @property
    def person_examples(self) -> int:
        """Liked items, disliked items and genres, of each so many."""
        ...

    @property
    def demographics(self) -> bool:
        """Whether age, gender and occupation are told."""
        ...

    @property
    def title_characters(self) -> int:
        """Longest title."""
        ...

    @property
    def text_characters(self) -> int:
        """Longest other text."""
        ...


def portrait(
    persona: Persona, catalog: Catalog, prompt: Prompt, options: PortraitOptions, *, says_likes: bool = False
) -> str:
    """The person in the words of the prompt's sections, one line.

    Args:
        persona: Who.
        catalog: For titles and verbs.
        prompt: Holds the sections; those of `history.md` as well where the persona has acts.
        options: How much is told.
        says_likes: Whether people like and dislike, so that a mean of stars would say nothing.
    """
    most = options.person_examples

    def titles(items: Sequence[int]) -> str:
        return "; ".join(one_line(catalog.titles[item], options.title_characters) for item in items[:most])

    more = [genre for genre, lift in persona.genre_lifts if lift >= NOTABLE_LIFT][:most]
    less = [genre for genre, lift in reversed(persona.genre_lifts) if lift <= 1 / NOTABLE_LIFT][:most]
    parts = []
    if options.demographics and persona.demographics:
        known = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in persona.demographics.items())
        parts.append(prompt.fill("about", attributes=one_line(known, options.text_characters)))
    if more:
        parts.append(prompt.fill("more", genres=one_line(", ".join(more), options.text_characters)))
    if less:
        parts.append(prompt.fill("less", genres=one_line(", ".join(less), options.text_characters)))
    if persona.acts and most:
        parts.append(prompt.fill("taken", acts=_acts(persona.acts, catalog, most, options)))
    if persona.style.mean is not None and persona.style.spread is not None and not says_likes:
        spread = f"{persona.style.spread:.1f}"
        parts.append(prompt.fill("stars", mean=f"{persona.style.mean:.1f}", spread=spread))
    if persona.liked and most:
        parts.append(prompt.fill("liked", titles=titles(persona.liked)))
    if persona.disliked and most:
        parts.append(prompt.fill("disliked", titles=titles(persona.disliked)))
    return " ".join(parts)


def _acts(acts: Sequence[Act], catalog: Catalog, most: int, options: PortraitOptions) -> str:
    """The first acts, and as many of another kind than the first."""
    some = [*acts[:most], *[act for act in acts[most:] if act.kind != acts[0].kind][:most]]
    titles = [one_line(catalog.titles[act.item], options.title_characters) for act in some]
    return act_words(some, titles, catalog, "day 1")
