"""What the levels of a run rest on: which of its mind's figures are presets that no data of the run speak for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_PRESET = "a preset"

_LEVELS: Final[Mapping[str, str]] = {
    "random_click_rate": "how much of what is looked at is opened",
    "examination_exponent": "how far down people look",
    "leave_rate": "when they leave",
    "add_rate": "how much of what is opened goes into the cart",
    "purchase_rate": "how much of the cart is bought",
    "price": "what prices do",
    "promoted": "what promotions do",
}
"""Figure of a mind -> what it says, in the order of a session."""


def assumed_levels(mind: Mapping[str, Any], *, sells: bool) -> str:
    """That levels and ties are assumed, in three sentences at most; "" where nothing is.

    Args:
        mind: As `runs.mind` has it.
        sells: Whether anything can be bought.
    """
    browsing = mind.get("browsing")
    origins = dict(browsing.get("origins", {})) if isinstance(browsing, Mapping) else {}
    for part in ("shopping", "offers") if sells else ("offers",):
        for name, figure in (mind.get(part) or {}).items():
            origins[name] = figure.get("origin") if isinstance(figure, Mapping) else None
    told = [words for name, words in _LEVELS.items() if origins.get(name) == _PRESET]
    levels = (
        f"Assumed by presets, not measured on these users: {'; '.join(told)}. Levels (of clicks, purchases or money) "
        "are therefore settings: compare arms, and believe no level alone."
    )
    return " ".join([levels] * bool(told) + _assumed_ties(mind.get("social") or {}))


def _assumed_ties(social: Mapping[str, Any]) -> list[str]:
    """What is assumed of ties, in at most two sentences."""
    if not social:
        return []
    nobodys = ["Ties are generated: nobody of these users has them."] if "generator" in social else []
    weighed = ["What ties tell weighs what the file states, and was not estimated."] if "likes" in social else []
    return nobodys + weighed
