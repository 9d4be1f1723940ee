"""Which targets a dialogue names before they are recommended: they are no test of a recommender, and are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Leaks:
    """Targets that were named before, by three readings; each holds the one before it.

    Attributes:
        targets: All of them.
        with_year: Those whose name stands in the context as the items have it.
        by_title: Those whose title does, without its year, in whole words of whatever case. These are left out.
        within_words: Those whose title does, also within other words ("It" in "with").
        turns: All of them.
        emptied: Turns that have no target left.
    """

    targets: int
    with_year: int
    by_title: int
    within_words: int
    turns: int
    emptied: int


def without_leaks(dialogues: Dialogues) -> tuple[tuple[Turn, ...], Leaks]:
    """The turns that still have a target, with these alone; and what was left out."""
    titles, names = dialogues.catalog.titles, dialogues.names
    kept, counts = [], [0, 0, 0, 0]
    for turn in dialogues.turns:
        said = " ".join(turn.context)
        words, lower = as_words(said), said.casefold()
        left = []
        for target in turn.targets:
            whole = names_title(words, titles[target])
            found = (True, names_title(words, names[target]), whole, whole or titles[target].casefold() in lower)
            counts = [count + each for count, each in zip(counts, found, strict=True)]
            if not whole:
                left.append(target)
        if left:
            kept.append(replace(turn, targets=tuple(left)))
    targets, with_year, by_title, within = counts
    return tuple(kept), Leaks(
        targets, with_year, by_title, within, len(dialogues.turns), len(dialogues.turns) - len(kept)
    )


def as_words(text: str) -> str:
    """The words of a text between single spaces, one before the first and one after the last, in one case."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def names_title(words: str, title: str) -> bool:
    """Whether some words (`as_words`) hold a title; one without a letter or a digit is held by none."""
    wanted = as_words(title)
    return bool(wanted.strip()) and wanted in words


def names_any(text: str, titles: Sequence[str]) -> bool:
    """Whether a text names one of some titles, with or without a year after it."""
    words = as_words(text)
    return any(names_title(words, title) for title in titles)
