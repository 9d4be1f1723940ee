"""Which column of one's own files is what: proposed from a look at them, with reasons and doubts, never in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.environments.datasets import roles
from groundlings.environments.datasets.frames import whole_table
from groundlings.environments.datasets.header_words import PASSED_OVER, fits_by_name, pieces
from groundlings.environments.datasets.linked_tables import Link, SeenTable, WhoOrWhat, interactions_of, linked_to
from groundlings.environments.datasets.looks import MOST_ROWS, Look, looks_at
from groundlings.environments.datasets.misread import almost_linked, misread
from groundlings.environments.datasets.problems import Problems
from groundlings.environments.datasets.proposed_offers import offers_in
from groundlings.environments.datasets.proposed_section import section_of
from groundlings.environments.datasets.roles import Choice, chosen
from groundlings.environments.datasets.tables import Table

if TYPE_CHECKING:
    import pandas as pd

_PARTS = {
    "train": "training",
    "training": "training",
    "test": "held_out",
    "held_out": "held_out",
    "valid": "left_out",
    "validation": "left_out",
    "val": "left_out",
}


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """What `dataset.own` may say of some tables.

    Attributes:
        files: "interactions", "items", "users", "offers" or "not used" -> the tables taken for that, in words.
        choices: The columns, in the order of the YAML.
        doubts: What the reader has to decide or to know, a sentence each.
        section: `dataset.own`; what is missing for it is a doubt.
    """

    files: tuple[tuple[str, str], ...]
    choices: tuple[Choice, ...]
    doubts: tuple[str, ...]
    section: dict[str, Any]

    @property
    def is_whole(self) -> bool:
        """Whether nothing that is needed is missing."""
        found = {choice.key for choice in self.choices if choice.column is not None}
        return {"interactions.user", "interactions.item", "items.id", "items.title"} <= found


def propose_for(sources: Sequence[Path | pd.DataFrame]) -> Proposal:
    """What the columns of files and data frames are taken for; files with the same columns are one table.

    Raises:
        DataError: A file cannot be read, or there are no interactions.
    """
    problems = Problems()
    tables, groups = [], dict[tuple[str, ...], list[Path]]()
    for number, source in enumerate(sources):
        if not isinstance(source, Path):
            tables.append(whole_table(source, f"table {number + 1}"))
            continue
        found = Table.read(source, problems)
        groups.setdefault(tuple(sorted(found.data.column_names)), []).append(source)
        if len(groups[tuple(sorted(found.data.column_names))]) == 1:
            tables.append(found)
    for group in groups.values():
        if len(group) > 1:
            tables = [table for table in tables if table.path not in group]
            tables.append(Table.read_all(group, Problems()))
    return propose([replace(table, problems=None) for table in tables], [str(problem) for problem in problems.rows])


def propose(tables: Sequence[Table], known: Sequence[str] = ()) -> Proposal:
    """What the columns of tables are taken for, the first rows being looked at.

    Args:
        tables: The tables.
        known: Doubts that there are already.

    Raises:
        DataError: No table has interactions of two things.
    """
    seen = [SeenTable(table, looks_at(table)) for table in tables]
    wrong = misread(tables)
    doubts = [*wrong, *known, *(doubt for each in seen if (doubt := _headless(each)))]
    met = interactions_of(seen, doubts, wrong)
    items, users = linked_to(met, [each for each in seen if each is not met], doubts)
    choices = [*_of_interactions(met, items, users, doubts)]
    taken = [met, *(link.table for link in (items, users) if link)]
    offers = None if items is None else offers_in(items, [each for each in seen if each not in taken])
    used = taken if offers is None else [*taken, offers[0]]
    almost = almost_linked(met, [each for each in seen if each not in used])
    doubts += almost
    if items is None and not almost:
        doubts.append(
            "no file has a row per item with an id that the interactions name; write one with a column of ids and one "
            "of titles, and name it under `items`"
        )
    if items is not None:
        choices += _of_items(items, doubts, offers)
    if offers is not None:
        choices += offers[1]
        doubts.append("offers: say which currency prices are in (`currency`)")
    attributes = [] if users is None else _attributes(users, doubts)
    if users is not None:
        choices.append(Choice("users.id", users.key.name, (users.reason,)))
    for choice in choices:
        if choice.as_likely:
            others = " and ".join(map(repr, choice.as_likely))
            doubts.append(f"{choice.key}: {choice.column!r} is proposed, and {others} would do as well: decide")
    named = {} if offers is None else {offers[0]: "offers"}
    named |= {met: "interactions"} | {link.table: name for name, link in (("items", items), ("users", users)) if link}
    files = [(named.get(each, "not used"), f"{each.name}: {each.table.data.num_rows:,} rows") for each in seen]
    if any(each.table.data.num_rows > MOST_ROWS for each in seen):
        doubts.append(f"of a long table the first {MOST_ROWS:,} rows were looked at")
    section = section_of(met, items, users, choices, attributes, doubts, None if offers is None else offers[0])
    return Proposal(tuple(files), tuple(choices), tuple(doubts), section)


def _headless(seen: SeenTable) -> str:
    """What to say of a table whose headers are cells, as those of a file without a header line; "" of others."""
    headers = seen.table.data.column_names
    if not any(_is_cell(look) for look in seen.looks):
        return ""
    return f"{seen.name}: the first line ({', '.join(headers)}) looks like data; write a line with headers above it"


def _is_cell(look: Look) -> bool:
    """Whether the header of a column is one of its cells, or a number among numbers."""
    number = look.name.replace(".", "", 1).isdecimal() and look.numbers is not None
    return number or look.name in look.distinct


def _of_interactions(met: SeenTable, items: Link | None, users: Link | None, doubts: list[str]) -> list[Choice]:
    """User, item, time, rating, kind and weight."""
    left = list(met.looks)
    found = []
    who_and_what: tuple[tuple[WhoOrWhat, Link | None, Link | None], ...] = (
        ("user", users, items),
        ("item", items, users),
    )
    for role, link, other in who_and_what:
        able = [link.column] if link else [look for look in left if other is None or look is not other.column]
        reasons = (link.reason,) if link else ()
        choice = chosen(f"interactions.{role}", able, partial(roles.as_who_or_what, role=role, links=reasons))
        if choice.column is None:
            fitting = [look.name for look in able if roles.as_who_or_what(look, role, ()).points > 0]
            which = f": {' or '.join(map(repr, fitting))} may be" if fitting else "; name it"
            doubts.append(f"interactions.{role}: no header says which column has the ids of {role}s{which}")
        found.append(choice)
        left = [look for look in left if look.name != choice.column]
    for key, fit in (
        ("timestamp", roles.as_time),
        ("rating", roles.as_stars),
        ("kind", roles.as_kind),
        ("weight", roles.as_weight),
    ):
        choice = chosen(f"interactions.{key}", left, fit)
        found.append(choice)
        left = [look for look in left if look.name != choice.column]
    _doubt_what_is_left(left, found, doubts)
    return found


def _doubt_what_is_left(left: Sequence[Look], found: Sequence[Choice], doubts: list[str]) -> None:
    """Say of columns that are not used what they may be."""
    chosen_for = {choice.key: choice.column for choice in found}
    for look in left:
        told = next((what for what, words in PASSED_OVER.items() if set(pieces(look.name)) & set(words)), None)
        numbers = look.numbers
        if set(map(str.casefold, look.distinct)) <= set(_PARTS) and len(look.distinct) > 1:
            doubts.append(f"column {look.name!r} may be a split of your own: add `split: {look.name}`")
        elif (
            chosen_for["interactions.timestamp"] is None and fits_by_name(look.name, "timestamp") and look.time_trouble
        ):
            doubts.append(f"column {look.name!r} may be the time, and cannot be read so: {look.time_trouble}")
        elif numbers is not None and len(numbers) == 1 and fits_by_name(look.name, "rating"):
            doubts.append(
                f"column {look.name!r} is not used: it holds {numbers[0]:g} and nothing else, which says who met what "
                "and not how anybody liked it (implicit feedback)"
            )
        elif told:
            doubts.append(f"column {look.name!r} is not used: it looks like {told}")
        elif chosen_for["interactions.rating"] is None and numbers is not None and 1 < len(numbers) <= 11:
            doubts.append(
                f"column {look.name!r} holds {', '.join(f'{each:g}' for each in numbers)}; if these are ratings, add "
                f"`rating: {look.name}`"
            )
        else:
            doubts.append(f"column {look.name!r} is not used ({look.examples})")
    if chosen_for["interactions.timestamp"] is None:
        doubts.append("no column tells the time: `split.kind` must be `random` or `given`")


def _of_items(items: Link, doubts: list[str], offers: tuple[SeenTable, list[Choice]] | None) -> list[Choice]:
    """Id, title, year, genres, text and cost; what stands among the offers is no column of the items."""
    found = [Choice("items.id", items.key.name, (items.reason,))]
    elsewhere = {each.column for each in offers[1]} if offers is not None and offers[0] is items.table else set()
    left = [look for look in items.table.looks if look is not items.key and look.name not in elsewhere]
    for key, fit in (
        ("title", roles.as_title),
        ("year", roles.as_year),
        ("genres", roles.as_genres),
        ("text", roles.as_text),
        ("cost", roles.as_cost),
    ):
        choice = chosen(f"items.{key}", left, fit)
        if key == "title" and choice.column is None:
            choice = Choice("items.title", items.key.name, ("no column holds names, so that ids are shown",))
            doubts.append("items.title: no column looks like names of items; ids would be shown to agents")
        found.append(choice)
        left = [look for look in left if look.name != choice.column]
    if left:
        doubts.append(f"columns of the items that are not used: {', '.join(repr(look.name) for look in left)}")
    return found


def _attributes(users: Link, doubts: list[str]) -> list[str]:
    """Columns that say something of users; what is different for each of them would name them."""
    others = [look for look in users.table.looks if look is not users.key and look.distinct]
    naming = [look.name for look in others if look.numbers is None and len(look.distinct) > look.rows / 2]
    if naming:
        names = ", ".join(map(repr, naming))
        doubts.append(f"users.attributes: {names} left out, being different for most users, as names and addresses are")
    return [look.name for look in others if look.name not in naming]
