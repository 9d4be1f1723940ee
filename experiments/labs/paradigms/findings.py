"""What the comparison found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from groundlings.experiments.analysis.compare import Difference, Estimate


@dataclass(frozen=True, slots=True)
class Column:
    """A figure that every arm has.

    Attributes:
        name: In CSV and JSON.
        label: In tables.
        definition: What it is, with its denominator.
        part: The table that it stands in: "users", "lists" or "fairness".
        decimals: Written.
        missing: Why it is not known, "" where it is.
    """

    name: str
    label: str
    definition: str
    part: str
    decimals: int = 3
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one arm.

    Attributes:
        value: With its interval.
        difference: To the first arm; None for the first arm itself, and where none is formed.
    """

    value: Estimate
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What an arm's recommender asked of its language model, learning included; replies from a record took nothing.

    Attributes:
        calls: Asked and answered.
        learning: How many of them were asked in order to learn, for no list of their own.
        pages: That the arm showed.
        prompt_tokens, completion_tokens: As counted by the server.
        estimated_calls: Calls whose tokens are estimates, because the server told none.
        money: None where the experiment file says no prices.
        seconds: "p50", "p90", "p99" of a call; empty without any, and where agents ask a model as well.
        hallucinated, names: Names in readable replies that fit no candidate, and all names in them; None where
            recommenders of this kind are not counted so.
        lessons, lost_lessons: Questions asked in order to learn, those answered from a record included, and those of
            them without a reply that could be read, which taught nothing.
    """

    calls: int
    learning: int
    pages: int
    prompt_tokens: int
    completion_tokens: int
    estimated_calls: int
    money: float | None
    seconds: Mapping[str, float]
    hallucinated: int | None = None
    names: int | None = None
    lessons: int = 0
    lost_lessons: int = 0

    def per_page(self, number: float) -> float | None:
        """A total of the arm per page shown, learning shared out among all pages; None without a page."""
        return number / self.pages if self.pages else None

    @property
    def hallucination_rate(self) -> float | None:
        """Hallucinated names per name; None where there is none."""
        return None if self.hallucinated is None or not self.names else self.hallucinated / self.names


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """A figure of one group of users or items in one arm.

    Attributes:
        arm, grouping, group: Whose.
        of: "users" or "items".
        figure: What is measured.
        value: With its interval.
        beside: What an even treatment would give: for a group of items its share of real interactions; None for users.
    """

    arm: str
    of: str
    grouping: str
    group: str
    figure: str
    value: Estimate
    beside: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One arm.

    Attributes:
        name, recommender: As in the experiment file.
        paradigm: See `kinds`.
        bound: True where it saw the hidden preference: a bound, not a competitor.
        figures: Name of a column -> figure; absent where it is not known.
        cost: Of its language model.
    """

    name: str
    recommender: str
    paradigm: str
    bound: bool
    figures: Mapping[str, Figure]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Findings:
    """The comparison.

    Attributes:
        experiment: Its name.
        dataset, mind: Whose users they are, and by which mind they decide.
        agents, days: Of the run.
        models: The language models that recommenders ask; () where none does.
        columns: In the order of tables.
        rows: In the order of the experiment file; every difference is to the first one.
        groups: Of users and items.
        fewest: Agents that a group of users needs to be shown.
    """

    experiment: str
    dataset: str
    mind: str
    agents: int
    days: int
    models: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    groups: tuple[GroupFigure, ...] = ()
    fewest: int = 0

    @property
    def baseline(self) -> str:
        """The arm that others are compared with."""
        return self.rows[0].name

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
