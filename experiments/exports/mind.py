"""The files of the MIND news set: `<arm>/behaviors.tsv`, a line a page, and `<arm>/news.tsv`.

The history of a line is what the simulated person opened in this run before that page, oldest first. Their real
history is not part of a log, so it is not here either.

Reference: Wu et al. 2020, "MIND: a large-scale dataset for news recommendation".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from groundlings.environments.errors import DataError
from groundlings.environments.words import plural
from groundlings.experiments.exports.registry import Ahead, Written
from groundlings.experiments.exports.source import KNOWN, Arm, LoggedItem, LogSource, Row
from groundlings.experiments.exports.text import ArmTables, one_line


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    items = source.items()
    _check_ids(item.source_id for item in items)
    opened: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    with ArmTables(directory, source.arms, "behaviors.tsv", "\t") as behaviours:
        for number, (arm, page) in enumerate(_pages(source), start=1):
            _, user, when, _, _, _ = page[0]
            before = opened[arm.arm_id, user]
            shown = " ".join(f"{item}-{int(clicked)}" for *_, item, clicked in page)
            behaviours.write(arm, [(number, f"sim-{user}", _time(when), " ".join(before), shown)])
            before += [item for *_, item, clicked in page if clicked]
    with ArmTables(directory, source.arms, "news.tsv", "\t") as news:
        for arm in source.arms:
            news.write(arm, map(_news, items))
    changed = sum(any(one_line(text) != text for text in (item.title, *item.genres)) for item in items)
    notes = [
        "Category is the first genre, subcategory the others joined by |; abstracts, addresses and entities are empty.",
        "Impression ids count the pages of the whole export.",
    ]
    if changed:
        notes.append(
            f"{plural(changed, 'item has', 'items have')} a title or genre that held a tab, a line break or doubled "
            "blanks, written as one blank."
        )
    return Written(behaviours.rows | news.rows, tuple(notes))


def _pages(source: LogSource) -> Iterator[tuple[Arm, list[Row]]]:
    """The known slots of each page, in the order of happening; a page may stretch over two chunks."""
    columns = ("session_id", "user_id", "timestamp", "page", "item_id", "clicked")
    rows = ((arm, row) for arm, chunk in source.impressions(columns, KNOWN) for row in chunk)
    for _, group in groupby(rows, key=lambda pair: (pair[1][0], pair[1][3])):
        found = list(group)
        yield found[0][0], [row for _, row in found]


def check(ahead: Ahead) -> None:
    """See `registry.Format.check`."""
    _check_ids(ahead.items)


def _check_ids(ids: Iterable[str]) -> None:
    for each in ids:
        if "-" in each or len(each.split()) != 1:
            raise DataError(
                f"behaviors.tsv: the item id {each!r} holds a blank or a '-', which separate ids and labels "
                "in this format; export to parquet, or change the id in the data"
            )


def _news(item: LoggedItem) -> tuple[str, ...]:
    category, *others = [one_line(genre) for genre in item.genres] or [""]
    return item.source_id, category, "|".join(others), one_line(item.title), "", "", "[]", "[]"


def _time(seconds: int) -> str:
    """As in MIND: 11/15/2019 8:55:22 AM, here UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
