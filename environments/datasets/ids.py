"""Ids that are not known: how many, which, and what they may have been meant to be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import shown
from groundlings.environments.lookalikes import spelt
from groundlings.environments.words import plural

_NAMED = 3
_FLOAT = re.compile(r"\d+\.0")


def places_of(cells: Sequence[str], ids: Sequence[str]) -> IntArray:
    """The place of each cell among ids, -1 where it is none of them, shape (n_cells,).

    Where some are not known and every cell is a whole number with ".0", as tables with gaps write a column of numbers,
    the numbers are looked up without it.
    """
    place = {known: number for number, known in enumerate(ids)}
    found = np.array([place.get(cell, -1) for cell in cells], dtype=np.int64)
    if (found < 0).any() and all(_FLOAT.fullmatch(cell) for cell in cells if cell):
        found = np.array([place.get(cell.removesuffix(".0"), -1) for cell in cells], dtype=np.int64)
    return found


def by_length(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """Each text once without the empty one, shorter ones first, so that "2" stands before "10".

    Any fixed order would do for ids, as long as that of the file does not matter.
    """
    distinct = pc.unique(texts)
    distinct = distinct.filter(pc.not_equal(distinct, ""))
    keys = pa.table({"length": pc.utf8_length(distinct), "text": distinct})
    order = pc.sort_indices(keys, sort_keys=[("length", "ascending"), ("text", "ascending")])
    ordered: list[str] = distinct.take(order).to_pylist()
    return ordered


def as_whole_numbers(cells: Iterable[str]) -> frozenset[str]:
    """Cells without ".0", where every one of them is a whole number that has it; see `places_of`."""
    cells = frozenset(cells)
    return frozenset(cell.removesuffix(".0") for cell in cells) if all(map(_FLOAT.fullmatch, cells)) else cells


def unknown_ids(
    kind: str,
    missing: Sequence[str],
    known: Iterable[str],
    home: str,
    advice: str = "add what is missing there or remove the rows",
) -> str:
    """What to say of ids that stand in no table.

    Args:
        kind: What they are ids of ("user", "item").
        missing: The unknown id of every row that has one, in the order of rows.
        known: All ids that there are.
        home: Where they would have to stand ("the items file").
        advice: What to do where no known id looks the same.
    """
    distinct = list(dict.fromkeys(missing))
    told = f"{kind} {shown(distinct[0])} is not in {home}"
    if len(missing) > 1:
        named = ", ".join(map(shown, distinct[:_NAMED])) + (" ..." if len(distinct) > _NAMED else "")
        are = "is" if len(distinct) == 1 else "are"
        told += f" ({len(missing):,} rows name {plural(len(distinct), kind)} that {are} not: {named})"
    return told + (_meant(distinct[0], known) or f"; {advice}")


def alike(names: Iterable[str]) -> str:
    """What to say of two names that a reader cannot tell apart and that count as two; "" where there are none.

    Args:
        names: Each once.
    """
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        first = seen.setdefault(" ".join(unicodedata.normalize("NFC", name).split()), name)
        if first != name:
            pairs.append((first, name))
    if not pairs:
        return ""
    one, other = pairs[0]
    more = f" ({len(pairs) - 1:,} more such pairs)" if len(pairs) > 1 else ""
    return (
        f"{spelt(one, other)} and {spelt(other, one)} look alike and are two{more}: they differ in spaces or in how "
        "letters are composed; write one of them everywhere where one is meant"
    )


def _meant(missing: str, known: Iterable[str]) -> str:
    """The known id that looks the same, and how the two differ."""
    decimal = missing.removesuffix(".0")
    plain, alike = _plain(missing), None
    bare = missing.lstrip("0") if missing.isdecimal() else ""
    for each in known:
        if each == decimal:
            return f"; {shown(each)} is: {shown(missing)} is that number with decimals, so save it as a whole number"
        if bare and each.isdecimal() and each.lstrip("0") == bare:
            return f"; {shown(each)} is: zeros before a number get lost in spreadsheets; keep ids as text in all files"
        if alike is None and len(each) <= 4 * len(missing) and _plain(each) == plain:
            alike = each
    if alike is None:
        return ""
    composed = unicodedata.normalize("NFC", alike) == unicodedata.normalize("NFC", missing)
    why = (
        "these are the same letters, composed and decomposed; bring all files to one form, such as Unicode NFC"
        if composed
        else "the two look alike; write one of them everywhere"
    )
    return f"; it is written {spelt(missing, alike)} here and {spelt(alike, missing)} there: {why}"


def _plain(text: str) -> str:
    """What a reader sees of an id: one form for letters, and neither case, spaces nor invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign) not in ("Cf", "Zs", "Cc"))
