"""Reads search sessions: a plain table, or the JSON in which the sessions of THUIR's KDD 2019 study are at hand.

The table is a CSV file with a heading and one row per result, rows of a page together and from the top down:

    user, session, query_number, query, rank, title, snippet, clicked   and, if known, task

`query_number` and `rank` count from 1; `clicked` is 1 or 0. The JSON is person -> task -> pages, each with `query` and
`SERP`, a list of results with `title`, `snippet` and `click` (1 or 0); a task is one session.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from groundlings.environments.errors import DataError, UnreadableReply, in_words, shown
from groundlings.environments.replies import read_plain_json
from groundlings.experiments.labs.search_sessions.log import LoggedPage, SearchLog

COLUMNS = ("user", "session", "query_number", "query", "rank", "title", "snippet", "clicked")
"""Columns that the table must have."""


def read_search_log(path: Path) -> SearchLog:
    """Read a log; a name that ends with `.json` is JSON, any other file a table.

    Raises:
        DataError: The file is missing, or says something impossible.
    """
    is_json = path.suffix.lower() == ".json"
    try:
        if is_json:
            return SearchLog.of([*_of_json(read_plain_json(path.read_text(encoding="utf-8-sig")))])
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return SearchLog.of([*_of_table(csv.DictReader(lines, strict=True))])
    except OSError as fault:
        raise DataError(f"{path}: {fault.strerror or fault}; name a file of search sessions") from fault
    except (UnicodeDecodeError, UnreadableReply, csv.Error) as fault:
        kind = "JSON" if is_json else "a table in CSV"
        raise DataError(f"{path}: found what is not {kind} in UTF-8 ({in_words(fault)}); see docs/search.md") from fault
    except DataError as fault:
        raise DataError(f"{path}: {fault}") from fault


def _of_json(content: Any) -> Iterator[LoggedPage]:
    for person, tasks in _mapping(content, "the file", "person -> task -> pages").items():
        for task, pages in _mapping(tasks, f"person {shown(person)}", "task -> pages").items():
            where = f"person {shown(person)}, task {shown(task)}"
            for number, page in enumerate(_list(pages, where), 1):
                place = f"{where}, page {number}"
                found = _list(_field(page, "SERP", place), f"{place}, SERP")
                results = tuple((_text(each, "title", place), _text(each, "snippet", place)) for each in found)
                clicks = tuple(_flag(_field(each, "click", place), f"{place}, click") for each in found)
                yield LoggedPage(person, task, task, _text(page, "query", place), results, clicks)


def _of_table(rows: csv.DictReader[str]) -> Iterator[LoggedPage]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise DataError(f"columns: found no {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    if twice := [name for name, times in Counter(rows.fieldnames or ()).items() if times > 1]:
        raise DataError(f"columns: found {twice[0]} more than once; expected each once, or nobody knows which is meant")
    numbered = ((rows.line_num, row) for row in rows)
    before: tuple[str, str] | None = None
    expected = 1
    for (user, session, number), group in groupby(
        numbered, key=lambda each: (each[1]["user"], each[1]["session"], each[1]["query_number"])
    ):
        lines = list(group)
        where = f"line {lines[0][0]}"
        for name, cell in (("user", user), ("session", session)):
            if not cell:
                raise DataError(f"{where}, {name}: found nothing; expected whose page it is")
        expected = 1 if (user, session) != before else expected + 1
        before = user, session
        if number != str(expected):
            raise DataError(f"{where}: found query_number {shown(number)}; expected {expected}, pages in their order")
        for rank, (line, row) in enumerate(lines, 1):
            if None in row or None in row.values():
                raise DataError(f"line {line}: found another number of cells than in the heading")
            if row["rank"] != str(rank):
                raise DataError(f"line {line}: found rank {shown(row['rank'])}; expected {rank}, results from the top")
            if row["query"] != lines[0][1]["query"]:
                raise DataError(f"line {line}: found another query than in {where}; expected one per page")
        yield LoggedPage(
            user,
            session,
            lines[0][1].get("task") or "",
            lines[0][1]["query"],
            tuple((row["title"], row["snippet"]) for _, row in lines),
            tuple(_flag(row["clicked"], f"line {line}, clicked") for line, row in lines),
        )


def _mapping(value: Any, where: str, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: found {shown(value)}; expected a mapping {expected}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{where}: found {shown(value)}; expected a list")
    return value


def _field(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise DataError(f"{where}: found no {name}; expected one")
    return value[name]


def _text(value: Any, name: str, where: str) -> str:
    text = _field(value, name, where)
    if not isinstance(text, str):
        raise DataError(f"{where}, {name}: found {shown(text)}; expected text")
    return text


def _flag(value: object, where: str) -> bool:
    if value not in (0, 1, "0", "1"):
        raise DataError(f"{where}: found {shown(value)}; expected 1 for a click and 0 for none")
    return value in (1, "1")
