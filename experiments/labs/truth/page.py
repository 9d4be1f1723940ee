"""The examination as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from groundlings.experiments.analysis.report.claims import Claim, claims_count, truth_claims
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.labs.page import Examination, answer_of_claims, render_examination
from groundlings.experiments.labs.truth import figures, level, order, ratings
from groundlings.experiments.labs.truth.headlines import headlines
from groundlings.experiments.labs.truth.lab import Findings
from groundlings.experiments.labs.truth.records import POOLED, TruthRecord
from groundlings.experiments.labs.truth.sessions import HEADLINES
from groundlings.experiments.labs.truth.simulators import ITEM_MEAN

PARTS = {
    ratings.PART: "Does it predict how people rate items that they did not choose?",
    level.PART: "Would it like as many of them as people do?",
    order.PART: "Does it order recommenders as people do who were shown items at random?",
}
"""The parts, each with the question that it answers."""


def render_page(findings: Findings) -> str:
    """The page as text."""
    by_mind = {name: _claims(findings, name) for name in findings.passed}
    best = max(findings.passed, key=lambda name: (findings.passed[name], sum(each.good for each in by_mind[name])))
    examination = Examination(
        lab="truth",
        name="truth lab",
        question="Do these agents judge items that nobody chose as real users do?",
        answer=answer_of_claims(findings.passed[best], by_mind[best]),
        about=findings.about,
        parts=[(name, question, _tables(findings.records, name)) for name, question in PARTS.items()],
        pictures=_pictures(findings),
        size=(4.6, 3.9),
    )
    return render_examination(
        examination,
        {
            "by_mind": {name: (claims, claims_count(claims)) for name, claims in by_mind.items()},
            "findings": findings,
            "headlines": headlines(findings.records),
        },
    )


def _claims(findings: Findings, name: str) -> Sequence[Claim]:
    """The claims about one mind."""
    own = [
        each
        for each in findings.records
        if each.salt == POOLED and (each.kind != "mind" or each.scorer.partition(" (")[0] == name)
    ]
    return truth_claims([each.as_dict() for each in own])


def _tables(records: Sequence[TruthRecord], part: str) -> list[tuple[str, list[TruthRecord], list[TruthRecord]]]:
    """Each task of a part with its pooled records, and those of the minds in each partition."""
    own = [record for record in records if record.part == part]
    place = {task: number for number, task in enumerate(dict.fromkeys(record.task for record in own))}
    found = []
    for task, group in groupby(sorted(own, key=lambda each: place[each.task]), lambda each: each.task):
        rows = list(group)
        pooled = [each for each in rows if each.salt == POOLED]
        people = [each for each in rows if each.kind in ("mind", "real") and each.value is not None]
        by_salt = [each for each in people if each.salt != POOLED]
        found.append((task, pooled, by_salt if not task.startswith("worth of") else []))
    return found


def _pictures(findings: Findings) -> dict[str, list[tuple[str, Draw]]]:
    records, ranked = findings.records, findings.order
    task = order.order_task(HEADLINES[0], sum(ranked.counts))
    shown = [*findings.passed, *([ITEM_MEAN] if ITEM_MEAN in ranked.simulated else [])]
    pictures: dict[str, list[tuple[str, Draw]]] = {
        order.PART: [
            ("Kendall's tau of every simulator in each partition; the tables below have the figures.",
             figures.draw_by_salt(records, task, "kendall tau", "Kendall's tau")),
            *((f"Order of the recommenders by real like rates and by the {name}.", figures.draw_order(ranked, name))
              for name in shown),
        ],
    }  # fmt: skip
    if any(record.part == level.PART for record in records):
        pictures[level.PART] = [
            ("Shares of each rating: real people on random items, minds, and self-chosen ratings.",
             figures.draw_shares(records)),
        ]  # fmt: skip
    return pictures
