"""The findings in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table

from groundlings.environments.words import plural
from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, decimal, signed
from groundlings.experiments.labs.dialogues.figures import AMONG, Row
from groundlings.experiments.labs.dialogues.lab import Findings
from groundlings.experiments.labs.dialogues.seekers import BY_MODEL, LEAKY
from groundlings.experiments.labs.resampling import Figure, Interval
from groundlings.experiments.terminal import escape


def print_findings(findings: Findings, console: Console) -> None:
    """What was left out, a table per seeker, and what leaks are worth."""
    _print_leaks(findings, console)
    for seeker in dict.fromkeys(row.seeker for row in findings.rows):
        rows = [row for row in findings.rows if row.seeker == seeker]
        console.print(_recall(_title(seeker), rows))
        for line in _counts(rows):
            console.print(line)
    if findings.worths:
        console.print(_worths(findings))


def _print_leaks(findings: Findings, console: Console) -> None:
    leaks = findings.leaks
    by_title, within = (count / max(leaks.targets, 1) for count in (leaks.by_title, leaks.within_words))
    console.print(
        f"{plural(leaks.targets, 'target')} in {plural(leaks.turns, 'turn')} of "
        f"{plural(findings.dialogues, 'dialogue')}, {plural(findings.items, 'item')}."
    )
    console.print(
        f"left out  {plural(leaks.by_title, 'target')} ({by_title:.1%}) whose title the dialogue names before, "
        f"{leaks.with_year:,} of them as items are called; with titles within other words they would be "
        f"{leaks.within_words:,} ({within:.1%}). {plural(leaks.emptied, 'turn has', 'turns have')} no target left"
    )
    for count, what in (
        (findings.unknown, "targets that no item is called"),
        (findings.namesakes, "items that are called as one before them"),
    ):
        if count:
            console.print(f"left out  {count:,} {what}")
    console.print(
        f"judged    {plural(findings.targets, 'target')} in {plural(findings.turns, 'turn')} of "
        f"{plural(findings.judged, 'dialogue')}; 95 % intervals over dialogues. Asked about, in this order: "
        f"{escape(', '.join(findings.ask)) or 'nothing, for items have no list of words'}."
    )
    if findings.model:
        console.print(f"model     {escape(findings.model)}")


def _title(seeker: str) -> str:
    kind = "LEAKY: it knows its target" if seeker in LEAKY else "no leak: at no time does it know its target"
    return f"{seeker} ({kind}{', in the words of a model' if seeker in BY_MODEL else ''})"


def _recall(title: str, rows: Sequence[Row]) -> Table:
    headings = [f"Recall@{most}" for most in AMONG]
    table = _table(title, "round", *headings, f"@{AMONG[1]} over popular")
    for row in rows:
        for (recall, gain), group in groupby(row.rounds, key=lambda each: (each.recall, each.over_popular[1])):
            numbers = [each.number for each in group]
            table.add_row(
                escape(row.system) if numbers[0] == 1 else "",
                str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}",
                *map(_with_ends, recall),
                _with_ends(gain, gain=True),
            )
    return table


def _counts(rows: Sequence[Row]) -> list[str]:
    """What is to be known of the conversations besides recall."""
    accepted = ", ".join(f"{escape(row.system)} {row.accepted:.1%}{_percents(row.accepted_ends)}" for row in rows)
    answers, naming = sum(row.answers for row in rows), sum(row.naming for row in rows)
    lines = [f"ended with a target listed: {accepted}", f"answers that name a target: {naming:,} of {answers:,}"]
    lost = [f"{escape(row.system)} {row.unreadable:,} of {row.turns:,} conversations" for row in rows if row.unreadable]
    if lost:
        lines.append(f"ended by an answer that could not be read or was refused: {', '.join(lost)}")
    if nothing := ", ".join(escape(row.system) for row in rows if row.nothing_read):
        lines.append(
            f"no answer to {nothing} could be read: rounds after the first, and what the leak is worth, are not known"
        )
    return lines


def _worths(findings: Findings) -> Table:
    headings = [f"Recall@{most}" for most in AMONG]
    table = _table("What the leak is worth, last round", "recommender", *headings)
    for worth in findings.worths:
        table.add_row(
            f"{worth.leaky} less {worth.without}", escape(worth.system), *(_with_ends(e, gain=True) for e in worth.gain)
        )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(title), title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _with_ends(figure: Figure | None, *, gain: bool = False) -> str:
    if figure is None:
        return NOT_KNOWN
    write = signed if gain else decimal
    ends = "" if figure.low is None else f" \\[{write(figure.low, 3)}, {write(figure.high, 3)}]"
    return write(figure.value, 3) + ends


def _percents(found: Interval) -> str:
    low, high = found
    return "" if low is None or high is None else f" \\[{low:.1%}, {high:.1%}]"
