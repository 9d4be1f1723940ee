"""Reads dialogues about items, in the form in which iEvaLM prepared ReDial's.

A directory holds two files. `id2info.json` is id -> what is known of an item: `name`, lists of words (`genre`, `star`),
which a system may ask about, and texts (`plot`). `turns.jsonl` has one line per turn in which items were recommended:

    {"dialog_id": "7", "turn_id": 3, "context": ["Hi, I want ...", "What ...?", "One with ..."], "rec": ["Flavia"]}

`context` is what was said before, the seeker's words first and then in turn; `rec` are the names of the items that were
recommended next: the turn's targets. Other keys are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import DataError, UnreadableReply, shown
from groundlings.environments.replies import read_plain_json

ITEMS, TURNS = "id2info.json", "turns.jsonl"

_ID = ""
"""The key under which an item's id joins what is known of it."""

Fields = Mapping[str, tuple[tuple[str, ...], ...]]
"""Name of a list of words -> the words of each item."""

_ESCAPED_HALF, _HALF = re.compile(r"\\ud", re.IGNORECASE), re.compile("[\ud800-\udfff]")
"""What JSON may be whose texts hold half a character, and the half itself."""

_YEAR = re.compile(r"(?P<title>.*\S)\s*\((?P<year>\d{4})\)")


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment of a dialogue.

    Attributes:
        dialogue: Row of the dialogue.
        number: As the file has it.
        context: What was said before, the seeker's words first and then in turn.
        targets: Rows of the items that were recommended next, each once.
    """

    dialogue: int
    number: int
    context: tuple[str, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Dialogues:
    """What was said, and what about.

    Attributes:
        catalog: The items; the texts hold all that is known of an item.
        names: Of the items, as dialogues have them, each once.
        fields: Name of a list of words -> the words of each item.
        ids: Of the dialogues, in the order of the file.
        turns: In the order of the file.
        namesakes: Items that were left out, because an earlier one has their name.
        unknown: Targets that were left out, because no item has their name.
    """

    catalog: Catalog
    names: tuple[str, ...]
    fields: Fields
    ids: tuple[str, ...]
    turns: tuple[Turn, ...]
    namesakes: int
    unknown: int


def read_dialogues(directory: Path) -> Dialogues:
    """The dialogues of a directory.

    Raises:
        DataError: A file is missing, or says something impossible.
    """
    known, namesakes = _known(directory / ITEMS)
    rows = {name: row for row, name in enumerate(known)}
    fields = _fields(known, directory / ITEMS)
    ids: dict[str, int] = {}
    turns, unknown, stands = [], 0, dict[tuple[int, int], int]()
    file = directory / TURNS
    text = _text(file)
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):  # texts hold other ends
        where = f"{file}, line {number}"
        found = _json(line, where)
        named = dict.fromkeys(_words(found, "rec", where))
        targets = tuple(rows[name] for name in named if name in rows)
        unknown += len(named) - len(targets)
        dialogue = ids.setdefault(str(_cell(found, "dialog_id", where, (str, int))), len(ids))
        turn = _cell(found, "turn_id", where, (int,))
        if (first := stands.setdefault((dialogue, turn), number)) < number:
            raise DataError(f"{where}: found turn {turn} of its dialogue, as in line {first}; expected each turn once")
        turns.append(Turn(dialogue, turn, _words(found, "context", where), targets))
    if not turns:
        raise DataError(f"{file}: found no line; expected one per turn in which something was recommended")
    return Dialogues(_catalog(known, fields), tuple(known), fields, tuple(ids), tuple(turns), namesakes, unknown)


def _known(file: Path) -> tuple[dict[str, Mapping[str, Any]], int]:
    """Name -> what is known of the item, its id among it; of items of one name the first. And how many were not."""
    found = _json(_text(file), str(file))
    if not isinstance(found, dict) or not found:
        raise DataError(f"{file}: found {shown(found)}; expected id -> what is known of an item")
    known: dict[str, Mapping[str, Any]] = {}
    for item_id, cells in found.items():
        where = f"{file}, item {shown(item_id)}"
        name = _cell(cells, "name", where, (str,))
        if not name.strip():
            raise DataError(f"{where}, name: found {shown(name)}; expected what dialogues call it")
        known.setdefault(name, {**cells, _ID: item_id})
    return known, len(found) - len(known)


def _fields(known: Mapping[str, Mapping[str, Any]], file: Path) -> Fields:
    listed = dict.fromkeys(key for cells in known.values() for key, cell in cells.items() if isinstance(cell, list))
    return {
        key: tuple(
            _words(cells, key, f"{file}, {shown(name)}") if key in cells else () for name, cells in known.items()
        )
        for key in listed
    }


def _catalog(known: Mapping[str, Mapping[str, Any]], fields: Fields) -> Catalog:
    """Titles without their years; texts of all prose and all words, so that search finds them."""
    named = [_YEAR.fullmatch(name) for name in known]
    prose = dict.fromkeys(
        key
        for cells in known.values()
        for key, cell in cells.items()
        if key not in ("name", _ID) and isinstance(cell, str) and " " in cell.strip()
    )
    texts = [
        " ".join(
            [
                *(cells[key] for key in prose if isinstance(cells.get(key), str)),
                *(word for words in fields.values() for word in words[row]),
            ]
        )
        for row, cells in enumerate(known.values())
    ]
    return Catalog(
        item_ids=tuple(cells[_ID] for cells in known.values()),
        titles=tuple(part["title"] if part else name for part, name in zip(named, known, strict=True)),
        years=np.array([float(part["year"]) if part else np.nan for part in named]),
        genres=((),) * len(known),
        texts=tuple(text or None for text in texts),
    )


def _text(file: Path) -> str:
    try:
        return bounded_text(file)
    except OSError as fault:
        raise DataError(
            f"{file}: found no file ({fault.strerror}); expected dialogues: {ITEMS} and {TURNS}, see docs/dialogues.md"
        ) from None
    except UnicodeDecodeError:
        raise DataError(f"{file}: found what is not UTF-8; expected JSON in UTF-8, see docs/dialogues.md") from None
    except ValueError as fault:
        raise DataError(f"{file}: {fault}") from None


def _json(text: str, where: str) -> Any:
    try:
        found = read_plain_json(text)
    except UnreadableReply as fault:
        raise DataError(f"{where}: found no JSON ({fault})") from None
    if _ESCAPED_HALF.search(text) and _HALF.search(json.dumps(found, ensure_ascii=False)):
        raise DataError(f"{where}: found half a character (\\ud800 to \\udfff without the other half); expected text")
    return found


def _cell(found: Any, key: str, where: str, kinds: tuple[type, ...]) -> Any:
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise DataError(f"{where}, {key}: found {shown(value)}; expected {expected}")
    return value


def _words(found: Any, key: str, where: str) -> tuple[str, ...]:
    words = _cell(found, key, where, (list,))
    if not all(isinstance(word, str) for word in words):
        raise DataError(f"{where}, {key}: found {shown(words)}; expected a list of texts")
    return tuple(words)
