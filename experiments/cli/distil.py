"""The command `groundlings distil`: a language model's answers about some pairs, reproduced for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlings.experiments.terminal import Terminal, escape

if TYPE_CHECKING:
    from groundlings.experiments.labs.distil.figures import Figure
    from groundlings.experiments.labs.distil.findings import Findings
    from groundlings.experiments.labs.train_mind.table import Row, Weight

SHOWN = ("top-1", "log-loss", "list AUC")
"""What is printed of the figures; all are in `distil.json`."""

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A distillation file (YAML).")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to write; runs/NAME if absent.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The seed, instead of the file's.")]
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
    from groundlings.environments.errors import GroundlingsError
    from groundlings.experiments.archive.directory import choose_directory, locked, write_json
    from groundlings.experiments.cli.faults import errors
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_as
    from groundlings.experiments.labs.distil.config import DistilConfig
    from groundlings.experiments.labs.distil.lab import distil as answer_for_all
    from groundlings.experiments.labs.distil.teacher_table import TABLE_NAME

    loaded = load_as(DistilConfig, config, changes or (), seed)
    console = Terminal()
    directory = _begun(out or Path("runs") / loaded.name) if resume else choose_directory(loaded.name, out)
    with locked(directory):
        try:
            with TerminalProgress(console, pairs="teacher") as progress:
                findings = answer_for_all(loaded, directory, progress=progress)
        except (GroundlingsError, KeyboardInterrupt):
            if (directory / TABLE_NAME).is_file():
                errors.print(f"every answer so far is in {escape(str(directory / TABLE_NAME))}; go on with")
                errors.print(f"    groundlings distil {escape(str(config))} --out {escape(str(directory))} --resume")
            raise
        write_json(directory / "distil.json", findings.as_dict())
        write_json(directory / "student.json", findings.student_as_dict())
    _print(findings, console)
    for kind, name in {"answers": TABLE_NAME, "student": "student.json", "records": "distil.json"}.items():
        console.print(f"{kind:8} {escape(str(directory / name))}", soft_wrap=True)


def _begun(directory: Path) -> Path:
    """The directory of a distillation that has answers.

    Raises:
        RunDirectoryError: There are none.
    """
    from groundlings.environments.errors import RunDirectoryError
    from groundlings.experiments.labs.distil.teacher_table import TABLE_NAME

    if not (directory / TABLE_NAME).is_file():
        raise RunDirectoryError(
            f"{directory}: found no {TABLE_NAME} to go on from; expected the directory of a distillation that was "
            "interrupted (--out), or begin anew without --resume"
        )
    return directory


def _print(findings: Findings, console: Terminal) -> None:
    from rich.table import Table

    about, asked = findings.about, findings.about["asked"]
    console.print(
        f"{escape(asked['model'])} answered {asked['answers']:,} questions ({asked['unreadable']:,} unreadable, "
        f"{asked['asked_now']:,} asked now, {asked['tokens_per_answer']:.0f} tokens each); the student learned from "
        f"{about['learned']['pairs']:,} pairs of {about['learned']['people']:,} people of {escape(about['dataset'])}."
    )
    students = Table("student", "pairs", "read", "R2, own pairs", "R2, other people")
    for row in findings.students:
        ends = _with_ends(row.unseen_r2), _with_ends(row.r2)
        students.add_row(row.student, f"{row.pairs:,}", f"{row.readable:,}", *ends)
    console.print(students)
    for row in findings.students:
        if row.gain is not None:
            console.print(f"{row.student}: R2 less that of {row.beside} {_with_ends(row.gain)}")
    spread = Table("log-odds", "variance within", "between people", "within / teacher's", "between / teacher's")
    for kind in findings.spreads:
        spread.add_row(kind.of, *map(_finely, (kind.within, kind.between, kind.within_ratio, kind.between_ratio)))
    console.print(spread)
    table = Table("scorer", "scenes", *SHOWN)
    for scorer in dict.fromkeys(row.scorer for row in findings.rows):
        figures = [findings.find(scorer, figure) for figure in SHOWN]
        scenes = about["judged"]["scenes"] - figures[0].left_out
        table.add_row(escape(scorer), f"{scenes:,}", *map(_with_ends, figures))
    console.print(table)
    adds = Table("what adds", "beside", "its weight", "the other's", "top-1, gain of both")
    for name, weights in findings.weights.items():
        for each in weights:
            gain = _ends(each.gain, each.gain_low, each.gain_high)
            adds.add_row(name, escape(each.beside), _with_ends(each), f"{each.other:.2f}", gain)
    console.print(adds)


def _with_ends(figure: Figure | Row | Weight) -> str:
    return _ends(figure.value, figure.low, figure.high)


def _finely(figure: Figure) -> str:
    """With a digit more, for variances."""
    return _ends(figure.value, figure.low, figure.high, digits=3)


def _ends(value: float | None, low: float | None, high: float | None, *, digits: int = 2) -> str:
    if value is None:
        return "not known"
    told = f"{value:.{digits}f}"
    return told if low is None or high is None else f"{told} [{low:.{digits}f}, {high:.{digits}f}]"
