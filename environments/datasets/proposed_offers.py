"""Which table has prices, stock and promotions, and which of its columns: proposed from headers and cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from groundlings.environments.datasets.header_words import pieces
from groundlings.environments.datasets.linked_tables import Link, SeenTable
from groundlings.environments.datasets.looks import Look
from groundlings.environments.datasets.roles import Choice

_COVERED = 0.9
"""Share of the ids of a column that must be items for it to be the item of an offer."""

_Roles: TypeAlias = Mapping[str, tuple[frozenset[str], Callable[[Look], bool]]]

_TRUTHS = frozenset({"0", "1", "true", "false", "yes", "no", "y", "n"})


def offers_in(items: Link, others: Sequence[SeenTable]) -> tuple[SeenTable, list[Choice]] | None:
    """The table of offers with its columns, None where no table has any; the items file may be one.

    Args:
        items: The table of items.
        others: Tables that are taken for nothing else.
    """
    for table in (*others, items.table):
        key = items.key if table is items.table else _item_of(table, items.key)
        if key is None:
            continue
        able = _ROLES if table is not items.table else {name: _ROLES[name] for name in _SAYS_SOMETHING}
        found = _columns(table, key, able)
        if any(choice.key.removeprefix("offers.") in _SAYS_SOMETHING for choice in found):
            reason = f"its ids are in {items.key.name!r} of {items.table.table.path.name}"
            return table, [Choice("offers.item", key.name, (reason,)), *found]
    return None


def _columns(table: SeenTable, key: Look, able: _Roles) -> list[Choice]:
    """Columns of the table whose headers and cells fit a key, each for one key at most."""
    left = [look for look in table.looks if look is not key and look.distinct]
    found: dict[str, Look] = {}
    for name, (words, fits) in able.items():
        look = next((each for each in left if words & set(pieces(each.name)) and fits(each)), None)
        if look is not None:
            found[name] = look
            left.remove(look)
    if "first_day" not in found:
        found.pop("last_day", None)
    return [Choice(f"offers.{name}", look.name, ("its header says so",)) for name, look in found.items()]


def _item_of(table: SeenTable, key: Look) -> Look | None:
    """The column with the ids of items, None where there is none."""
    able = [look for look in table.looks if look.distinct and look.covered_by(key) >= _COVERED]
    return max(able, key=lambda look: (look.name == key.name, look.covered_by(key)), default=None)


def _is_amount(look: Look) -> bool:
    return look.numbers is not None and bool(look.numbers[0] >= 0)


def _is_truth(look: Look) -> bool:
    return {cell.casefold() for cell in look.distinct} <= _TRUTHS


def _is_day(look: Look) -> bool:
    if look.times is not None:
        return True
    numbers = look.numbers
    if numbers is None:  # an offer without an end has an empty cell, and a column with one is no column of times
        return all(cell[:4].isdecimal() and "-" in cell for cell in look.distinct)
    return bool((numbers == np.rint(numbers)).all())


_ROLES: Final[_Roles] = {
    "price": (frozenset({"price", "preis", "prix", "precio"}), _is_amount),
    "stock": (frozenset({"stock", "inventory", "left", "available", "bestand"}), _is_amount),
    "promoted": (frozenset({"promoted", "promo", "promotion", "ad", "advertised", "sale", "deal"}), _is_truth),
    "last_day": (frozenset({"to", "until", "till", "end", "ends", "last", "bis"}), _is_day),
    "first_day": (frozenset({"from", "since", "start", "begins", "first", "day", "date", "week", "von"}), _is_day),
}
"""Key of `dataset.own.offers` -> words of its header, and whether cells can be such."""

_SAYS_SOMETHING = ("price", "stock", "promoted")
