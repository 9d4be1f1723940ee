"""The measurement as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.palette import DARK, LIGHT
from groundlings.experiments.analysis.report.svg import Draw, svg
from groundlings.experiments.labs.warmup import figures
from groundlings.experiments.labs.warmup.lab import Findings
from groundlings.experiments.labs.warmup.records import Record, find
from groundlings.experiments.labs.warmup.replicate import AUDIENCE
from groundlings.experiments.labs.warmup.sentences import claim_words, deciding, figure, headline, name_of
from groundlings.experiments.labs.warmup.terminal import COLUMNS

if TYPE_CHECKING:
    from jinja2 import Template

_SIZE = (4.6, 3.7)

SETTINGS = {
    "cold": "Held-out interactions with new items, in lists of new items only, as ColdRec ranks them.",
    "warm": "Held-out interactions with old items, in lists of old items only.",
    "overall": "Both, in lists of the whole catalogue.",
    "cold in all": "Held-out interactions with new items, in lists of the whole catalogue.",
    "warm in all": "Held-out interactions with old items, in lists of the whole catalogue: what new items displace.",
}
"""What each setting measures."""


def render_page(findings: Findings) -> str:
    """The page as text."""
    about, records = findings.about, findings.records
    volume = about["headline"]
    arms = list(dict.fromkeys(record.key.arm for record in records))
    recommenders = list(dict.fromkeys(record.key.recommender for record in records))
    rest = [claim for claim in findings.claims if claim not in deciding(findings)]
    page = _template().render(
        about=about,
        findings=findings,
        headline=headline(findings),
        arms=arms,
        columns=COLUMNS,
        cell=lambda arm, setting, metric, how="folded in": find(
            records, arm=arm, volume=volume, setting=setting, metric=metric, recommender=about["recommender"], how=how
        ),
        deciding=deciding(findings),
        rest=rest,
        tables=_tables(records, recommenders),
        settings=SETTINGS,
        pictures=[
            svg(draw, f"warmup-{number}", words, *_SIZE) for number, (words, draw) in enumerate(_pictures(findings))
        ],
        figure=figure,
        words=claim_words,
        name=name_of,
        light=LIGHT,
        dark=DARK,
    )
    return printable(page, newlines=True)


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


def _template() -> Template:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    # The style sheet is that of the run report, so that all pages look alike.
    loaders: list[Any] = [
        PackageLoader("groundlings.experiments.labs.warmup"),
        PackageLoader("groundlings.experiments.analysis.report"),
    ]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("warmup.html.j2")
