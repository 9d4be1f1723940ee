"""The command `groundlings off-policy`: hold off-policy estimators against what policies really got."""

from __future__ import annotations

from math import inf, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.off_policy.bench import Findings

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run with an arm that explores.")]
ArmOption = Annotated[
    str | None, typer.Option("--logging", metavar="ARM", help="The arm whose log is used; the first that explores.")
]
GroupsOption = Annotated[int, typer.Option("--groups", help="Logs that the users are split into.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def off_policy(run: RunArgument, logging: ArmOption = None, groups: GroupsOption = 20, json: JsonOption = None) -> None:
    """Rank off-policy estimators by their error, held against the worlds of a run's other arms."""
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.archive.tables import check_place
    from groundlings.experiments.labs.off_policy.bench import try_estimators

    if json is not None:
        check_place(json, "--json")
    console = Terminal()
    findings = try_estimators(run, logging, groups)
    _print(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)


def _print(findings: Findings, console: Terminal) -> None:
    from rich.table import Table

    from groundlings.environments.words import plural

    console.print(
        f"Clicks per first session, from the log of {escape(findings.logging)}: {plural(findings.users, 'user')} in "
        f"groups of at most {findings.per_group:,}; the truth is what the same users got in each arm's own world."
    )
    for policy, effective in findings.effective.items():
        rows = [row for row in findings.rows if row.policy == policy]
        table = Table(
            "estimator", "estimate", "bias", "RMSE", "groups",
            title=escape(f"{policy}: truth {rows[0].truth:.4f}, {effective:.0f} effective sessions"),
            title_justify="left",
        )  # fmt: skip
        for row in sorted(rows, key=lambda each: (each.rmse != each.rmse, each.rmse)):
            table.add_row(
                row.estimator.replace("_", " "),
                _number(row.estimate),
                f"{_number(row.bias, '+')} (s.e. {_number(row.bias_error)})",
                _number(row.rmse),
                str(row.groups),
            )
        console.print(table)
    policies = len(findings.effective)
    best = [
        f"{name.replace('_', ' ')} {'n/a' if share == inf else f'{share:.0%}'}"
        f"{f' ({found} of {policies} policies)' if 0 < found < policies else ''}"
        for name, share, found in findings.ranking()
    ]
    console.print(f"RMSE as a share of the truth, mean over policies: {', '.join(best)}")
    if findings.unknown:
        console.print(
            f"left out {plural(findings.unknown, 'user')}: pages of the first session are lost, in one arm or several, "
            "and what was clicked there is not known",
            soft_wrap=True,
        )
    for arm, why in findings.left_out.items():
        console.print(f"left out {escape(arm)}: {escape(why)}")


def _number(value: float, sign: str = "") -> str:
    return "n/a" if isnan(value) else f"{value:{sign}.4f}"
