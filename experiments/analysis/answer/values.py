"""The answer of a run, as plain values: page, terminal, `answer.json` and Python say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from groundlings.experiments.analysis.compare import Difference, Estimate

Kind = Literal[
    "winner", "tied", "no clear winner", "baseline ahead", "contradicted", "does not hold", "no direction",
    "preference", "no preference", "not compared", "not known",
]  # fmt: skip
"""What kind of answer it is.

    winner           one recommender is better than the baseline and than every other one
    tied             recommenders that beat the baseline cannot be told apart from the leader
    no clear winner  no difference to the baseline is clear
    baseline ahead   all that differ from the baseline and are known are worse
    contradicted     the leader's effect has the other sign in what real people did
    does not hold    the leader is better, but harms a guardrail, fails a check, or changes its sign between variants
    no direction     the metric does not say whether more of it is better
    preference       in lists that two recommenders drafted, one is preferred
    no preference    likewise, and none is
    not compared     there is nothing to compare: one recommender, or arms that did the same
    not known        nothing could be read
"""

State = Literal["good", "warn", "bad", "unknown"]
Place = Literal["wins", "leads", "tied", ""]
Reading = Literal["better", "worse", "higher", "lower", "unclear", "same", "not known", "baseline"]


@dataclass(frozen=True, slots=True)
class Size:
    """How far a recommender is from the baseline, in the one unit of the whole answer.

    Attributes:
        percent: Whether it is relative to the baseline's mean, as a share (0.81 is +81 %); else in the metric's unit.
        value, low, high: The effect and the ends of the interval that the verdict rests on; None where not known.
    """

    percent: bool
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class News:
    """Something that a reader of good news has to know as well.

    Attributes:
        arm: Which recommender it is about; "" for all.
        state: "bad" for a loss that was found, "warn" for one that cannot be ruled out, "good" for a guardrail that
            held.
        words: A few words.
    """

    arm: str
    state: State
    words: str


@dataclass(frozen=True, slots=True)
class Light:
    """One line of the trust light.

    Attributes:
        name: Test, Audience or People.
        state: Its colour.
        words: What it says.
    """

    name: str
    state: State
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One recommender of the table.

    Attributes:
        name: The arm.
        baseline: Whether the others are compared to it.
        mean: Its mean of the primary metric, as it was logged.
        size: Against the baseline; of the baseline itself exactly nothing.
        change, interval: The same as people read it: "+81 %" and "[+73 %, +89 %]"; "" for the baseline.
        reading: How that is to be read.
        place: "wins" of a validated effect, "leads" of an indicative one; "tied" of all who cannot be told apart from
            the leader.
        chance: Share of the resamples in which it has the best mean; None where that is not known.
        ranks: Lowest and highest rank in 95 % of the resamples; likewise.
        odds, standing: Both as people read them: "77 %" and "1 to 2".
        word: The verdict, and what it rests on; "" for the baseline.
        news: About it.
        course: Its mean on each day, as it was.
        about: How the recommender works, in half a line; "" where nobody says.
        why_unclear: Why an effect is not clear although its interval excludes zero, or has no interval as there is no
            spread; "" of any other one.
    """

    name: str
    baseline: bool
    mean: Estimate
    size: Size
    change: str
    interval: str
    reading: Reading
    place: Place
    chance: float | None
    ranks: tuple[int, int] | None
    odds: str
    standing: str
    word: str
    news: tuple[News, ...]
    course: tuple[float | None, ...]
    about: str = ""
    why_unclear: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first screen.

    Attributes:
        question: As the experiment file asks it, or made of its plan.
        kind: What kind of answer.
        claim, detail: The sentence: what is said first, and what follows.
        winner: The recommender that wins or leads a tie; None in any other case.
        tied: Those that cannot be told apart from the winner.
        baseline: What the others are compared to.
        metric: The primary metric in words.
        level: The baseline's mean of it as people read it: "0.88", or "15.2 %" of a share.
        size, effect: Of the winner, or else of the one with the best mean; None where nothing is compared.
        declared: Whether the metric was declared beforehand; else the answer is exploratory.
        rows: Sorted by effect, the best first.
        left_out: Recommenders that do not compete, and why.
        lights: Three lines: this test, its audience, real people.
        news: What there is to know of the leaders and of the whole run.
        next_step: What to do.
        chance_agents: How many agents the chances to be best rest on.
        chances_note: How the chances to be best go together with what is said of the leaders; "" where that is plain.
        confidence: Coverage of the intervals: 0.95 where the plan says nothing else.
        adjusted_note: How the effects are adjusted, and what they are as logged; "" where they are as logged.
    """

    question: str
    kind: Kind
    claim: str
    detail: str
    winner: str | None
    tied: tuple[str, ...]
    baseline: str
    metric: str
    level: str
    size: Size | None
    effect: Difference | None
    declared: bool
    rows: tuple[Row, ...]
    left_out: str
    lights: tuple[Light, Light, Light]
    news: tuple[News, ...]
    next_step: str
    chance_agents: int = 0
    chances_note: str = ""
    confidence: float = 0.95
    adjusted_note: str = ""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return f"{self.claim}{self.detail and ': '}{self.detail}" if self.claim else self.detail

    @property
    def sure(self) -> str:
        """What the intervals are: "95 %"."""
        return f"{100 * self.confidence:g} %"

    @property
    def short(self) -> str:
        """The answer in a few words, for lists of runs."""
        row = next((row for row in self.rows if row.name == self.winner), None)
        if row is None:
            return self.claim
        names = [row.name, *self.tied]
        listed = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        explored = "" if self.declared else "Exploratory: "
        return f"{explored}{listed} tied, {row.change}" if self.tied else f"{explored}{listed} {row.change}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `answer.json`."""
        lift: Mapping[str, Any] | None = None if self.size is None else asdict(self.size)
        return {
            "question": self.question,
            "sentence": self.sentence,
            "claim": self.claim,
            "detail": self.detail,
            "short": self.short,
            "kind": self.kind,
            "winner": self.winner,
            "tied": list(self.tied),
            "baseline": self.baseline,
            "metric": self.metric,
            "baseline_level": self.level,
            "lift": lift,
            "effect": None if self.effect is None else asdict(self.effect),
            "declared": self.declared,
            "lights": [asdict(light) for light in self.lights],
            "news": [asdict(each) for each in self.news],
            "next_step": self.next_step,
            "recommenders": [asdict(row) for row in self.rows],
            "left_out": self.left_out,
            "chance_agents": self.chance_agents,
            "chances_note": self.chances_note,
            "confidence": self.confidence,
            "adjusted_note": self.adjusted_note,
        }
