"""MovieLens titles as people read them: the article in front, the year apart."""

from __future__ import annotations

import re

_YEAR = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)(?:\s*\(\w+\))?$")  # "(V)" and "(TV)" may follow the year
_ARTICLES = "The|A|An|La|Le|Les|L'|Il|El|Der|Die|Das|Det|O|I"
_TRAILING_ARTICLE = re.compile(rf"(?P<name>[^()]+?), (?P<article>{_ARTICLES})(?=\s*(?:[()]|$))")


def read_title(text: str) -> tuple[str, int | None]:
    """Title and year of "Fugitive, The (1993)": ("The Fugitive", 1993); the year is None where none is given.

    MovieLens files sort titles by putting articles last, also inside a bracketed second title. Spaces are
    evened out and a bracket that was never closed is closed, because the official files and the copies of them
    differ in nothing but such slips.
    """
    flat = " ".join(text.split())
    match = _YEAR.match(flat)
    title, year = (match["title"], int(match["year"])) if match else (flat, None)
    title = title.replace(" )", ")") + ")" * (title.count("(") - title.count(")"))
    return _TRAILING_ARTICLE.sub(_in_front, title), year


def _in_front(match: re.Match[str]) -> str:
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{gap}{match['name']}"
