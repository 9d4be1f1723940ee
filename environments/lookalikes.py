"""Names that a reader cannot tell apart or has mistaken: the same letters, composed and decomposed, and near ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches


def same_letters(name: str, known: Iterable[str]) -> str:
    """What to say of a name that stands among the known ones in another form of its letters; "" where none does.

    Args:
        name: An unknown name, as somebody wrote it.
        known: All names that there are.
    """
    if name.isascii():
        return ""
    composed = unicodedata.normalize("NFC", name)
    for each in known:
        if each != name and unicodedata.normalize("NFC", each) == composed:
            return (
                f"it is written {spelt(name, each)} here and {spelt(each, name)} there: these are the same letters, "
                "composed and decomposed; bring all to one form, such as Unicode NFC"
            )
    return ""


def near(name: str, known: Iterable[str], told_as: Callable[[str], str] = repr, least: float = 0.5) -> str:
    """The name of a file or a column that may have been meant, as the end of a message; "" where none is near.

    Args:
        name: As somebody wrote it.
        known: All names that there are.
        told_as: What a message calls one of them.
        least: How much of two names has to be the same, from 0 to 1.
    """
    others = [each for each in known if each != name]
    if told := same_letters(name, others):
        return f"; {told}"
    for each in others:
        if each.casefold() == name.casefold():
            return f"; did you mean {told_as(each)}? Capital letters count"
    close = get_close_matches(name, others, n=1, cutoff=least)
    return f"; did you mean {told_as(close[0])}?" if close else ""


def spelt(text: str, other: str) -> str:
    """A text in plain ASCII, and the code points that the other one does not have."""
    own = [f"U+{ord(sign):04X}" for sign in dict.fromkeys(text) if sign not in other]
    return ascii(text[:40]) + (f" (with {', '.join(own[:4])})" if own else "")
