"""Names that a reader cannot tell apart: the same letters, composed and decomposed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


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


def spelt(text: str, other: str) -> str:
    """A text in plain ASCII, and the code points that the other one does not have."""
    own = [f"U+{ord(sign):04X}" for sign in dict.fromkeys(text) if sign not in other]
    return ascii(text[:40]) + (f" (with {', '.join(own[:4])})" if own else "")
