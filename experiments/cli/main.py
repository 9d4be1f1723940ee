"""The command `groundlings`."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
import traceback
import warnings
from functools import cache
from pathlib import Path
from typing import Annotated, TextIO

import typer

from groundlings.environments.cleaning import CleanFormatter
from groundlings.environments.earlier_names import EarlierName
from groundlings.environments.errors import (
    BudgetExhausted,
    ConfigError,
    RunDirectoryError,
    RunWarning,
    TooMuchUnreadable,
    UserError,
)
from groundlings.experiments.cli.faults import errors, fault_of_memory, out_of_memory, place_of_exit, usage_error
from groundlings.experiments.cli.help_pages import BELIEVE, COMPARE, DATA, MODELS, RUN, Commands
from groundlings.experiments.cli.options import ConfigArgument, Hours, Rate, RunArgument, SeedOption, SetOption, Version
from groundlings.experiments.cli.signals import Stopped
from groundlings.experiments.cli.startup import collect_seldom, drawing_beside, load_mesa
from groundlings.experiments.cli.streams import patient_streams
from groundlings.experiments.terminal import Terminal, escape, say

app = typer.Typer(
    name="groundlings",
    cls=Commands,
    help="Test a recommender on simulated users before real users see it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CTRL_C = 130


@app.callback()
def groundlings(version: Version = False) -> None:
    """Test a recommender on simulated users before real users see it."""


@app.command(rich_help_panel=RUN)
def check(
    config: ConfigArgument, changes: SetOption = None, seed: SeedOption = None, rate: Rate = None, hours: Hours = 1.0
) -> None:
    """Validate an experiment file and print what a run would do and cost.

    Code that the file names as `module:Class` is imported, and so run; each is named before.
    """
    from groundlings.environments.plugins import NamedCode, told_of_named_code
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.running.asking_time import Wish
    from groundlings.experiments.running.beginning import check_beginning
    from groundlings.experiments.running.cost import print_plan
    from groundlings.experiments.running.plan import build_plan

    console = Terminal()
    told: set[NamedCode] = set()

    def tell(code: NamedCode) -> None:
        if code not in told:
            told.add(code)
            home = f"it is imported from {code.home}" if code.home else "no such module is found"
            console.print(
                escape(f"note  this file names code: {code.path} ({code.at}); {home}"), highlight=False, soft_wrap=True
            )

    with told_of_named_code(tell):
        plan = build_plan(load_config(config, changes or (), seed), progress=TerminalProgress(console))
        check_beginning(plan)
        print_plan(plan, console, Wish(rate, hours))


@app.command(rich_help_panel=RUN)
def run(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="An experiment file (YAML).")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; runs/NAME if absent.")
    ] = None,
    changes: SetOption = None,
    seed: SeedOption = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="Continue an interrupted run.")] = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="With --resume: go on although code, model or another part has changed; the log then says so.",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="PATH", help="With --resume: where the files lie now; their content is the same."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end, and progress on standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the path of the report.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Open a page that shows the run while it goes; needs groundlings[ui].")
    ] = False,
) -> None:
    """Simulate all arms, write the log, then summary and report."""
    load_mesa()
    from groundlings.experiments.cli.progress import TerminalProgress
    from groundlings.experiments.cli.run_output import print_as_json, print_outcome
    from groundlings.experiments.cli.ui import check_installed, opening_a_page
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.running.live_file import LiveFile
    from groundlings.experiments.running.replicates import go_on_with, run_as_configured
    from groundlings.experiments.running.run_directory import Resuming

    if (config is None) == (resume is None) or (resume and (out or changes or seed is not None)):
        raise ConfigError(
            "run: give either CONFIG (with --out, --set, --seed) or --resume RUN (with --accept-changes, --data)"
        )
    if resume is None and (accept_changes or data is not None):
        raise ConfigError("run: --accept-changes and --data belong to --resume RUN")
    if as_json and quiet:
        raise ConfigError("run: give either --json or --quiet")
    if live:
        check_installed()
    configured = None if config is None else load_config(config, changes or (), seed)
    with (
        drawing_beside(),
        TerminalProgress(Terminal(stderr=as_json, quiet=quiet)) as progress,
        LiveFile(opening_a_page(progress) if live else progress) as told,
    ):
        try:
            if configured is not None:
                outcome = run_as_configured(configured, out, told)
            elif resume is not None:
                outcome = go_on_with(resume, told, resuming=Resuming(accept_changes, data))
        except (UserError, BudgetExhausted, TooMuchUnreadable, KeyboardInterrupt, SystemExit):
            if progress.an_arm_began and progress.directory is not None and progress.directory.is_dir():
                errors.print("every finished session is in the log; continue with")
                errors.print(f"    groundlings run --resume {escape(shlex.quote(str(progress.directory)))}")
            raise
    if as_json:
        print_as_json(outcome)
    else:
        print_outcome(outcome, Terminal(), quiet=quiet)


@app.command(rich_help_panel=COMPARE)
def report(
    directory: RunArgument,
    fidelity: Annotated[
        Path | None, typer.Option("--fidelity", metavar="FILE", help="A fidelity.json; RUN/fidelity.json if absent.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="A truth.json; RUN/truth.json if absent.")
    ] = None,
) -> None:
    """Compute metrics and report of a run again, from its log and what lies beside it."""
    from groundlings.experiments.archive.cells import runs_in
    from groundlings.experiments.cli.run_output import measured_again, print_measured

    console = Terminal()
    with drawing_beside():
        found = measured_again(directory, fidelity, truth)
    print_measured(found, console, cells=[run.name for run in runs_in(directory)])
    console.print(f"report  {escape(str(directory / 'report.html'))}", soft_wrap=True)


@app.command("digest", rich_help_panel=RUN)
def print_digest(
    directory: RunArgument,
    version: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the digest, 1 or 2. Without it: the one that the run began with."),
    ] = None,
) -> None:
    """Print the digest of a run (SHA-256 over what happened); equal digests mean equal behaviour.

    A digest begins with its version (v2:), but for those of the first one; digests of two versions say nothing of each
    other. Every row is read, and whether it is as it was written; where it is not, the exit status is 2.
    """
    from groundlings.experiments.archive.cells import runs_in
    from groundlings.experiments.archive.integrity import reading
    from groundlings.experiments.archive.log_check import check_log
    from groundlings.simulator.log.reader import LogReader

    runs, changed = runs_in(directory), []
    for run in runs:
        with reading(run), LogReader(run) as log:
            digest, seals = log.digest_and_seals(version)
            say(digest + (f"  {run.name}" if len(runs) > 1 else ""), newlines=False)
            found = check_log(run, log, most_rows=None, seals=seals)
            if found.faults:
                changed.append(f"{run}: {found}")
    if changed:
        raise RunDirectoryError("; ".join(changed))


@app.command(rich_help_panel=RUN)
def doctor() -> None:
    """Check this installation and print what is missing or broken."""
    from groundlings.experiments.cli.doctor import print_findings

    raise typer.Exit(print_findings(Terminal()))


@cache
def _mount() -> None:
    """Add the commands of the other modules, once in a process: each mounting would add every command again."""
    from groundlings.experiments.cli import (
        agent,
        calibrate,
        compare,
        conversation,
        data,
        datasets,
        dialogues,
        distil,
        exports,
        fidelity,
        interference,
        model,
        off_policy,
        paradigms,
        personas,
        runs,
        schema,
        search_sessions,
        ties,
        train_mind,
        truth,
        ui,
        validate,
        warmup,
        word_of_mouth,
    )

    commands = {
        RUN: (schema.schema, compare.power),
        COMPARE: (
            *(agent.agent, compare.compare, paradigms.paradigms, conversation.conversation),
            *(word_of_mouth.word_of_mouth, ui.ui),
        ),
        BELIEVE: (
            *(calibrate.calibrate, fidelity.fidelity, validate.validate, truth.truth, dialogues.dialogues),
            *(interference.interference, off_policy.off_policy, search_sessions.search_sessions, ties.ties),
            warmup.warmup,
        ),
        MODELS: (train_mind.train_mind, distil.distil),
    }
    for panel, functions in commands.items():
        for function in functions:
            app.command(function.__name__.replace("_", "-"), rich_help_panel=panel)(function)
    app.add_typer(exports.app, cls=Commands)
    groups = {
        "runs": (runs.app, COMPARE, "Runs: list, show, diff, delete."),
        "data": (data.app, DATA, "Your own data: propose a mapping, write the training part."),
        "datasets": (datasets.app, DATA, "Data sets: list, fetch, show."),
        "personas": (personas.app, DATA, "The personas of an experiment."),
        "model": (model.app, MODELS, "Language models: serve the embedded one, probe an endpoint."),
    }
    for name, (group, panel, text) in groups.items():
        app.add_typer(group, name=name, cls=Commands, rich_help_panel=panel, help=text)


_show_in_file = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Earlier names and changed runs are the reader's business, wherever our code noticed; others tell their place."""
    if issubclass(category, EarlierName):
        errors.print(f"[yellow]earlier name[/] {escape(str(message))}")
    elif issubclass(category, RunWarning):
        if str(message) not in _WARNED:  # a lab may make a world many times over
            errors.print(f"[yellow]warning[/] {escape(str(message))}")
            _WARNED.add(str(message))
    elif file is None:
        say(warnings.formatwarning(message, category, filename, lineno, line).rstrip("\n"), stderr=True)
    else:
        _show_in_file(message, category, filename, lineno, file, line)


_WARNED: set[str] = set()
"""What this command has warned of; once is enough."""


def main() -> None:
    """Run the command.

    It exits with 0 when it is done, 1 for a fault of ours or where too little could be read, 2 for something the user
    can mend, 3 for a verdict to fail on, and where it was stopped with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP).
    """
    collect_seldom()
    _WARNED.clear()
    warnings.showwarning = _show_warning
    if logging.lastResort is not None:  # what other packages log where nobody listens
        logging.lastResort.setFormatter(CleanFormatter())
    stopped = Stopped()
    stopped.listen()
    with patient_streams() as streams:
        status = _status_of_the_command(stopped)
        if streams.out.lost:
            say(f"what was printed is lost: standard output cannot be written ({streams.out.lost})", stderr=True)
            status = status or (0 if _keeps_files() else 1)
    sys.exit(status)


def _status_of_the_command(stopped: Stopped) -> int:
    try:
        _mount()
        status = app(standalone_mode=False)  # so that typer leaves the printing of errors to us
        if status == CTRL_C:
            return _told_of_stopping(stopped)
        return status if isinstance(status, int) else 0
    except (UserError, BudgetExhausted) as error:
        errors.print(f"[bold red]error[/] {escape(str(error), newlines=True)}")
        return 2
    except TooMuchUnreadable as error:
        errors.print(f"[bold red]too little could be read[/] {escape(str(error))}")
        return 1
    except typer.Abort:
        if stopped.came:
            return _told_of_stopping(stopped)
        errors.print("Aborted.")
        return 1
    except KeyboardInterrupt:
        return _told_of_stopping(stopped)
    except SystemExit as end:
        if (place := place_of_exit(end)) is None:
            raise
        errors.print(f"[bold red]error[/] {escape(place)}")
        return 2
    except OSError as fault:
        if fault.errno in _OF_THE_SYSTEM and fault.filename is None:
            errors.print(f"[bold red]error[/] {escape(f'{fault.strerror}; {_OF_THE_SYSTEM[fault.errno]}')}")
            return 2
        if fault.filename is None or fault.strerror is None:
            say("".join(traceback.format_exception(fault)).rstrip("\n"), stderr=True)
            return 1
        name = os.fsdecode(fault.filename) if isinstance(fault.filename, str | bytes) else str(fault.filename)
        errors.print(f"[bold red]error[/] {escape(f'{name}: {fault.strerror}; name another path, or mend this one')}")
        return 2
    except Exception as fault:
        if hasattr(fault, "format_message"):  # of typer, whose name for it differs between versions
            return usage_error(fault)
        if (led := fault_of_memory(fault)) is not None:
            errors.print(f"[bold red]error[/] {escape(out_of_memory(led))}")
            return 2
        say("".join(traceback.format_exception(fault)).rstrip("\n"), stderr=True)
        return 1


_OF_THE_SYSTEM = {
    errno.ENOSPC: "free some space, or name directories on another disk (--out, GROUNDLINGS_CACHE, GROUNDLINGS_DATA)",
    errno.ENOMEM: "there is not enough memory; take fewer users, items or rows, or fewer worker processes",
    errno.EDQUOT: "free some of what you may use, or name directories on another disk (--out, GROUNDLINGS_CACHE)",
    errno.EMFILE: "let a process open more files (ulimit -n)",
    errno.ENFILE: "the system has too many files open; close some",
}
"""What the system says without naming a file, and what helps."""


def _told_of_stopping(stopped: Stopped) -> int:
    errors.print(f"stopped by {stopped.name}")
    return stopped.exit_code(CTRL_C)


def _keeps_files() -> bool:
    """Whether the command leaves its results in files, so that it is done even if nobody could read what it said."""
    return " ".join(sys.argv[1:2]) in _KEEPS_FILES or " ".join(sys.argv[1:3]) in _KEEPS_FILES


_KEEPS_FILES = {
    "calibrate", "data split", "datasets fetch", "distil", "export", "fidelity", "report", "run", "runs delete",
    "synthesize", "train-mind", "truth", "validate", "warmup",
}  # fmt: skip


if __name__ == "__main__":
    main()
