"""From a comparison to its answer: the one thing that page, terminal, `answer.json` and Python are written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from groundlings.experiments.analysis.answer.adjusting import adjusted_note
from groundlings.experiments.analysis.answer.chances import chances_note
from groundlings.experiments.analysis.answer.finding import Finding, find, gain
from groundlings.experiments.analysis.answer.lights import lights_of
from groundlings.experiments.analysis.answer.news import news_of, news_of_all
from groundlings.experiments.analysis.answer.next_step import next_step_of
from groundlings.experiments.analysis.answer.sentences import Words, claim_of, question_of, warning_of, words_of
from groundlings.experiments.analysis.answer.sizes import NONE, chance, listed, ranked, size_of
from groundlings.experiments.analysis.answer.values import Answer, News, Place, Reading, Row, Size
from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.report.real_sentences import first_recommender
from groundlings.experiments.analysis.report.verdict_sentences import against_metrics, corrected, without_spread
from groundlings.recommenders.in_words import in_words

_NO_MEAN = Estimate(None, None, None, None, 0, 0)


def answer_of(
    comparison: Comparison,
    summary: Summary,
    question: str = "",
    past_tests: int = 0,
    own_words: Mapping[str, str] | None = None,
) -> Answer:
    """The answer of a run.

    Args:
        comparison: What was found.
        summary: The figures of the same run.
        question: As the experiment file asks it; composed where it is empty.
        past_tests: On how many tests on real people the effects were corrected.
        own_words: Arm -> how its recommender works, of those that are not shipped.
    """
    finding = find(comparison)
    words = words_of(comparison, finding)
    claim, detail = claim_of(words)
    if comparison.preference is None:
        detail += against_metrics(comparison, only=words.metric.name)
    warning = "" if finding.kind == "not known" else warning_of(comparison)
    if warning:
        claim, detail = warning, f"{claim}: {detail}"
    elif not comparison.declared and finding.kind not in ("preference", "no preference", "not compared", "not known"):
        claim = f"Exploratory: {claim}"
    news = {arm.name: news_of(comparison, summary, arm, finding.direction) for arm in comparison.arms}
    leaders = [] if finding.leader is None else [finding.leader, *finding.tied]
    of_leaders = (*news_of_all(comparison), *(each for arm in leaders for each in news[arm.name]))
    winner = None if warning else finding.winner
    return Answer(
        question=question_of(comparison, question),
        kind=finding.kind,
        claim=claim,
        detail=detail,
        winner=None if winner is None else winner.name,
        tied=tuple(arm.name for arm in finding.tied) if winner else (),
        baseline=comparison.baseline,
        metric=words.metric.label,
        level=words.mean(comparison.baseline),
        size=None if finding.leader is None else size_of(finding.leader, percent=words.percent),
        effect=None if finding.leader is None else finding.leader.headline.effect,
        declared=comparison.declared,
        rows=_rows(words, summary, news, own_words or {}),
        left_out=_left_out(comparison, summary),
        lights=lights_of(comparison, finding, past_tests),
        news=of_leaders,
        next_step=next_step_of(comparison, summary, finding, of_leaders),
        chance_agents=comparison.standing.agents,
        chances_note=chances_note(comparison, finding),
        confidence=1 - comparison.plan.alpha,
        adjusted_note=adjusted_note(words),
    )


def _rows(
    words: Words, summary: Summary, news: Mapping[str, tuple[News, ...]], own_words: Mapping[str, str]
) -> tuple[Row, ...]:
    """Competitors and the baseline, the best first; those of which nothing is known last."""
    comparison, finding = words.comparison, words.finding
    if comparison.preference is not None:
        return ()
    arms = {arm.name: arm for arm in comparison.arms}
    # The days of a summary are those of one run, and an answer may be that of several.
    several = any(arm.variants is not None for arm in comparison.arms)
    courses = {arm.name: tuple(day[words.metric.name].mean for day in arm.days) for arm in summary.arms if not several}

    def order(name: str) -> tuple[bool, float]:
        arm = arms.get(name)
        known = arm is None or arm.headline.effect.difference is not None
        return not known, 0.0 if arm is None else -gain(arm, finding.direction)

    abouts = {arm.name: in_words(arm.recommender) or own_words.get(arm.name, "") for arm in summary.arms}
    abouts = {name: about and f"{about}{first_recommender(comparison, name)}" for name, about in abouts.items()}
    names = sorted((comparison.baseline, *arms), key=order)
    return tuple(
        replace(
            _row(words, name, arms.get(name), news.get(name, ()), courses.get(name, ())), about=abouts.get(name, "")
        )
        for name in names
    )


def _row(
    words: Words, name: str, arm: ArmFindings | None, news: tuple[News, ...], course: tuple[float | None, ...]
) -> Row:
    standing, finding = words.comparison.standing, words.finding
    first = [] if finding.winner is None else [finding.winner.name, *(each.name for each in finding.tied)]
    place: Place = ""
    if arm is not None and name in first:
        place = "tied" if finding.tied else "wins" if arm.word == "validated" else "leads"
    size = Size(words.percent, 0.0, None, None)
    if arm is not None:
        size = NONE if arm in finding.unknown else size_of(arm, percent=words.percent)
    return Row(
        name=name,
        baseline=arm is None,
        mean=standing.means.get(name, _NO_MEAN),
        size=size,
        change="" if arm is None else words.unit.middle(size),
        interval="" if arm is None else words.unit.ends(size),
        reading="baseline" if arm is None else _reading(arm, finding),
        place=place,
        chance=standing.chances.get(name),
        ranks=standing.ranks.get(name),
        odds=chance(standing.chances.get(name)),
        standing=ranked(standing.ranks.get(name)),
        word="" if arm is None else f"{arm.word} {arm.basis}".rstrip(),
        news=news,
        course=course if sum(value is not None for value in course) > 1 else (),
        why_unclear="" if arm is None else corrected(arm.headline) or without_spread(arm.headline),
    )


def _reading(arm: ArmFindings, finding: Finding) -> Reading:
    if arm in finding.same:
        return "same"
    if arm in finding.unknown:
        return "not known"
    if not arm.headline.clear:
        return "unclear"
    up = gain(arm, finding.direction) > 0
    if not finding.direction:
        return "higher" if up else "lower"
    return "better" if up else "worse"


def _left_out(comparison: Comparison, summary: Summary) -> str:
    """Which recommenders of the run do not compete, and why."""
    if comparison.preference is not None:
        return ""
    competing = {comparison.baseline, *(arm.name for arm in comparison.arms)}
    bounds = [arm.name for arm in summary.arms if arm.bound]
    copies = [arm.name for arm in summary.arms if not arm.bound and arm.name not in competing]
    parts = []
    if copies:
        one = "is a copy" if len(copies) == 1 else "are copies"
        parts.append(f"{listed(copies)} {one} of {comparison.baseline}, a check of the test")
    if bounds:
        one = "knows" if len(bounds) == 1 else "know"
        parts.append(f"{listed(bounds)} {one} what people secretly want, which no recommender can")
    return f"Not ranked: {'; '.join(parts)}." if parts else ""
