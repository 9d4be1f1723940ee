"""The measurement as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from groundlings.experiments.analysis.report.lab_page import render_lab_page
from groundlings.experiments.analysis.report.svg import Draw, ornaments, svg
from groundlings.experiments.labs.warmup import figures
from groundlings.experiments.labs.warmup.lab import Findings
from groundlings.experiments.labs.warmup.records import Record, find
from groundlings.experiments.labs.warmup.replicate import AUDIENCE
from groundlings.experiments.labs.warmup.sentences import claim_words, deciding, figure, headline, name_of
from groundlings.experiments.labs.warmup.terminal import COLUMNS

_SIZE = (4.6, 3.7)

SETTINGS = {
    "cold": ("new", "Held-out interactions with new items, in lists of new items only, as ColdRec ranks them."),
    "warm": ("old", "Held-out interactions with old items, in lists of old items only."),
    "overall": ("overall", "Both, in lists of the whole catalogue."),
    "cold in all": ("new in all", "Held-out interactions with new items, in lists of the whole catalogue."),
    "warm in all": (
        "old in all",
        "Held-out interactions with old items, in lists of the whole catalogue: what new items displace.",
    ),
}
"""Setting of a record -> how the columns of the tables call it, and what it measures."""


def render_page(findings: Findings) -> str:
    """The page as text."""
    about, records = findings.about, findings.records
    volume, declared = about["headline"], deciding(findings)
    holding = sum(claim.holds for claim in declared)
    return render_lab_page(
        "groundlings.experiments.labs.warmup",
        "warmup.html.j2",
        {"arms": "Every arm", "claims": "Claims", "pictures": "Pictures", "all": "All figures", "again": "Repeat it"},
        {
            "lab_name": "warm-up of new items",
            "run_name": about["name"],
            "question": "Are simulated first interactions worth something to new items?",
            "answer": (f"{holding} of {len(declared)} claims that were declared beforehand hold", headline(findings)),
            "about": about,
            "findings": findings,
            "arms": list(dict.fromkeys(record.key.arm for record in records)),
            "columns": COLUMNS,
            "cell": lambda arm, setting, metric, how="folded in": find(
                records, arm=arm, volume=volume, setting=setting, metric=metric, recommender=about["recommender"],
                how=how,
            ),
            "deciding": declared,
            "rest": [claim for claim in findings.claims if claim not in declared],
            "tables": _tables(records, list(dict.fromkeys(record.key.recommender for record in records))),
            "settings": SETTINGS,
            "keys": {
                name_of(arm): ornaments(figures.draw_key(arm), [f"warmup-key-{number}"], 0.5, 0.2)[0]
                for number, arm in enumerate(figures.STYLES)
                if any(record.key.arm == arm for record in records)
            },
            "pictures": [
                svg(draw, f"warmup-{number}", words, *_SIZE) for number, (words, draw) in enumerate(_pictures(findings))
            ],
            "figure": figure,
            "words": claim_words,
            "name": name_of,
        },
    )  # fmt: skip


def _pictures(findings: Findings) -> list[tuple[str, Draw]]:
    about, records = findings.about, findings.records
    main = about["recommender"]
    leads = [
        claim for claim in findings.claims
        if (claim.what, claim.arm, claim.key.setting, claim.key.metric) == ("better", AUDIENCE, "cold", "ndcg")
        and claim.key.recommender == main
    ]  # fmt: skip
    recommenders = list(dict.fromkeys(record.key.recommender for record in records))
    return [
        ("NDCG on new items against interactions per item, all arms; the tables below have the figures.",
         figures.draw_volumes(records, main, "cold", "ndcg", "New items")),
        ("The difference between the calibrated agents and each other arm, with two intervals.",
         figures.draw_leads(leads)),
        ("NDCG on new items in lists of the whole catalogue.",
         figures.draw_volumes(records, main, "cold in all", "ndcg", "New items among all")),
        ("NDCG on old items in lists of the whole catalogue.",
         figures.draw_volumes(records, main, "warm in all", "ndcg", "Old items among all")),
        ("NDCG on new items with each recommender.",
         figures.draw_recommenders(records, about["headline"], recommenders)),
        ("Cumulated gain over items.", figures.draw_gains(findings.gains)),
    ]  # fmt: skip


def _tables(records: Sequence[Record], recommenders: Sequence[str]) -> list[tuple[str, list[Record]]]:
    """All records by recommender, folded in or refitted."""
    tables = []
    for recommender in recommenders:
        for how in ("folded in", "refitted"):
            own = [record for record in records if record.key.recommender == recommender and record.key.how == how]
            if own:
                tables.append((f"{recommender}, {how}", own))
    return tables
