"""Names that a language model wrote -> the candidates that it was shown.

A name is looked for in three steps, and the first step that finds a candidate decides:

1. *exact*: the name as it was shown;
2. *normalised*: letters and digits alone, in one case, with or without the year and a number before the name;
3. *near*: the longest common subsequence of the normalised texts is at least `NEAR` of the longer one.

Where several candidates fit alike (two of one title), the first shown that was not named before is taken, and the
name counts as a tie. A name that fits no candidate is hallucinated, and one whose candidates were all named before is
repeated: neither has a place in the order. Nothing is guessed beyond that, and everything is counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

NEAR = 0.9
"""Of the longer text. The code of Hou et al. (2024) asks for more than 0.9 of the candidate's name, and also takes a
candidate whose name holds the line or stands in it, so that "Alien" is found in "Aliens"."""

_NUMBERED = re.compile(r"\s*(?:[-*\u2022]|\(?\d{1,3}[.):])\s+")
_YEAR = re.compile(r"\s*\(\d{3,4}\)\s*$")
_FORMS_KEPT = 2**14
"""Names; the same candidates come up in list after list, and most of the time of reading a reply went into this."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """An order of candidates, and how it was read.

    Attributes:
        order: Places of the candidates named, best first, each once.
        candidates: How many there were; 0 where the names were written without a list.
        exact, normalised, near: Names by the step that found a candidate; together the length of `order`.
        ties: Of these, names that fitted several candidates alike.
        repeated: Names of candidates that were named before.
        hallucinated: Names that fit no candidate.
    """

    order: tuple[int, ...]
    candidates: int
    exact: int = 0
    normalised: int = 0
    near: int = 0
    ties: int = 0
    repeated: int = 0
    hallucinated: int = 0

    @property
    def names(self) -> int:
        """Names in the reply, of whatever kind."""
        return len(self.order) + self.repeated + self.hallucinated

    @property
    def missing(self) -> int:
        """Candidates that the reply does not name."""
        return max(0, self.candidates - len(self.order))


def ground(names: Sequence[str], candidates: Sequence[str]) -> Grounding:
    """The order of candidates that some names give.

    Args:
        names: As the model wrote them, best first; blank ones are no names.
        candidates: As the model was shown them.
    """
    exact, known = places_of(candidates), [forms(each) for each in candidates]
    return grounded(names, len(candidates), cache(lambda name: _found(name, exact, known)))


def places_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Name -> its places."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name, []).append(place)
    return found


def grounded(names: Sequence[str], candidates: int, find: Callable[[str], tuple[str, list[int]]]) -> Grounding:
    """The order that some names give, with everything counted.

    Args:
        names: As the model wrote them, best first; blank ones are no names.
        candidates: How many the model was shown.
        find: Name -> the step that decides, and the places of all that fit alike.
    """
    steps = {"exact": 0, "normalised": 0, "near": 0}
    ties = repeated = hallucinated = 0
    order: list[int] = []
    for name in filter(str.strip, names):
        step, places = find(name)
        free = [place for place in places if place not in order]
        if not places:
            hallucinated += 1
        elif not free:
            repeated += 1
        else:
            order.append(free[0])
            steps[step] += 1
            ties += len(places) > 1
    return Grounding(tuple(order), candidates, **steps, ties=ties, repeated=repeated, hallucinated=hallucinated)


def _found(name: str, exact: dict[str, list[int]], known: Sequence[tuple[str, ...]]) -> tuple[str, list[int]]:
    """The step that decides, and the places of all candidates that fit alike."""
    if name in exact:
        return "exact", exact[name]
    said = dict.fromkeys((normal(name), normal(without_number(name))))
    for form in said:
        # With the year before without: it tells candidates of one title apart.
        for which in range(2):
            if form and (places := [place for place, forms in enumerate(known) if forms[which] == form]):
                return "normalised", places
    return "near", _nearest(said, known)


def _nearest(said: Iterable[str], known: Sequence[tuple[str, ...]]) -> list[int]:
    """The places of all candidates that are most like one of some forms, none where no candidate is like enough."""
    near: dict[int, float] = {}
    for form in said:
        least, most = NEAR * len(form) - 1, len(form) / NEAR + 1
        for place, forms in enumerate(known):
            for each in forms:
                if least <= len(each) <= most:  # most are not; `likeness` knows to the letter
                    near[place] = max(near.get(place, 0.0), likeness(form, each))
    best = max(near.values(), default=0.0)
    return sorted(place for place, each in near.items() if each == best) if best >= NEAR else []


def without_number(name: str) -> str:
    """A name without a number or a bullet before it."""
    return _NUMBERED.sub("", name, count=1)


@lru_cache(_FORMS_KEPT)
def forms(candidate: str) -> tuple[str, str]:
    """A candidate normalised, with its year and without."""
    return normal(candidate), normal(_YEAR.sub("", candidate))


def normal(text: str) -> str:
    """Letters, marks and digits of a text in one case, with one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = (sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in folded)
    return " ".join("".join(kept).split())


def likeness(one: str, other: str) -> float:
    """Length of the longest common subsequence by that of the longer text, 0 where either is empty.

    0 as well where the lengths alone keep it below `NEAR`. The subsequence is counted in the bits of whole numbers
    (Hyyro 2004, "Bit-parallel LCS-length computation revisited"), some microseconds a pair.
    """
    longer = max(len(one), len(other))
    if not one or not other or min(len(one), len(other)) < NEAR * longer:
        return 0.0
    places: dict[str, int] = {}
    for place, sign in enumerate(one):
        places[sign] = places.get(sign, 0) | 1 << place
    everything = (1 << len(one)) - 1
    row = everything
    for sign in other:
        met = row & places.get(sign, 0)
        row = (row + met | row - met) & everything
    return (len(one) - row.bit_count()) / longer
