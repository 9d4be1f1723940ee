"""The command `groundlings distil`: a language model's answers about some pairs, reproduced for everybody."""

from __future__ import annotations

import shlex
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.cli.intervals import ends, with_ends
from groundlings.experiments.cli.options import HERE, OutOption, SeedOption, SetOption
from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.distil.findings import Findings

SHOWN = ("top-1", "log-loss", "list AUC")
"""What is printed of the figures; all are in `distil.json`."""

_DIGITS = 2
"""Of all that is printed but variances, which are small."""

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A distillation file (YAML).")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the answers in DIR; what is answered is not asked again.")
]


def distil(
    config: ConfigArgument,
    out: OutOption = None,
    changes: SetOption = None,
    seed: SeedOption = None,
    resume: ResumeOption = False,
) -> None:
    """Ask a language model about some pairs of person and item, and fit a small regression that answers for all."""
    from groundlings.environments.errors import GroundlingsError, TooMuchUnreadable
    from groundlings.experiments.archive.directory import begun_directory, locked, new_directory, write_json
    from groundlings.experiments.cli.faults import errors
    from groundlings.experiments.cli.formulas import tell_formulas
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.distil.config import DistilConfig
    from groundlings.experiments.labs.distil.lab import distil as answer_for_all
    from groundlings.experiments.labs.distil.teacher_table import TABLE_NAME

    loaded = load_as(DistilConfig, config, changes or (), seed)
    console = Terminal()
    begun = locked(begun_directory(loaded.name, out, TABLE_NAME)) if resume else new_directory(loaded.name, out)
    with begun as directory:
        try:
            with TerminalProgress(console, pairs="teacher") as progress, chdir(HERE):
                findings = answer_for_all(loaded, directory, progress=progress)
        except (GroundlingsError, KeyboardInterrupt) as fault:
            if (directory / TABLE_NAME).is_file():
                kept = "every answer so far, those that could not be read among them, is in"
                mended = ", once teacher.max_unreadable allows these" if isinstance(fault, TooMuchUnreadable) else ""
                errors.print(f"{kept} {escape(str(directory / TABLE_NAME))}; go on{mended} with")
                asked = [*(f"--set={each}" for each in changes or ()), *([] if seed is None else [f"--seed={seed}"])]
                again = shlex.join(["groundlings", "distil", str(config), "--out", str(directory), *asked, "--resume"])
                errors.print(f"    {escape(again)}")
            raise
        write_json(directory / "distil.json", findings.as_dict())
        write_json(directory / "student.json", findings.student_as_dict())
    _print(findings, console)
    for kind, name in {"answers": TABLE_NAME, "student": "student.json", "records": "distil.json"}.items():
        console.print(f"{kind:8} {escape(str(directory / name))}", soft_wrap=True)
        tell_formulas(directory / name, console)


def _print(findings: Findings, console: Terminal) -> None:
    from groundlings.environments.words import persons, plural

    about, asked = findings.about, findings.about["asked"]
    guessed = asked["answers_with_estimated_tokens"]
    estimated = f", estimated for {guessed:,} answers, whose server gave no believable counts" if guessed else ""
    console.print(
        f"{escape(asked['model'])} answered {plural(asked['answers'], 'question')} ({asked['unreadable']:,} "
        "unreadable, "
        f"{asked['asked_now']:,} asked now, {asked['tokens_per_answer']:.0f} tokens each{estimated}); the student "
        f"learned from {plural(about['learned']['pairs'], 'pair')} of {persons(about['learned']['people'])} of "
        f"{escape(about['dataset'])}."
    )
    _print_students(findings, console)
    _print_worth(findings, console)


def _print_students(findings: Findings, console: Terminal) -> None:
    """How well students reproduce the teacher, and how far answers lie apart."""
    from rich.table import Table

    students = Table("student", "pairs", "read", "R2, own pairs", "R2, other people")
    for row in findings.students:
        reproduced = with_ends(row.unseen_r2, _DIGITS), with_ends(row.r2, _DIGITS)
        students.add_row(row.student, f"{row.pairs:,}", f"{row.readable:,}", *reproduced)
    console.print(students)
    for row in findings.students:
        if row.gain is not None:
            console.print(f"{row.student}: R2 less that of {row.beside} {with_ends(row.gain, _DIGITS)}")
    spread = Table("log-odds", "variance within", "between people", "within / teacher's", "between / teacher's")
    for kind in findings.spreads:
        spread.add_row(kind.of, *map(with_ends, (kind.within, kind.between, kind.within_ratio, kind.between_ratio)))
    console.print(spread)


def _print_worth(findings: Findings, console: Terminal) -> None:
    """What scorers are worth on people, and what student and teacher add to the others."""
    from rich.table import Table

    table = Table("scorer", "scenes", *SHOWN)
    for scorer in dict.fromkeys(row.scorer for row in findings.rows):
        figures = [findings.find(scorer, figure) for figure in SHOWN]
        scenes = findings.about["judged"]["scenes"] - figures[0].left_out
        table.add_row(escape(scorer), f"{scenes:,}", *(with_ends(figure, _DIGITS) for figure in figures))
    console.print(table)
    adds = Table("what adds", "beside", "its weight", "the other's", "top-1, gain of both")
    for name, weights in findings.weights.items():
        for each in weights:
            gain = ends(each.gain, each.gain_low, each.gain_high, _DIGITS)
            adds.add_row(name, escape(each.beside), with_ends(each, _DIGITS), f"{each.other:.2f}", gain)
    console.print(adds)
