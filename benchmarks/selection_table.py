"""Figures of trainings that differ in the moments they learned from, for the same people, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.cli.intervals import ends
from groundlings.experiments.labs.fidelity.people import mean_by_person
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.fidelity.thresholds import list_auc
from groundlings.experiments.labs.resampling import Resamples, interval, pooled
from groundlings.experiments.labs.train_mind.config import ExamplesConfig
from groundlings.experiments.labs.train_mind.scoring import Scores
from groundlings.experiments.labs.train_mind.table import hits

WAYS: tuple[str, ...] = get_args(ExamplesConfig.model_fields["choose"].annotation)
FIVE, LISTS = "test five", "test lists"
AUC, TOP_1 = "list AUC", "top-1"
ALL = "all"


@dataclass(frozen=True)
class Arm:
    """One training: a way of choosing, and which draw of moments."""

    way: str
    draw: int

    @property
    def name(self) -> str:
        """Such as "hard-1"."""
        return f"{self.way}-{self.draw}"


class Comparison:
    """Figures of scorers on the same people and resamples.

    Args:
        groups: What was asked.
        times: Resamples of people.
        chance: Random numbers of the resamples.
    """

    def __init__(self, groups: Mapping[str, Scenes], times: int, chance: np.random.Generator) -> None:
        self._groups, self._people = groups, np.unique(groups[FIVE].users)
        self._resamples = Resamples.draw(len(self._people), times, chance)

    @property
    def n_people(self) -> int:
        """How many people are asked about."""
        return len(self._people)

    def by_person(self, scores: Scores) -> dict[str, FloatArray]:
        """Figure -> its value for each person, NaN where an answer could not be read."""
        five, lists = self._groups[FIVE], self._groups[LISTS]
        unread = (np.isnan(scores[LISTS]) & lists.lists.listed).any(axis=1)
        each = {
            AUC: (lists.users, np.where(unread, np.nan, list_auc(scores[LISTS], lists.lists))),
            TOP_1: (five.users, hits(scores[FIVE], five)),
        }
        return {figure: self._of_people(users, values) for figure, (users, values) in each.items()}

    def _of_people(self, users: IntArray, values: FloatArray) -> FloatArray:
        known = ~np.isnan(values)
        return mean_by_person(users[known], values[known], self._people)

    def mean(self, draws: Sequence[FloatArray]) -> str:
        """The mean over people and then over draws, with its interval.

        Args:
            draws: One value per person, of each draw.
        """
        everybody = np.ones(len(self._people), dtype=np.bool_)
        found = pooled([self._resamples.mean(values, everybody) for values in draws])
        return ends(None if np.isnan(found[0]) else float(found[0]), *interval(found))


def print_table(
    comparison: Comparison,
    told: Mapping[Arm, dict[str, Any]],
    others: Mapping[str, Scores],
    draws: int,
) -> None:
    """Print the figures of all scorers.

    Args:
        comparison: Of the people who were asked about.
        told: What the model of each training said, and what it learned from.
        others: Scorers that learned from no moment.
        draws: Trainings for each way of choosing.
    """
    title = f"{comparison.n_people} people, a list and a choice among five each"
    table = Table(title=title, title_justify="left")
    for column in ("scorer", "people", "items", "difficulty", "last losses", AUC, "less all", TOP_1, "less all"):
        table.add_column(column)
    measured: dict[Arm | str, dict[str, FloatArray]] = {}
    for name, scores in others.items():
        measured[name] = comparison.by_person(scores)
    for arm, each in told.items():
        measured[arm] = comparison.by_person(each["scores"])
    for name in others:
        table.add_row(name, *[""] * 4, *_cells(comparison, measured, [name], [Arm(ALL, 1)]))
    for arm, each in told.items():
        chosen, last = each["selection"], each["training"]["last"]
        learned = (str(each["people"]), str(chosen["items"]), f"{chosen['difficulty_taken']:.2f}", f"{last:.2f}")
        less = [] if arm.way == ALL else [Arm(ALL, arm.draw)]
        table.add_row(arm.name, *learned, *_cells(comparison, measured, [arm], less))
    for way in WAYS if draws > 1 else ():
        own, less = ([Arm(each, draw) for draw in range(1, draws + 1)] for each in (way, ALL))
        table.add_row(f"{way}, mean", *[""] * 4, *_cells(comparison, measured, own, [] if way == ALL else less))
    for arm in told:
        if arm.way == ALL and arm.draw > 1:
            _, auc, _, top_1 = _cells(comparison, measured, [arm], [Arm(ALL, 1)])
            table.add_row(f"{arm.name} less {ALL}-1", *[""] * 5, auc, "", top_1)
    Console(width=200).print(table)


def _cells(
    comparison: Comparison,
    measured: Mapping[Arm | str, Mapping[str, FloatArray]],
    scorers: Sequence[Arm | str],
    less: Sequence[Arm | str],
) -> list[str]:
    """The list AUC and top-1 of some scorers, each followed by its difference to others, one for one, where given."""
    cells = []
    for figure in (AUC, TOP_1):
        own, base = ([measured[each][figure] for each in some] for some in (scorers, less))
        differences = [one - other for one, other in zip(own, base, strict=False)]
        cells += [comparison.mean(own), comparison.mean(differences) if less else ""]
    return cells
