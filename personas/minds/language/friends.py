"""What a language agent reads behind an item of which its ties have told, or which the page says they liked."""

from __future__ import annotations

from groundlings.environments.arrays import IntArray
from groundlings.environments.page import Page
from groundlings.environments.ties import FRIENDS_LIKED


def friends_words(page: Page, slot: int, mentioned: tuple[IntArray, IntArray]) -> str:
    """How many friends liked what a slot shows, behind its title; "" where none did.

    Args:
        page: Of one session.
        slot: Which of its slots.
        mentioned: How many ties mentioned that they liked and disliked the item in each slot, shape (1, n_slots) each.
    """
    shown = page.further.get(FRIENDS_LIKED)
    liked, disliked = (int(counts[0, slot]) for counts in mentioned)
    told = [
        (0 if shown is None else int(shown[0, slot]), "liked this"),
        (liked, "told you that they liked it"),
        (disliked, "told you that they disliked it"),
    ]
    return "".join(f" ({count} friend{'s' * (count > 1)} {did})" for count, did in told if count)
