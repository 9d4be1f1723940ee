"""A persona at a glance: attributes as chips, ratings or counts as bars, liked categories and items by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundlings.environments.interactions import KINDS
from groundlings.environments.words import Words

_TRAITS = {"activity": "{:,.0f}", "conformity": "{:.2f}", "diversity": "{:,.0f}"}
_MOST_BARS, _MOST_CATEGORIES, _MOST_ITEMS = 10, 6, 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: What it is of.
        length: Against the longest of its kind, 0 to 1.
        text: The figure in words.
    """

    label: str
    length: float
    text: str


@dataclass(frozen=True, slots=True)
class PersonaCard:
    """What is known of one agent from the training history of a user; what is unknown is absent.

    Attributes:
        agent_id: The log's number.
        user_id: The data set's own id.
        chips: (name, value) of each attribute: demographics as the data give them, then what was measured.
        history: Ratings by value, or what was done most, the heading first; None where the log tells neither.
        categories: Categories by how much more often than with everybody, highest first.
        liked, disliked: Titles, most telling first.
        description: The persona in plain words, as a mind is told it; None where the log keeps what was measured and no
            words.
    """

    agent_id: int
    user_id: str
    chips: tuple[tuple[str, str], ...]
    history: tuple[str, tuple[Bar, ...]] | None
    categories: tuple[Bar, ...]
    liked: tuple[str, ...]
    disliked: tuple[str, ...]
    description: str | None


def items_of(persona: Mapping[str, Any]) -> set[int]:
    """The items that a card names, by their place in the catalog."""
    examples = [item for name in ("liked", "disliked") for item in persona.get(name, ())[:_MOST_ITEMS]]
    return {*examples, *(act["item"] for act in (persona.get("acts") or ())[:_MOST_BARS])}


def persona_card(
    agent_id: int,
    user_id: str,
    persona: Mapping[str, Any],
    titles: Mapping[int, str],
    words: Words,
    opinion: str | None,
) -> PersonaCard:
    """The card of one agent.

    Args:
        agent_id, user_id: Whose.
        persona: As the log has it.
        titles: Of the items that it names, by their place in the catalog; those that are absent are left out.
        words: What people of these data do with items.
        opinion: The action by which agents say what they think of an item, None where they say nothing.
    """

    def named(key: str) -> tuple[str, ...]:
        found = dict.fromkeys(titles[item] for item in persona.get(key, ())[:_MOST_ITEMS] if item in titles)
        return tuple(found)

    return PersonaCard(
        agent_id=agent_id,
        user_id=user_id,
        chips=tuple(_chips(persona, opinion)),
        history=_ratings(persona, opinion) or _acts(persona, titles, words),
        categories=_categories(persona),
        liked=named("liked"),
        disliked=named("disliked"),
        description=None if persona.get("description") is None else str(persona["description"]),
    )


def _chips(persona: Mapping[str, Any], opinion: str | None) -> Iterator[tuple[str, str]]:
    for name, value in persona.get("demographics", {}).items():
        yield str(name), str(value)
    told = persona.get("acts") is not None or "description" not in persona
    for name, form in _TRAITS.items():
        trait = persona.get("traits", {}).get(name)
        if trait is not None:
            # Where personas tell acts, or what was measured alone, the log does not say whether the third compares.
            level = "" if told else f", {trait['level']}"
            yield name, f"{form.format(trait['value'])}{level}"
    style = persona.get("style", {})
    if opinion == "like" and style.get("ratings"):
        share = style.get("shares", {}).get("1", 0.0)
        yield "likes", f"{share:.0%} of {style['ratings']:,} likes and dislikes"
    elif style.get("mean") is not None:
        yield "mean rating", f"{style['mean']:.2f}"


def _ratings(persona: Mapping[str, Any], opinion: str | None) -> tuple[str, tuple[Bar, ...]] | None:
    style = persona.get("style", {})
    shares = style.get("shares") or {}
    if not shares or opinion == "like":
        return None
    top = max(shares.values()) or 1.0
    ordered = sorted(shares.items(), key=lambda each: -float(each[0]))
    bars = tuple(Bar(value, share / top, f"{share:.0%}") for value, share in ordered)
    return f"{style.get('ratings', 0):,} ratings given", bars


def _acts(persona: Mapping[str, Any], titles: Mapping[int, str], words: Words) -> tuple[str, tuple[Bar, ...]] | None:
    acts = [act for act in persona.get("acts") or () if act["item"] in titles and act["kind"] in KINDS][:_MOST_BARS]
    if not acts:
        return None
    top = max(act["count"] for act in acts)
    bars = tuple(
        Bar(titles[act["item"]], act["count"] / top, f"{words.did(act['kind'])} {_times(act['count'])}") for act in acts
    )
    return "Most frequent in the history", bars


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _categories(persona: Mapping[str, Any]) -> tuple[Bar, ...]:
    lifts = sorted(persona.get("genre_lifts", {}).items(), key=lambda each: (-each[1], each[0]))
    above: Sequence[tuple[str, float]] = [(name, lift) for name, lift in lifts if lift > 1][:_MOST_CATEGORIES]
    return tuple(Bar(name, lift / above[0][1], f"{lift:.1f} times") for name, lift in above)
