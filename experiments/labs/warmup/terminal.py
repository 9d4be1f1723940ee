"""The results on the terminal."""

from __future__ import annotations

from rich.table import Table

from groundlings.environments.words import plural
from groundlings.experiments.labs.warmup.lab import Findings
from groundlings.experiments.labs.warmup.records import find
from groundlings.experiments.labs.warmup.sentences import claim_words, deciding, figure, headline, name_of
from groundlings.experiments.terminal import escape

COLUMNS = (
    ("cold", "ndcg", "new, NDCG"),
    ("cold", "recall", "new, recall"),
    ("cold in all", "ndcg", "new in all, NDCG"),
    ("warm in all", "ndcg", "old in all, NDCG"),
    ("overall", "ndcg", "overall, NDCG"),
    ("overall", "exposure", "slots with new"),
    ("choice", "enrichment", "enrichment"),
    ("choice", "auc", "AUC"),
)
"""Setting, metric and heading of the columns of a wide table."""

_NARROW = (
    ("cold", "ndcg", "new, NDCG"),
    ("cold in all", "ndcg", "new in all"),
    ("warm in all", "ndcg", "old in all"),
    ("choice", "enrichment", "enrichment"),
)
_WIDE_ENOUGH = 150


def render_findings(findings: Findings, width: int = _WIDE_ENOUGH) -> Table:
    """All arms at the headline volume; fewer columns where the terminal is narrow."""
    about = findings.about
    columns = COLUMNS if width >= _WIDE_ENOUGH else _NARROW
    table = Table(
        title=f"{escape(about['dataset'])}: {plural(about['headline'], 'first interaction')} per item, "
        f"{escape(about['recommender'])}, "
        f"{about['seeds']} seeds",
        caption=escape(headline(findings)),
        caption_justify="left",
    )
    table.add_column("arm")
    for _, _, heading in columns:
        table.add_column(heading, justify="right")
    for arm in dict.fromkeys(record.key.arm for record in findings.records):
        cells = []
        for setting, metric, _ in columns:
            found = find(
                findings.records, arm=arm, volume=about["headline"], setting=setting, metric=metric,
                recommender=about["recommender"], how="folded in",
            )  # fmt: skip
            whole = (setting, metric) == ("cold", "ndcg")
            cells.append("" if found is None else escape(figure(found)) if whole else f"{found.value:.4f}")
        table.add_row(escape(name_of(arm)), *cells, style="bold" if arm == "audience" else "")
    return table


def render_claims(findings: Findings) -> Table:
    """The claims that were declared beforehand, and whether they hold."""
    table = Table(title="Claims declared beforehand", title_justify="left")
    table.add_column("holds")
    table.add_column("claim")
    for claim in deciding(findings):
        table.add_row("[green]yes" if claim.holds else "[red]no", escape(claim_words(claim)))
    return table
