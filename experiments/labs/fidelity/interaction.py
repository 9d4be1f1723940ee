"""Part 1: can the scorer predict which items a user interacts with next?

Each scorer has its own scales (`groundlings.experiments.labs.fidelity.scorers`), and each of these also relative to the
list, which published agents see as a whole: the score less the list's mean; and less the log of the list's summed
exponentials, which for log-odds is, up to a constant, the log of the choice share (Luce 1959, "Individual Choice
Behavior"). The scale is chosen on validation users, for all scorers in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.fidelity.lists import Lists, Negatives, draw_lists
from groundlings.experiments.labs.fidelity.records import Record, Row, compare_rows, target_of, without_flips
from groundlings.experiments.labs.fidelity.scorers import Scorer
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.experiments.labs.fidelity.thresholds import MEASURES, Rule, choose_rule, measure

PART = "interaction"
F1_TARGETS = {1: 0.85, 3: 0.74, 9: 0.60}
READER_F1_TARGETS = {1: 0.885, 3: 0.785, 9: 0.65}
MATCHED_ACCURACY_TARGET = 0.73

Task = tuple[Negatives, int]
Scores = Mapping[Task, Mapping[str, FloatArray]]
"""Task -> scale -> scores of the lists."""


@dataclass(frozen=True)
class Asked:
    """The scores of all lists.

    Attributes:
        test, validation: The lists of both groups of users.
        test_scores, validation_scores: Scorer name -> task -> scale -> scores.
        rules: (scorer, task, measure) -> the rule that was chosen on validation users.
    """

    test: Mapping[Task, Lists]
    validation: Mapping[Task, Lists]
    test_scores: Mapping[str, Scores]
    validation_scores: Mapping[str, Scores]
    rules: Mapping[tuple[str, Task, str], Rule]


def ask_all(stage: Stage, scorers: Sequence[Scorer]) -> Asked:
    """Draw the lists, score them, and choose rules on the validation users."""
    test = draw_lists(stage, stage.testers, "test")
    validation = draw_lists(stage, stage.tuners, "validation")
    test_scores = {scorer.name: ask(scorer, test) for scorer in scorers}
    validation_scores = {scorer.name: ask(scorer, validation) for scorer in scorers}
    rules: dict[tuple[str, Task, str], Rule] = {}
    for scorer in scorers:
        rules |= rules_of(scorer.name, validation_scores[scorer.name], validation, scorer.threshold)
    return Asked(test, validation, test_scores, validation_scores, rules)


def rules_of(
    scorer: str, scores: Scores, lists: Mapping[Task, Lists], fixed: float | None = None
) -> dict[tuple[str, Task, str], Rule]:
    """The rules of one scorer by (scorer, task, measure), chosen on its scores of lists of validation users.

    Args:
        scorer: Its name.
        scores: Task -> scale -> scores.
        lists: Of these tasks and perhaps more.
        fixed: The threshold, if it is not to be chosen.
    """
    return {
        (scorer, task, name): choose_rule(name, dict(tables), lists[task], fixed)
        for task, tables in scores.items()
        for name in MEASURES
    }


def examine_interaction(asked: Asked, scorers: Sequence[Scorer]) -> list[Record]:
    """Records of part 1."""
    records = []
    for task, lists in asked.test.items():
        negatives, ratio = task
        for name, definition in MEASURES.items():
            rows = [
                Row(scorer.name, scorer.kind, _values(asked, scorer.name, task, name, lists))
                for scorer in scorers
                if task in asked.test_scores[scorer.name]
            ]
            found = compare_rows(
                PART, f"{negatives} 1:{ratio}", name, rows, definition=definition, higher_is_better=True
            )
            records += [_with_target(record, task) for record in found]
    return _steady(records)


def _steady(records: list[Record]) -> list[Record]:
    """The records, where a mind's claim on one measure and kind of negatives holds only if no ratio flips its sign."""
    steady = dict(enumerate(records))
    claims: dict[tuple[str, str, str], list[int]] = {}
    for number, record in enumerate(records):
        if record.holds is not None:
            claims.setdefault((record.task.partition(" ")[0], record.metric, record.scorer), []).append(number)
    for numbers in claims.values():
        steady.update(zip(numbers, without_flips([records[number] for number in numbers]), strict=True))
    return list(steady.values())


def _values(asked: Asked, scorer: str, task: Task, name: str, lists: Lists) -> FloatArray:
    rule = asked.rules[scorer, task, name]
    return measure(name, asked.test_scores[scorer][task][rule.scale], lists, rule.threshold)


def _with_target(record: Record, task: Task) -> Record:
    negatives, ratio = task
    if record.kind not in ("mind", "reader"):
        return record
    wanted = F1_TARGETS if record.kind == "mind" else READER_F1_TARGETS
    if record.metric == "f1" and negatives == "uniform" and ratio in wanted:
        return target_of(record, low=wanted[ratio])
    if record.metric == "accuracy" and negatives == "popularity-matched" and ratio == 1:
        return target_of(record, low=MATCHED_ACCURACY_TARGET)
    return record


def ask(scorer: Scorer, lists: Mapping[Task, Lists]) -> Scores:
    """Score all lists of a group of users at once, because scorers score the whole catalog for a block of users."""
    users = next(iter(lists.values())).users
    together = np.concatenate([each.items for each in lists.values()], axis=1)
    edges = np.cumsum([0, *(each.items.shape[1] for each in lists.values())])
    scores = {scale: judge(users, together) for scale, judge in scorer.scales.items()}
    asked = {
        task: {scale: table[:, edges[number] : edges[number + 1]] for scale, table in scores.items()}
        for number, task in enumerate(lists)
    }
    return {task: with_list_scales(tables, lists[task]) for task, tables in asked.items()}


def with_list_scales(scales: Mapping[str, FloatArray], lists: Lists) -> Mapping[str, FloatArray]:
    """Each scale, and relative to the list; a user who was not asked about stays NaN."""
    listed = lists.listed
    size = np.maximum(listed.sum(axis=1, keepdims=True), 1)
    against: dict[str, FloatArray] = {}
    for scale, table in scales.items():
        usual = np.where(listed, table, 0.0).sum(axis=1, keepdims=True) / size
        total = logsumexp(np.where(listed, table, -np.inf), axis=1, keepdims=True)
        against |= {f"{scale}, less the list's mean": table - usual, f"{scale}, share of the list": table - total}
    return {**scales, **against}
