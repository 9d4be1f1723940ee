"""How an item from a data set is shown to a language model."""

from __future__ import annotations

from groundlings.environments.catalog import Item
from groundlings.environments.prompts import one_line

__all__ = ["item_line", "noted_line", "one_line"]


def noted_line(item: Item, note: str, title_characters: int) -> str:
    """An item whose recommender says something of it in the place of year, genres and description."""
    return f"{one_line(item.title, title_characters)}: {one_line(note, len(note))}"


def item_line(item: Item, title_characters: int, text_characters: int) -> str:
    """An item as a page shows it: title, year, genres, and the beginning of its description."""
    line = one_line(item.title, title_characters)
    if item.year is not None:
        line += f" ({item.year})"
    if item.genres:
        line += f", {one_line('/'.join(item.genres), title_characters)}"
    if item.text and text_characters:
        line += f": {one_line(item.text, text_characters)}"
    return line
