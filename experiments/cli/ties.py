"""The command `groundlings ties`: what people's ties tell of what they take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.options import TimesOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.resampling import Figure
    from groundlings.experiments.labs.ties.lab import Findings

HistoriesArgument = Annotated[
    Path, typer.Argument(metavar="HISTORIES", help="A table with the columns user and item (CSV, TSV or Parquet).")
]
TiesArgument = Annotated[Path, typer.Argument(metavar="TIES", help="A table with the columns user and friend.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Of the split, the pairs, the halves and the resamples.")
]
RelabelOption = Annotated[
    int,
    typer.Option(
        "--relabellings", min=1, max=1000, help="How many times people are exchanged (placebo); each is kept."
    ),
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def ties(
    histories: HistoriesArgument,
    friends: TiesArgument,
    seed: SeedOption = 0,
    times: TimesOption = 1000,
    relabellings: RelabelOption = 10,
    json: JsonOption = None,
) -> None:
    """Measure what people's ties tell of what they take, beyond item kNN and popularity."""
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.archive.tables import check_place
    from groundlings.experiments.labs.ties.lab import measure_ties
    from groundlings.experiments.labs.ties.tables import read_tied_histories

    if json is not None:
        check_place(json, "--json")
    findings = measure_ties(read_tied_histories(histories, friends), seed, times=times, relabellings=relabellings)
    console = Terminal()
    _print(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)


def _print(findings: Findings, console: Terminal) -> None:
    from rich.table import Table

    from groundlings.environments.words import plural

    console.print(
        f"{plural(findings.people, 'person', 'people')}, {plural(findings.items, 'item')}, "
        f"{plural(findings.ties, 'tie')}. Weights from {plural(findings.fitted, 'pair')} of half of the people, judged "
        f"on {plural(findings.judged, 'pair')} of {plural(findings.judged_people, 'other person', 'other people')}; "
        "AUC .5 is a coin."
    )
    alone = Table("one feature alone", "AUC")
    alone.add_row("popularity, about the same within a pair", _with_ends(findings.popularity))
    alone.add_row("ties who met the item", _with_ends(findings.ties_alone))
    alone.add_row("the same, ties relabelled", _with_ends(findings.relabelled_alone))
    console.print(alone)
    table = Table("neighbours", "without ties", "with ties", "gain", "gain of relabelled ties")
    for gain in findings.gains:
        table.add_row(
            str(gain.neighbours),
            f"{gain.without.value:.3f}",
            f"{gain.with_ties.value:.3f}",
            _with_ends(gain.gain, "+"),
            _with_ends(gain.placebo, "+"),
        )
    console.print(table)
    for gain in findings.gains:
        placebos = gain.placebo_weights
        console.print(
            f"b beside {gain.neighbours} neighbours: {_with_ends(gain.weight)}; of {len(placebos)} relabellings "
            f"{min(placebos):.3f} to {max(placebos):.3f}",
            soft_wrap=True,
        )
    if findings.unmatched:
        console.print(
            f"left out  {plural(findings.unmatched, 'held-out item')} without an item of like popularity beside it"
        )
    if findings.left_out:
        rows = plural(findings.left_out, "row of ties that names", "rows of ties that name")
        console.print(f"left out  {rows} somebody without a history")


def _with_ends(figure: Figure, sign: str = "") -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.3f} [n/a]"
    return f"{figure.value:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"
