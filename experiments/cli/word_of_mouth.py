"""The command `groundlings word-of-mouth`: what ties did in a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.options import TimesOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.word_of_mouth.lab import Compared, Findings

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run whose agents have ties.")]
WithoutArgument = Annotated[
    Path, typer.Argument(metavar="WITHOUT", help="The same experiment, run with --set mind.social=null.")
]
ToldOption = Annotated[
    Path | None, typer.Option("--told", metavar="FILE", help="Write there who told whom of what (Parquet or CSV).")
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def word_of_mouth(
    run: RunArgument,
    without: WithoutArgument,
    times: TimesOption = 1000,
    told: ToldOption = None,
    json: JsonOption = None,
) -> None:
    """Hold a run whose agents have ties against the same world without ties, and list who told whom of what."""
    from groundlings.environments.words import plural
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.archive.tables import check_place, check_place_of_table, write_table
    from groundlings.experiments.cli.formulas import tell_formulas
    from groundlings.experiments.labs.word_of_mouth.lab import what_ties_did

    if told is not None:
        check_place_of_table(told, "--told")
    if json is not None:
        check_place(json, "--json")
    findings = what_ties_did(run, without, times)
    console = Terminal()
    _print(findings, console)
    if told is not None:
        write_table(told, findings.told)
        console.print(f"told     {plural(len(findings.told), 'row')} in {escape(str(told))}", soft_wrap=True)
        tell_formulas(told, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)


def _print(findings: Findings, console: Terminal) -> None:
    from rich.table import Table

    from groundlings.environments.words import plural

    console.print(
        f"{plural(findings.agents, 'agent')}, {plural(findings.ties, 'tie')}"
        f"{', generated: nobody has them' if findings.generated else ''}. Differences have 95 % intervals over agents."
    )
    if findings.unknown:
        console.print(
            f"not known: what agents did with {plural(findings.unknown, 'impression')} of lost pages, in both runs "
            "together; no figure below has it, so interactions are too few",
            soft_wrap=True,
        )
    if findings.without_category:
        console.print(
            f"not known: whether {plural(findings.without_category, 'impression')} of items without a category, in "
            "both runs together, cut across; the cross-cutting exposure leaves them out",
            soft_wrap=True,
        )
    for arm in dict.fromkeys(each.arm for each in findings.figures):
        control = " (control: random lists)" if arm == findings.control else ""
        table = Table(
            "figure", "without ties", "with ties", "difference", title=escape(f"{arm}{control}"), title_justify="left"
        )
        for figure in findings.figures:
            if figure.arm == arm:
                table.add_row(figure.name, _number(figure.without), _number(figure.with_ties), _difference(figure))
        console.print(table)
    if findings.control is None:
        console.print("no arm shows random lists; an arm with recommender random_order is the control of the others")
    if findings.external_internal is not None:
        console.print(
            f"E-I index of ties by most liked category: {findings.external_internal:+.3f} (-1: all ties stay within "
            f"one); agents exchanged at random {min(findings.relabelled):+.3f} to {max(findings.relabelled):+.3f}",
            soft_wrap=True,
        )


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}".removesuffix(".0000")


def _difference(figure: Compared) -> str:
    if figure.with_ties is None or figure.without is None:
        return "n/a"
    difference = f"{figure.with_ties - figure.without:+z.4f}"
    if figure.low is None or figure.high is None:
        return difference.removesuffix(".0000")
    return f"{difference} [{figure.low:+z.4f}, {figure.high:+z.4f}]"
