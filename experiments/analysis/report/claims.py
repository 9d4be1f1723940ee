"""What the labs found of the agents as plain claims, each with its place between a trivial rule and real people.

    place = 1 - |value - real| / |trivial - real|

so that 0 is as good as the best trivial rule and 1 is what real people do. Read are the records of `fidelity.json` and
`truth.json` as plain mappings, because both files outlive the code that wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundlings.experiments.analysis.report.formatting import decimal, plural

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of "Can I believe it?".

    Attributes:
        words: What was found, in words that need no glossary.
        beside: What a simple rule and the goal are on the same scale, in words.
        figures: The same with metric, interval, rival and goal.
        standing: How it stands to its goal, or without one to the simple rule.
        good: Whether the goal is met and no simple rule comes nearer, or without a goal the rule is clearly beaten.
        place: Between the trivial rule (0) and real people (1), at least -0.1 and at most 1.
        low, high: Ends of its interval on the same scale; None without one.
        goal: Of the goal on the same scale; None without one.
    """

    words: str
    beside: str
    figures: str
    standing: str
    good: bool
    place: float
    low: float | None
    high: float | None
    goal: float | None


@dataclass(frozen=True, slots=True)
class _Ask:
    """A record that is told, and in which words.

    Attributes:
        part, task, metric: As in the records; a task that ends in "*" is any that begins so.
        words: With "{value}", a share in 100 or, where `points`, a plain figure.
        real: What real people would give.
        guess: What guessing gives, where the record has no trivial rule beside it.
        points: Whether the figure is no share.
        concordance: Whether the figure is a tau, told as the share of pairs in the same order, (1 + tau) / 2.
    """

    part: str
    task: str
    metric: str
    words: str
    real: float = 1.0
    guess: float | None = None
    points: bool = False
    concordance: bool = False


_FIDELITY = (
    _Ask(
        "system", "*", "kendall tau",
        "Of any two recommenders, these agents and real users agree about {value} times in 100 which is better.",
        guess=0.0, concordance=True,
    ),
    _Ask(
        "system", "*", "sign agreement",
        "Of two recommenders that real users clearly tell apart, these agents put the right one first {value} times in "
        "100.", guess=0.5,
    ),
    _Ask(
        "interaction", "uniform 1:1", "auc",
        "Given an item that the user really met later and one that they did not, an agent finds the real one {value} "
        "times in 100.",
    ),
    _Ask(
        "interaction", "popularity-matched 1:1", "auc",
        "The same where both items are equally popular: {value} times in 100.",
    ),
    _Ask(
        "interaction", "choice among five", "top-1",
        "Of five items, one of which the user really met, an agent's first choice is right {value} times in 100.",
    ),
    _Ask(
        "preference", "liked or disliked", "auc",
        "Given an item that the user liked and one that they did not, an agent prefers the liked one {value} times in "
        "100.",
    ),
    _Ask(
        "preference", "rating", "mae", "An agent's guess of a rating is {value} off on average.",
        real=0.0, points=True,
    ),
    _Ask(
        "distributions", "homogeneity", "sd ratio, between people",
        "Agents differ from each other in how high they rate: {value} in 100 of how much real users differ.",
    ),
    _Ask(
        "distributions", "choices", "gini ratio",
        "Agents crowd on few items: {value} in 100 of how much real users do.",
    ),
)  # fmt: skip

_TRUTH = (
    _Ask(
        "order", "order of*likes_per_session", "kendall tau",
        "Where items had been shown at random: of any two recommenders, these agents and real users agree about "
        "{value} times in 100 which is better.", guess=0.0, concordance=True,
    ),
    _Ask(
        "order", "order of*likes_per_session", "sign agreement",
        "Where items had been shown at random: of two recommenders that real users clearly tell apart, these agents "
        "put the right one first {value} times in 100.", guess=0.5,
    ),
    _Ask(
        "ratings", "ratings of random items", "like auc",
        "Of two items shown at random, an agent prefers the one that the user liked {value} times in 100.",
    ),
    _Ask(
        "ratings", "ratings of random items", "mae",
        "An agent's guess of the rating of an item that was shown at random is {value} off on average.",
        real=0.0, points=True,
    ),
    _Ask(
        "level", "likes of random items", "relative error",
        "How many randomly shown items agents like is {value} in 100 away from how many real users like.", real=0.0,
    ),
)  # fmt: skip

_MET, _JUST, _MISSED = "goal met", "goal just missed", "goal missed"
_NEARER_RULE = "goal met, but a simple rule comes nearer"
_BETTER, _NO_BETTER = "better than the rule", "not clearly better than the rule"
_ALMOST = 0.02
"""A goal is just missed where it is this share of the goal away, or where the interval reaches it."""


def fidelity_claims(records: Sequence[Record]) -> tuple[Claim, ...]:
    """The claims of a fidelity file about the mind whose order of recommenders it judges, the first of each kind."""
    minds = [each for each in records if each.get("kind") == "mind"]
    first = next((each for each in minds if each.get("part") == "system"), minds[0] if minds else {})
    name = _mind(first)
    return _claims(_FIDELITY, [each for each in records if each.get("kind") != "mind" or _mind(each) == name])


def truth_claims(records: Sequence[Record]) -> tuple[Claim, ...]:
    """The claims of a truth file about one mind: the pooled records of that mind."""
    return _claims(_TRUTH, records)


def _mind(record: Record) -> str:
    """A mind's name without the prediction that a row is of: "evidence mind (median)" is the evidence mind."""
    return str(record.get("scorer", "")).partition(" (")[0]


def claims_count(claims: Sequence[Claim]) -> str:
    """How many claims hold, in a clause."""
    return f"{sum(claim.good for claim in claims)} of {plural(len(claims), 'claim')} about the agents hold"


def _claims(asks: Sequence[_Ask], records: Sequence[Record]) -> tuple[Claim, ...]:
    found = (_claim(ask, records) for ask in asks)
    return tuple(claim for claim in found if claim is not None)


def _claim(ask: _Ask, records: Sequence[Record]) -> Claim | None:
    fitting = [each for each in records if each.get("part") == ask.part and each.get("metric") == ask.metric]
    fitting = [each for each in fitting if each.get("kind") == "mind" and _named(ask.task, str(each.get("task", "")))]
    values = [
        (abs(value - ask.real), number)
        for number, each in enumerate(fitting)
        if (value := _number(each, "value")) is not None
    ]
    if not values:
        return None
    # Of two predictions of one mind the better one counts; of the order the first, the mean over salts.
    record = fitting[0 if ask.part in ("system", "order") else min(values)[1]]
    value, rival = _number(record, "value"), record.get("baseline") or {}
    trivial = ask.guess if _number(rival, "value") is None or _is_real(rival) else _number(rival, "value")
    trivial = _trivial_row(ask, records) if trivial is None else trivial
    if value is None or trivial is None or trivial == ask.real:
        return None

    def place(figure: float | None) -> float | None:
        return None if figure is None else max(-0.1, min(1.0, 1 - abs(figure - ask.real) / abs(trivial - ask.real)))

    target = record.get("target") or {}
    goal = next((end for key in ("low", "high") if (end := _number(target, key)) is not None), None)
    if _number(target, "low") is not None and _number(target, "high") is not None:
        goal = _number(target, "low" if value < ask.real else "high")
    standing = _standing(value, trivial, goal, record, ask)
    low, high = _ends(record, ask.real, place)
    return Claim(
        words=ask.words.format(value=_said(value, ask)),
        beside=_beside(trivial, target, ask),
        figures=_figures(record, rival, trivial, goal, ask),
        standing=standing,
        good=standing in (_MET, _BETTER),
        place=place(value) or 0.0,
        low=low,
        high=high,
        goal=place(goal),
    )


def _ends(
    record: Record, real: float, place: Callable[[float | None], float | None]
) -> tuple[float | None, float | None]:
    """Ends of the interval on the scale; an interval that holds what real people do reaches its end."""
    low, high = _number(record, "low"), _number(record, "high")
    placed = [end for end in (place(low), place(high)) if end is not None]
    if low is None or high is None or len(placed) < 2:
        return None, None
    return min(placed), 1.0 if low <= real <= high else max(placed)


def _named(wanted: str, task: str) -> bool:
    begin, star, end = wanted.partition("*")
    return task.startswith(begin) and task.endswith(end) if star else task == wanted


def _is_real(rival: Record) -> bool:
    return str(rival.get("scorer", "")).startswith("real people")


def _trivial_row(ask: _Ask, records: Sequence[Record]) -> float | None:
    """The trivial row nearest to real people, where the mind's record names none."""
    rows = [
        value
        for each in records
        if (each.get("part"), each.get("metric"), each.get("kind")) == (ask.part, ask.metric, "trivial")
        and _named(ask.task, str(each.get("task", "")))
        and (value := _number(each, "value")) is not None
    ]
    return min(rows, key=lambda value: abs(value - ask.real), default=None)


def _standing(value: float, trivial: float, goal: float | None, record: Record, ask: _Ask) -> str:
    nearer = abs(value - ask.real) < abs(trivial - ask.real)
    if goal is None:
        return _BETTER if nearer and record.get("verdict") != "not supported" else _NO_BETTER
    if abs(value - ask.real) <= abs(goal - ask.real):
        return _MET if nearer else _NEARER_RULE
    ends = [end for key in ("low", "high") if (end := _number(record, key)) is not None]
    reached = any(abs(end - ask.real) <= abs(goal - ask.real) for end in ends)
    return _JUST if reached or abs(value - goal) <= _ALMOST * abs(goal) else _MISSED


def _beside(trivial: float, target: Record, ask: _Ask) -> str:
    rule = "guessing" if trivial == ask.guess else "a simple rule"
    ends = [_said(end, ask) for key in ("low", "high") if (end := _number(target, key)) is not None]
    return f"{rule} {_said(trivial, ask)}" + (f", goal {' to '.join(ends)}" if ends else "")


def _said(value: float, ask: _Ask) -> str:
    share = (1 + value) / 2 if ask.concordance else value
    return f"{value:.2f}" if ask.points else f"{100 * share:.0f}"


def _figures(record: Record, rival: Record, trivial: float, goal: float | None, ask: _Ask) -> str:
    value, low, high = (_number(record, key) for key in ("value", "low", "high"))
    interval = "" if low is None or high is None else f" [{decimal(low, 3)}, {decimal(high, 3)}]"
    named = (
        rival.get("scorer") if _number(rival, "value") == trivial else "guessing" if trivial == ask.guess else "rule"
    )
    aim = "" if goal is None else f"; goal {decimal(goal, 3)}"
    people = f"; n = {record['n']:,} {record.get('unit', '')}".rstrip() if isinstance(record.get("n"), int) else ""
    head = f"{record.get('task')}, {record.get('metric')}: {decimal(value, 3)}{interval}"
    return f"{head}; {named} {decimal(trivial, 3)}{aim}{people}"


def _number(record: Record, key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else None
