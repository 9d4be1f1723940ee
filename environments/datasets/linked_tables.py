"""Which of one's own tables holds interactions, and which describe the items and users that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from groundlings.environments.datasets import roles
from groundlings.environments.datasets.header_words import fits_by_name, says_basket
from groundlings.environments.datasets.looks import Look
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError

WhoOrWhat = Literal["user", "item"]

COVERED = 0.9
"""Share of the ids of a column that another file's key must have to be the table of these ids."""

_CALLED_ALIKE = 2.5
"""Points of two columns with one header: more than of a header that says user, or item."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenTable:
    """A table and what a look at it tells."""

    table: Table
    looks: list[Look]

    @property
    def name(self) -> str:
        """The file, and how many more it is read with."""
        more = len(self.table.parts) - 1
        return f"{self.table.path}{f' and {more} more' if more > 0 else ''}"

    @property
    def path(self) -> str | list[str]:
        """As the section of a configuration names it."""
        paths = [str(part.path) for part in self.table.parts] or [str(self.table.path)]
        return paths[0] if len(paths) == 1 else paths

    def look(self, name: str) -> Look:
        """The look at a column by its header."""
        return next(look for look in self.looks if look.name == name)


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A column of the interactions whose ids another table describes."""

    column: Look
    key: Look
    table: SeenTable
    share: float

    def points(self, role: WhoOrWhat) -> float:
        """What speaks for this being the table of users, or of items."""
        other: WhoOrWhat = "item" if role == "user" else "user"
        named = fits_by_name(self.column.name, role) - fits_by_name(self.column.name, other)
        there = max(fits_by_name(each, role) for each in (self.key.name, self.table.table.path.stem))
        titled = any(fits_by_name(look.name, "title") and look.numbers is None for look in self.table.looks)
        # Numbers are in each other's columns by chance; two files that call a column alike mean one thing by it.
        alike = _CALLED_ALIKE * (self.column.name == self.key.name)
        return 2 * named + there + alike + (titled and role == "item") / 2

    @property
    def reason(self) -> str:
        """What the two columns have in common, in words."""
        there = f"{self.key.name!r} of {self.table.table.path.name}"
        return f"{self.share:.0%} of the ids in {self.column.name!r} are in {there}, where each stands once"


def interactions_of(seen: Sequence[SeenTable], doubts: list[str], misread: Sequence[str]) -> SeenTable:
    """The table with a row per interaction.

    Args:
        seen: All tables.
        doubts: What is to be told of them; a doubt of this is added.
        misread: Those that tell why a table does not look like one of interactions.

    Raises:
        DataError: No table has interactions of two things.
    """

    def points(each: SeenTable) -> float:
        pairs = sum(roles.as_who_or_what(look, role, ()).points >= 1 for look in each.looks for role in _WHO_AND_WHAT)
        timed = any(look.times is not None for look in each.looks)
        return min(pairs, 2) + timed - 1.5 * any(look.is_unique for look in each.looks[:1])

    ranked = sorted(seen, key=lambda each: (-points(each), -each.table.data.num_rows))
    if not ranked or sum(not look.is_unique and look.times is None for look in ranked[0].looks) < 2:
        told = "no file has two columns whose ids repeat, as users and items of interactions do"
        raise DataError(". ".join([told, *doubts] if misread else [f"{told}; name it too", *doubts]))
    if len(ranked) > 1 and points(ranked[0]) == points(ranked[1]):
        doubts.append(f"{ranked[0].name} is taken for the interactions, having most rows; {ranked[1].name} may be too")
    return ranked[0]


_WHO_AND_WHAT: tuple[WhoOrWhat, ...] = ("user", "item")


def linked_to(met: SeenTable, others: Sequence[SeenTable], doubts: list[str]) -> tuple[Link | None, Link | None]:
    """The tables that describe items and users."""
    links: list[Link] = []
    for other in others:
        able = [
            Link(column, key, other, share)
            for key in other.looks
            if key.is_unique
            for column in met.looks
            if (share := column.covered_by(key)) >= COVERED and column.times is None
        ]
        best = max(able, key=lambda link: (max(map(link.points, _WHO_AND_WHAT)), link.share), default=None)
        if best is not None and says_basket(best.column.name):
            doubts.append(_of_baskets(best))
        elif best is not None:
            links.append(best)
    links.sort(key=lambda link: -abs(link.points("item") - link.points("user")))
    found: dict[WhoOrWhat, Link] = {}
    for link in links:
        item, user = link.points("item"), link.points("user")
        role: WhoOrWhat = "item" if item >= user else "user"
        role = role if role not in found else next(each for each in (*_WHO_AND_WHAT, role) if each not in found)
        if item == user:
            doubts.append(f"{link.table.name} may describe users or items; it is taken for the {role}s")
        if role not in found and all(link.column is not each.column for each in found.values()):
            found[role] = link
    return found.get("item"), found.get("user")


def _of_baskets(link: Link) -> str:
    """What to say where a table describes baskets: whose they are, and when, may stand there."""
    file, column = link.table.table.path.name, link.column.name
    return (
        f"{file} has a row per {column!r}, and a data set has no baskets; if it tells of users and times, write that "
        f"into the table of the interactions first (in pandas: interactions.merge(baskets, on={link.key.name!r}))"
    )
