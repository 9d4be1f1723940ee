"""The command `groundlings dialogues`: recommenders in logged dialogues, with seekers who know their target or not."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from groundlings.experiments.cli.options import HERE, LostOption
from groundlings.experiments.terminal import Terminal, escape

BY_RULE = ("attribute_leaky", "need", "title_told")
BY_MODEL = ("free_form_leaky", "need_worded")
SYSTEMS = ("popular", "item_knn", "bm25", "text_search", "blend")

DirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="Dialogues: turns.jsonl and id2info.json (docs/dialogues.md).")
]
SeekerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--seeker",
        metavar="NAME",
        help=f"Who answers: {', '.join(BY_RULE)} if absent; in a model's words {', '.join(BY_MODEL)}.",
    ),
]
SystemOption = Annotated[
    list[str] | None,
    typer.Option(
        "--system",
        metavar="NAME",
        help=f"{', '.join(SYSTEMS)} if absent; any recommender of the platform, or module:Class.",
    ),
]
AskOption = Annotated[
    list[str] | None,
    typer.Option("--ask", metavar="FIELD", help="A field that is asked about, in this order; all if absent."),
]
RoundsOption = Annotated[int, typer.Option("--rounds", min=1, help="Lists per conversation, answers in between.")]
SharedOption = Annotated[
    int, typer.Option("--shared-by", min=1, help="Items that fit all that a seeker without a leak tells of a target.")
]
TakeOption = Annotated[
    int | None, typer.Option("--take", metavar="N", min=1, help="Go on with N dialogues, drawn by the seed.")
]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="YAML with the keys of `mind.model`; the embedded model if absent."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of parts, of what is taken, and of intervals.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as well.")]


def dialogues(
    directory: DirectoryArgument,
    seeker: SeekerOption = None,
    system: SystemOption = None,
    ask: AskOption = None,
    rounds: RoundsOption = 5,
    shared_by: SharedOption = 20,
    take: TakeOption = None,
    model: ModelOption = None,
    max_unreadable: LostOption = 0.2,
    seed: SeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Go on with logged dialogues, with seekers who know their target (leaky, as in iEvaLM) and seekers who do not."""
    from groundlings.experiments.archive.directory import write_json
    from groundlings.experiments.archive.tables import check_place
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.labs.dialogues.lab import Settings, check_read, examine_dialogues, model_in
    from groundlings.experiments.labs.dialogues.terminal import print_findings

    if json is not None:
        check_place(json, "--json")
    settings = Settings(
        seekers=tuple(seeker or BY_RULE),
        systems=tuple(system or SYSTEMS),
        ask=tuple(ask or ()),
        rounds=rounds,
        shared_by=shared_by,
        take=take,
        seed=seed,
        model=model_in(model),
    )
    console = Terminal()
    with TerminalProgress(console) as progress, chdir(HERE):
        findings = examine_dialogues(directory, settings, progress=progress)
    print_findings(findings, console)
    if json is not None:
        write_json(json, findings.as_dict())
        console.print(f"figures  {escape(str(json))}", soft_wrap=True)
    check_read(findings, max_unreadable)
