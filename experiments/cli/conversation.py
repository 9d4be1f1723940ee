"""The command `groundlings conversation`: systems converse with users who do not say all that they want."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.environments.errors import ConfigError
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from rich.table import Table

    from groundlings.experiments.labs.conversation.bench import Findings
    from groundlings.experiments.labs.conversation.figures import SystemFigures
    from groundlings.experiments.labs.resampling import Interval

SYSTEMS = ("random", "popularity", "listening", "asking", "elimination")
STYLE_NAMES = ("patient", "terse", "expert", "vague")
PUBLISHED = (
    "Published for tau-Rec: .57 (pass^4 .35 to .38) by the best language model, policies kept, with a language model "
    "as user. Users here follow the same rules by code: the tasks are the same, the users are not."
)

TasksArgument = Annotated[Path, typer.Argument(metavar="TASKS", help="The data of tau-Rec: catalog.json and tasks/.")]
SystemOption = Annotated[
    list[str] | None,
    typer.Option(
        "--system", metavar="NAME", help=f"One of {', '.join(SYSTEMS)}, or module:Class; all of ours if absent."
    ),
]
StyleOption = Annotated[
    list[str] | None,
    typer.Option("--style", metavar="NAME", help=f"A way of talking: {', '.join(STYLE_NAMES)}; all if absent."),
]
SuggestionsOption = Annotated[
    list[int] | None,
    typer.Option("--suggestions", min=0, help="Items that may be suggested before one is recommended; 0, 1 and 20."),
]
TrialsOption = Annotated[int, typer.Option("--trials", min=1, max=100, help="Conversations per task and setting.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of whatever systems leave to chance.")]
HalfOption = Annotated[
    str, typer.Option("--half", help="all, development (every second task from the first), or held-out (the others).")
]
HearOption = Annotated[
    bool, typer.Option("--hear/--alone", help="Whether systems know what users of the other half of the tasks said.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]
CsvOption = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a row per conversation there.")]

ShowOption = Annotated[
    str | None, typer.Option("--show", metavar="TASK", help="Print the first conversation of each system on a task.")
]


def conversation(
    tasks: TasksArgument,
    system: SystemOption = None,
    style: StyleOption = None,
    suggestions: SuggestionsOption = None,
    trials: TrialsOption = 4,
    seed: SeedOption = 0,
    half: HalfOption = "all",
    hear: HearOption = True,
    show: ShowOption = None,
    json: JsonOption = None,
    csv: CsvOption = None,
) -> None:
    """Let systems converse with users who do not say all that they want."""
    from groundlings.experiments.archive.directory import write_json, write_text
    from groundlings.experiments.archive.tables import as_csv, check_place
    from groundlings.experiments.cli.formulas import tell_formulas
    from groundlings.experiments.labs.conversation.bench import try_systems

    for file, option in ((json, "--json"), (csv, "--csv")):
        if file is not None:
            check_place(file, option)
    console = Terminal()
    findings = try_systems(
        tasks, system or SYSTEMS, style or STYLE_NAMES, suggestions or (0, 1, 20), trials, seed, half, hear
    )
    _print(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures        {escape(str(json))}", soft_wrap=True)
    if csv is not None:
        write_text(csv, as_csv(findings.frame()))
        console.print(f"conversations  {escape(str(csv))}", soft_wrap=True)
        tell_formulas(csv, console)
    if show is not None:
        _show(findings, show, console)


def _print(findings: Findings, console: Terminal) -> None:
    from groundlings.environments.words import plural

    settings = dict.fromkeys((each.style, each.suggestions_allowed) for each in findings.figures)
    first = findings.figures[0]
    console.print(
        f"{plural(first.tasks, 'task')}, {plural(first.trials, 'conversation')} of each with every system. pass^k: k "
        "conversations of a task all end with the need met and every policy kept; 95 % intervals over tasks. met: the "
        "need alone; kept: the policies alone; turns, fields asked about and items tried (suggested) per conversation."
    )
    for style, most in settings:
        rows = [row for row in findings.figures if (row.style, row.suggestions_allowed) == (style, most)]
        allowed = f"{most} suggestions" if most != 1 else "1 suggestion"
        console.print(_table(f"{style} users, {allowed} before the recommendation", rows))
        if cut := _cut_short(rows):
            console.print(escape(cut))
    for pair in findings.agreements:
        tau = (
            "n/a, because one of them puts the systems in no order"
            if pair.tau is None
            else f"{pair.tau:.2f} {_ends(pair.interval)}"
        )
        console.print(f"order of the systems, {' and '.join(pair.styles)} users: Kendall's tau {tau}")
    console.print(PUBLISHED)
    for name, fault in findings.faults.items():
        console.print(f"unreadable message of {escape(name)}: {escape(fault)}")


def _show(findings: Findings, task: str, console: Terminal) -> None:
    """The first conversation about a task in every setting."""
    found = [row for row in findings.rows if row.task == task and row.trial == 0]
    if not found:
        known = ", ".join(dict.fromkeys(row.task for row in findings.rows))
        raise ConfigError(f"--show: found no task {task}; expected one of {known}")
    for row in found:
        ending = "passed" if row.passed else f"not passed, {row.outcome}"
        console.print(f"\n{escape(row.system)}, {row.style} user, {row.suggestions_allowed} suggestions: {ending}")
        console.print(escape(row.transcript, newlines=True), soft_wrap=True)


def _table(title: str, rows: list[SystemFigures]) -> Table:
    from rich import box
    from rich.table import Table

    last = len(rows[0].passes)
    more = [f"pass^{last}"] if last > 1 else []
    headings = ("system", "pass^1", *more, "met", "kept", "turns", "asked", "tried")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(title), title_justify="left")
    for place, heading in enumerate(headings):
        wraps = heading.startswith("pass")  # a narrow terminal puts the interval below its figure
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=not wraps)
    for row in rows:
        means = (row.turns, row.questions, row.suggestions)
        table.add_row(
            escape(row.system),
            f"{row.passes[0]:.3f} {_ends(row.intervals[0])}",
            *(f"{row.passes[-1]:.3f} {_ends(row.intervals[-1])}" for _ in more),
            f"{row.satisfied:.2f}",
            f"{row.kept:.2f}",
            *(f"{mean:.1f}" for mean in means),
        )
    return table


def _ends(interval: Interval) -> str:
    low, high = interval
    return "(n/a)" if low is None or high is None else f"({low:.2f}-{high:.2f})"


def _cut_short(rows: list[SystemFigures]) -> str:
    """Conversations that came to no recommendation and no abstention, with the reason and how many there were."""
    found = [
        f"{row.system} {count} {outcome}" for row in rows
        for outcome, count in row.outcomes.items() if outcome in ("left", "unreadable")
    ]  # fmt: skip
    total = rows[0].tasks * rows[0].trials
    return (
        f"ended by the user's patience (left) or an unreadable message, of {total}: {', '.join(found)}" if found else ""
    )
