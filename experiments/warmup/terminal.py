"""The measurement on the terminal: progress, and the tables at the end."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from experiments.warmup.lab import Findings, Observer
from experiments.warmup.records import find
from experiments.warmup.words import claim_words, deciding, figure, headline, name_of

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


class WarmUpProgress(Observer):
    """Draws one bar, and says which step is under way."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("reading", total=1)

    def __enter__(self) -> WarmUpProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._progress.update(self._task, completed=self._progress.tasks[0].total, description="done")
        self._progress.stop()

    def note(self, line: str) -> None:
        """See `Observer.note`."""
        self._progress.console.print(f"[dim]{escape(line)}")

    def download(self, what: str, done: int, total: int | None) -> None:
        """See `Observer.download`."""
        amount = f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB")
        self._progress.update(self._task, description=f"{escape(what)}: {amount}")

    def step(self, done: int, total: int, name: str) -> None:
        """See `Observer.step`."""
        self._progress.update(self._task, completed=done, total=total, description=name)


def render_findings(findings: Findings, width: int = _WIDE_ENOUGH) -> Table:
    """All arms at the headline volume; fewer columns where the terminal is narrow."""
    about = findings.about
    columns = COLUMNS if width >= _WIDE_ENOUGH else _NARROW
    table = Table(
        title=f"{about['dataset']}: {about['headline']} first interactions an item, {about['recommender']}, "
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
        table.add_row(name_of(arm), *cells, style="bold" if arm == "audience" else "")
    return table


def render_claims(findings: Findings) -> Table:
    """What was to be shown, and whether it was."""
    table = Table(title="What was to be shown", title_justify="left")
    table.add_column("holds")
    table.add_column("claim")
    for claim in deciding(findings):
        table.add_row("[green]yes" if claim.holds else "[red]no", escape(claim_words(claim)))
    return table
