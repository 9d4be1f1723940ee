"""The comparison as tables of words, for terminal and page, and as rows for CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import StringIO

from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.report.formatting import NOT_KNOWN, count, decimal, plural, signed
from groundlings.experiments.archive.tables import LineFeeds
from groundlings.experiments.labs.paradigms.findings import Column, Cost, Figure, Findings, Row

PARTS = {
    "users": "What users did, and what the real ones chose later",
    "lists": "What was shown",
    "fairness": "Whether active users are served better",
    "cost": "What it costs",
}


COSTS = {
    "calls": "Questions to the arm's language model that were answered. One that the arm had put before is answered "
    "from its record and not counted. Whatever stands per page is divided by all pages that the arm showed, learning "
    "included.",
    "of them to learn": "Questions that no list rests on directly: what the recommender learnt by before a day.",
    "money": "By the prices in the experiment file, key arms[].model.budget.prices.",
    "hallucinated names": "Names in readable replies that fit no item the model was to name, of all names in them; n/a "
    "where replies name nothing.",
}
"""Heading of the table of costs -> what it counts."""

FEWEST_CLEAR = 20
"""Users behind a difference that is called clear: of fewer, one decides, and intervals miss the truth too often."""


@dataclass(frozen=True, slots=True)
class TableOfWords:
    """One table.

    Attributes:
        part, title: Which.
        headings: Of its columns, the arm's name first.
        rows: Cells as text.
        missing: Labels of figures that are not known, with the reason; those of one reason together.
    """

    part: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    missing: tuple[str, ...] = ()


def tables_of(findings: Findings) -> tuple[TableOfWords, ...]:
    """The tables, in the order of `PARTS`."""
    return (*(_of_part(findings, part) for part in PARTS if part != "cost"), _of_cost(findings))


def _of_part(findings: Findings, part: str) -> TableOfWords:
    columns = [column for column in findings.columns if column.part == part]
    known = [column for column in columns if not column.missing]
    first = ("arm", "paradigm") if part == "users" else ("arm",)
    rows = tuple(
        (_name(row), *((_paradigm(row),) if part == "users" else ()), *(_cell(row, column) for column in known))
        for row in findings.rows
    )
    reasons = dict.fromkeys(column.missing for column in columns if column.missing)
    missing = tuple(
        f"{', '.join(column.label for column in columns if column.missing == reason)}: {reason}" for reason in reasons
    )
    headings = (*first, *(column.label for column in known))
    return TableOfWords(part, PARTS[part], headings, rows if known else (), missing)


def _of_cost(findings: Findings) -> TableOfWords:
    headings = (
        "arm", "calls", "of them to learn", "calls per page", "tokens in per page", "tokens out per page", "money",
        "seconds per call, median", "hallucinated names",
    )  # fmt: skip
    return TableOfWords(
        "cost", PARTS["cost"], headings, tuple((_name(row), *_costs(row.cost)) for row in findings.rows)
    )


def _costs(cost: Cost) -> Sequence[str]:
    lost = f" ({cost.lost_lessons:,} of {cost.lessons:,} lost)" if cost.lost_lessons else ""
    if not cost.calls:
        return ("0", f"0{lost}", *("0",) * 4, NOT_KNOWN, NOT_KNOWN)
    rate = cost.hallucination_rate
    estimated = " (estimated)" if cost.estimated_calls else ""
    return (
        count(cost.calls),
        count(cost.learning) + lost,
        decimal(cost.per_page(cost.calls), 2),
        decimal(cost.per_page(cost.prompt_tokens), 0) + estimated,
        decimal(cost.per_page(cost.completion_tokens), 0) + estimated,
        "no prices given" if cost.money is None else decimal(cost.money, 4),
        decimal(cost.seconds.get("p50"), 2) if cost.seconds else NOT_KNOWN,
        NOT_KNOWN if rate is None else f"{100 * rate:.1f} % of {cost.names:,}",
    )


def _name(row: Row) -> str:
    return f"{row.name} (bound)" if row.bound else row.name


def _paradigm(row: Row) -> str:
    """Its paradigm, and its recommender where the arm has another name."""
    return row.paradigm if row.name == row.recommender else f"{row.paradigm} ({row.recommender})"


def _cell(row: Row, column: Column) -> str:
    figure = row.figures.get(column.name)
    if figure is None or figure.value.mean is None:
        return NOT_KNOWN
    text = decimal(figure.value.mean, column.decimals) + _ends(figure.value, column.decimals)
    gap = figure.difference
    if gap is None or gap.difference is None:
        return text
    return f"{text}; {signed(gap.difference, column.decimals)}{_ends(gap, column.decimals)}"


def _ends(found: Estimate | Difference, decimals: int) -> str:
    if found.low is None or found.high is None:
        return ""
    write = signed if isinstance(found, Difference) else decimal
    return f" [{write(found.low, decimals)}, {write(found.high, decimals)}]"


def setting(findings: Findings) -> str:
    """What was held side by side, in words."""
    arms, users, days = plural(len(findings.rows), "arm"), plural(findings.agents, "user"), plural(findings.days, "day")
    asked = f"Recommenders asked {_listed(findings.models)}." if findings.models else "No recommender asked a model."
    bounds = [row.name for row in findings.rows if row.bound]
    known = f" {_listed(bounds)}: a bound, ranked by what users like; no recommender knows it." if bounds else ""
    return (
        f"{arms} before {users} of {findings.dataset}, simulated for {days}; they decide by the {findings.mind} mind. "
        f"Every difference is to {findings.baseline}, the first arm. {asked}{known}"
    )


def answer(findings: Findings) -> tuple[str, str]:
    """A word or two, and what is said: in which arms the first outcome, and the held-out part, clearly differ."""
    column = next((each for each in findings.columns if each.part == "users" and not each.missing), None)
    if column is None:
        return "Not known", "No outcome could be measured."
    better, said = _clear(findings, column)
    among = sum(not row.bound for row in findings.rows) - 1
    sentence = f"By {_in_a_sentence(column)} of {plural(findings.agents, 'simulated user')}, {said}."
    held_out = next((each for each in findings.columns if each.name.startswith("ndcg") and not each.missing), None)
    if held_out is not None:
        # What real users chose may contradict what simulated ones did, so it stands beside it.
        sentence += (
            f" By what the real users behind them chose later ({held_out.label}), {_clear(findings, held_out)[1]}."
        )
    others = "One other arm is" if among == 1 else f"{among} other arms are"
    sentence += f" {others} compared with {findings.baseline} by 95 % intervals, not adjusted for their number."
    return "Yes" if better else "No clear winner", sentence


def _in_a_sentence(column: Column) -> str:
    """Its label within a sentence; one that begins with an abbreviation stays as it is."""
    return column.label if column.label[1:2].isupper() else f"{column.label[:1].lower()}{column.label[1:]}"


def is_clear(found: Difference | None) -> bool:
    """Whether a difference excludes zero, over enough users for its interval to be believed."""
    return found is not None and found.excludes_zero and found.n >= FEWEST_CLEAR


def _clear(findings: Findings, column: Column) -> tuple[list[str], str]:
    """The arms that are clearly higher than the first one in a figure, and all that is clear in words."""
    better: list[str] = []
    worse: list[str] = []
    differences = [(row, figure.difference) for row in findings.rows if (figure := row.figures.get(column.name))]
    most = max((found.n for _, found in differences if found is not None), default=0)
    if most < FEWEST_CLEAR:
        are = "is" if most == 1 else "are"
        return [], f"{plural(most, 'user')} {are} too few to say which arm is better ({FEWEST_CLEAR} at least)"
    for row, found in differences:
        if row.bound or not is_clear(found):
            continue
        (better if found is not None and (found.difference or 0) > 0 else worse).append(row.name)
    words = [
        f"{_listed(names)} {'is' if len(names) == 1 else 'are'} clearly {than}"
        for names, than in ((better, f"better than {findings.baseline}"), (worse, "worse"))
        if names
    ]
    if not better:
        words.insert(0, f"no arm is clearly better than {findings.baseline}")
    return better, ", ".join(words)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def csv_of_arms(findings: Findings) -> str:
    """One row per arm: each figure with its interval, its difference to the first arm and the agents behind it."""
    rows = [_csv_row(findings, row) for row in findings.rows]
    return _csv(rows, list(rows[0]))


def csv_of_groups(findings: Findings) -> str:
    """One row per arm, figure and group of users or items."""
    names = ["arm", "of", "grouping", "group", "figure", "mean", "low", "high", "n", "share_of_interactions"]
    rows: list[dict[str, object]] = [
        {
            "arm": each.arm, "of": each.of, "grouping": each.grouping, "group": each.group, "figure": each.figure,
            "mean": each.value.mean, "low": each.value.low, "high": each.value.high, "n": each.value.n,
            "share_of_interactions": each.beside,
        }
        for each in findings.groups
    ]  # fmt: skip
    return _csv(rows, names)


def _csv_row(findings: Findings, row: Row) -> dict[str, object]:
    cells: dict[str, object] = {"arm": row.name, "recommender": row.recommender, "paradigm": row.paradigm,
                                "bound": row.bound}  # fmt: skip
    for column in findings.columns:
        figure = row.figures.get(column.name) or Figure(Estimate(None, None, None, None, 0, 0))
        value, gap = figure.value, figure.difference
        cells |= {column.name: value.mean, f"{column.name}_low": value.low, f"{column.name}_high": value.high,
                  f"{column.name}_n": value.n}  # fmt: skip
        for end in ("difference", "low", "high"):
            name = f"{column.name}_difference" if end == "difference" else f"{column.name}_difference_{end}"
            cells[name] = None if gap is None else getattr(gap, end)
    cost = {name: cell for name, cell in asdict(row.cost).items() if name != "seconds"}
    return cells | cost | {f"seconds_{name}": row.cost.seconds.get(name) for name in ("p50", "p90", "p99")}


def _csv(rows: Sequence[dict[str, object]], names: Sequence[str]) -> str:
    text = StringIO(newline="")
    writer = csv.DictWriter(LineFeeds(text), names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
