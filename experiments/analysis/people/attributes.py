"""What users can be told apart by before anything is simulated: the segments of `compare`, and further attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.experiments.analysis.comparison.persona_columns import PersonaColumns, Personas, persona_columns
from groundlings.experiments.analysis.comparison.segments import (
    FEWEST,
    MOST_LEVELS,
    OTHERS,
    in_order,
    levels_of,
    thirds,
)
from groundlings.experiments.analysis.comparison.texts import Texts

_FEW_VALUES = 5
"""Numbers with more values than this are told in thirds."""

UNKNOWN = -1
"""Code of users of whom a level is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """The level of each user.

    Attributes:
        names: What is told: one attribute, or two that are taken together.
        levels: In the order in which they are listed, one text per name each; `OTHERS` stands last.
        codes: Place of each user's level, shape (n_agents,), `UNKNOWN` where it is not known.
        compared: Whether `compare` has the attribute, with p values of its own.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: IntArray
    compared: bool = False

    def rows(self) -> Iterator[tuple[tuple[str, ...], IntArray]]:
        """Each level, with the places of its users in the log."""
        order = np.argsort(self.codes, kind="stable")
        ends = np.searchsorted(self.codes[order], np.arange(len(self.levels) + 1))
        for place, level in enumerate(self.levels):
            yield level, order[ends[place] : ends[place + 1]]


def attributes_of(personas: Personas) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
    """Every attribute that tells users apart, and the names of those that name users rather than groups.

    Those of `compare` come first. Further ones are numbers with many values (in thirds), names with many values (those
    that at least `FEWEST` users share), the mean rating, and the category that a user has most above everybody.
    """
    columns = persona_columns(personas)
    compared = levels_of(columns)
    found = [_attribute(name, levels, compared=True) for name, levels in compared.items()]
    naming = []
    for name, values in _further(columns).items():
        if name in compared:
            continue
        levels = _grouped(values)
        if len(levels.known) > 1:
            found.append(_attribute(name, levels, compared=False))
        elif len(values.known) > 1:
            naming.append(name)
    return tuple(found), tuple(naming)


def conjunctions(attributes: Sequence[Attribute], most_levels: int) -> Iterator[Attribute]:
    """Every two attributes taken together, one pair after the other: each is as long as there are users.

    Combinations of fewer than `FEWEST` users are others.

    Args:
        attributes: Single ones.
        most_levels: Combinations of two that are told apart, the most frequent ones.
    """
    for one, other in combinations(attributes, 2):
        yield _together(one, other, most_levels)


def _together(one: Attribute, other: Attribute, most_levels: int) -> Attribute:
    width = len(other.levels)
    codes = np.where((one.codes < 0) | (other.codes < 0), UNKNOWN, one.codes * width + other.codes)
    counts = np.bincount(codes[codes >= 0], minlength=len(one.levels) * width)
    large = [place for place in np.argsort(-counts, kind="stable").tolist() if counts[place] >= FEWEST]
    kept = sorted(large[:most_levels])
    rest = len(kept)
    renumbered = np.full(len(counts) + 1, rest, dtype=np.int64)  # the last entry is of the code UNKNOWN
    renumbered[kept] = np.arange(rest)
    renumbered[UNKNOWN] = UNKNOWN
    levels = [(*one.levels[place // width], *other.levels[place % width]) for place in kept]
    if counts.sum() > counts[kept].sum():
        levels.append((OTHERS, OTHERS))
    return Attribute((*one.names, *other.names), tuple(levels), renumbered[codes])


def _attribute(name: str, levels: Texts, *, compared: bool) -> Attribute:
    ordered = in_order(levels.known)
    place = {"": UNKNOWN} | {level: number for number, level in enumerate(ordered)}
    codes = np.array([place[level] for level in levels.values], dtype=np.int64)[levels.codes]
    return Attribute((name,), tuple((level,) for level in ordered), codes, compared)


def _further(columns: PersonaColumns) -> dict[str, Texts]:
    """Name -> each user's value as text, "" where unknown."""
    means = Texts.of_numbers(columns.mean, "{:.3f}".format)
    return {**columns.demographics, "mean rating": means, "favourite category": columns.favourites}


def _grouped(values: Texts) -> Texts:
    known = values.known
    numbers = sum(value.replace(".", "", 1).isdigit() for value in known)
    if len(known) > _FEW_VALUES and numbers == len(known) and not _are_codes(known):
        return thirds(values)
    counts = Counter({value: count for value, count in values.counts().items() if value})
    large = {value for value, count in counts.most_common(MOST_LEVELS) if count >= FEWEST}
    if not large:
        return values.renamed(lambda _: "")
    return values.renamed(lambda value: value if value in large or not value else OTHERS)


def _are_codes(values: Sequence[str]) -> bool:
    """Whether digits are a name and no number, as of a postcode: all have the same count of them, of more than three,
    or some begin with a zero."""
    whole = {len(value) for value in values if value.isdigit()}
    leading = any(len(value) > 1 and value[0] == "0" and value.isdigit() for value in values)
    return leading or (len(whole) == 1 and min(whole) > 3)
