"""The command `groundlings train-mind`: teach a language model what people chose, and weigh it on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.intervals import ends, with_ends
from groundlings.experiments.cli.options import LostOption, OutOption, SeedOption, SetOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.config import TrainMindConfig
    from groundlings.experiments.labs.train_mind.lab import Findings
    from groundlings.experiments.labs.train_mind.probe import Memory
    from groundlings.experiments.labs.train_mind.table import Worth
    from groundlings.experiments.labs.train_mind.weighing import Weighed

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A training file (YAML).")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in DIR.")]
EvaluateOption = Annotated[
    Path | None,
    typer.Option(
        "--evaluate",
        metavar="MODEL",
        help="Train nothing: weigh a model that is there, by the directory of its training or its own, or a GGUF file.",
    ),
]


def train_mind(
    config: ConfigArgument,
    out: OutOption = None,
    changes: SetOption = None,
    seed: SeedOption = None,
    resume: ResumeOption = False,
    evaluate: EvaluateOption = None,
    max_unreadable: LostOption = 0.2,
) -> None:
    """Train a language model on real choices, and weigh it on people it never saw."""
    from groundlings.experiments.archive.directory import begun_directory, locked, new_directory, write_json
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.cli.step_lines import StepLines
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.train_mind.answers_read import check_read
    from groundlings.experiments.labs.train_mind.config import CHECKPOINT, RECORDS, TrainMindConfig
    from groundlings.experiments.labs.train_mind.installed import check_installed
    from groundlings.experiments.labs.train_mind.lab import train_mind as train

    loaded = load_as(TrainMindConfig, config, changes or (), seed)
    console = Terminal()
    check_installed()  # before a directory is made for what cannot begin
    if evaluate is not None:
        check_read(_evaluate(loaded, evaluate, out, console, resume=resume), max_unreadable)
        return
    begun = locked(begun_directory(loaded.name, out, CHECKPOINT)) if resume else new_directory(loaded.name, out)
    with begun as directory:
        with TerminalProgress(console) as progress:
            said = StepLines(progress, Terminal(stderr=True))
            findings = train(loaded, directory, resume=resume, progress=said)
        write_json(directory / RECORDS, findings.as_dict())
    _print(findings, console)
    for kind, name in {**findings.about["files"], "records": RECORDS}.items():
        console.print(f"{kind:8} {escape(str(directory / name))}", soft_wrap=True)
    check_read({**findings.about["asked"], **{each.name: each.asked for each in findings.slices}}, max_unreadable)


def _evaluate(
    config: TrainMindConfig, model: Path, out: Path | None, console: Terminal, *, resume: bool
) -> dict[str, Mapping[str, int]]:
    """Weigh a model without training it; says of each table what was asked for it."""
    from groundlings.environments.errors import ConfigError
    from groundlings.experiments.archive.directory import new_directory, write_json
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.cli.step_lines import StepLines
    from groundlings.experiments.labs.train_mind.config import EVALUATION
    from groundlings.experiments.labs.train_mind.evaluation import MODEL, evaluate_mind

    if resume:
        raise ConfigError("--evaluate, --resume: found both; expected one: an evaluation trains nothing to go on with")
    with new_directory(f"{config.name}-evaluation", out) as directory:
        with TerminalProgress(console) as progress:
            found = evaluate_mind(config, model, StepLines(progress, Terminal(stderr=True)))
        write_json(directory / EVALUATION, found.as_dict())
    for each in found.slices:
        _print_slice(each, console)
    if found.memory is None:
        console.print("memorisation: nobody knows here whom the model learned from")
    else:
        _print_memory({MODEL: found.memory}, console)
    console.print(f"{'records':8} {escape(str(directory / EVALUATION))}", soft_wrap=True)
    return {each.name: each.asked for each in found.slices}


def _print(findings: Findings, console: Terminal) -> None:
    about = findings.about
    learned, tested, took = about["learned"], about["tested"], about["training"]
    console.print(
        f"Learned from {learned['decisions']:,} decisions in {learned['scenes']:,} scenes of {learned['people']:,} "
        f"people of {escape(about['dataset'])}: {took['steps']:,} steps, {took['tokens']:,} tokens, "
        f"{took['seconds'] / 60:.1f} minutes. Weighed on {tested['scenes']:,} scenes of {tested['people']:,} others."
    )
    chosen = learned["selection"]
    if chosen["choose"] != "all":
        console.print(
            f"Scenes: the {chosen['taken']:,} {chosen['choose']} ones of {chosen['drawn']:,} that were drawn, "
            f"{chosen['repeated']:,} of which repeat the moment of another; about {chosen['items']:,} different items."
        )
    _print_rows(findings, findings.worth["after"], console)
    for each in findings.slices:
        _print_slice(each, console)
    _print_memory(findings.memory, console)
    if served := about["served"]:
        far = served["largest_difference"]
        told = "no answer could be compared" if far is None else f"log-odds differ by at most {far:.3f}"
        console.print(f"served GGUF copy: {told}, {served['unreadable']} of {served['questions']} answers unreadable")
    for name, asked in about["asked"].items():
        console.print(f"unreadable, {name}: {asked['unreadable']:,} of {asked['questions']:,} answers")


def _print_memory(memory: Mapping[str, Memory], console: Terminal) -> None:
    """What the model tells of whom it learned from, such as before and after training."""
    for name, found in memory.items():
        for what, each in (("histories", found.histories), ("titles", found.titles)):
            guessed = "" if each is None else ends(each.separated, each.low, each.high)
            told = f"learned from or not is guessed with probability {guessed}" if guessed else "all are in prompts"
            console.print(f"memorisation, {name}, {what}: {told}")
        said = [f"{n} of {of}" for n, of in zip(found.completions.continued, found.completions.titles, strict=True)]
        told = f"{said[0]} next titles are said of people learned from, {said[1]} of others"
        console.print(f"memorisation, {name}, completions: {told}")


def _print_slice(found: Weighed, console: Terminal) -> None:
    asked = found.asked
    console.print(
        f"{escape(found.name)}: {found.scenes:,} scenes and {found.lists:,} lists of {found.people:,} people; "
        f"{asked['unreadable']:,} of {asked['questions']:,} answers unreadable"
    )
    _print_rows(found, found.worth, console)


def _print_rows(found: Findings | Weighed, worth: Sequence[Worth], console: Terminal) -> None:
    """The table of all scorers, and what the model adds to each of the others, in all and per 1,000 tokens."""
    from rich.table import Table

    from groundlings.experiments.labs.train_mind.table import FIGURES

    table = Table("scorer", *FIGURES)
    for scorer in dict.fromkeys(row.scorer for row in found.rows):
        rows = [found.find(scorer, figure) for figure in FIGURES]
        table.add_row(escape(scorer), *map(with_ends, rows))
    console.print(table)
    adds = Table(
        "language model beside", "its weight", "weight of the other", "top-1, gain of both", "nats per 1,000 tokens"
    )
    for each, tokens in zip(found.weights, worth, strict=True):
        gain = ends(each.gain, each.gain_low, each.gain_high)
        adds.add_row(escape(each.beside), with_ends(each), f"{each.other:.2f}", gain, with_ends(tokens))
    console.print(adds)
