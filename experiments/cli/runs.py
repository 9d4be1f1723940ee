"""The commands `groundlings runs list | show | diff | delete`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundlings.environments.cleaning import printable
from groundlings.experiments.terminal import Terminal, escape
from groundlings.simulator.log.digest_version import shortened

if TYPE_CHECKING:
    from rich.table import Table

    from groundlings.experiments.analysis.answer.file import StoredAnswer
    from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts
    from groundlings.experiments.analysis.metrics.lost_lessons import Lessons
    from groundlings.experiments.analysis.metrics.lost_replies import LostReplies
    from groundlings.experiments.analysis.metrics.model_lists import ModelLists
    from groundlings.experiments.archive.inventory import Contrast, RunInfo

app = typer.Typer(name="runs", help="Runs: list, show, diff, delete.", no_args_is_help=True)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A directory that `groundlings run` wrote.")]

_SHORT = 12
_WIDE = 120
_HASH = re.compile(r"(v\d+:)?[0-9a-f]{64}")


@app.command("list")
def list_runs(
    root: Annotated[Path, typer.Option("--dir", metavar="DIR", help="The directory that holds the runs.")] = Path(
        "runs"
    ),
) -> None:
    """List the runs: what each was to answer, who wins, status and size."""
    from groundlings.experiments.analysis.answer.file import read_answer
    from groundlings.experiments.archive.directory import CELLS
    from groundlings.experiments.archive.inventory import find_runs
    from groundlings.experiments.cli.exports import name_drafts
    from groundlings.experiments.exports.folders import abandoned_drafts

    console = Terminal()
    wide = console.width >= _WIDE
    more = ("seed", "sessions", "size", "digest") if wide else ()
    table = _table("run", "question", "answer", "status", "started (UTC)", *more)
    unreadable = []
    doubted = False
    matrix: Path | None = None
    for run in find_runs(root):
        if run.directory.parent.name == CELLS and run.directory.parent.parent != matrix:
            matrix = run.directory.parent.parent
            answer = read_answer(matrix)
            table.add_row(*map(escape, (str(matrix.relative_to(root)), *_in_short(answer), "matrix")))
            doubted |= bool(answer.fault)
        doubted |= bool(run.answer.fault)
        table.add_row(*map(escape, _row(run, root, wide=wide)))
        if run.problem:
            unreadable.append(run.problem)
    if table.row_count:
        console.print(table)
        if not wide:
            console.print("[dim]a wider terminal shows seed, sessions, size and digest as well[/]", highlight=False)
        if doubted:
            told = "an answer that is not shown is written anew by `groundlings report RUN`"
            console.print(f"[dim]{told}[/]", highlight=False, soft_wrap=True)
    else:
        console.print(f"no runs in {escape(str(root))}", highlight=False)
    for problem in unreadable:
        console.print(f"[red]unreadable[/] {escape(problem)}", soft_wrap=True)
    name_drafts(abandoned_drafts(root), console)


@app.command("show")
def show_run(directory: RunArgument) -> None:
    """Print a run's seed, data, agents, arms and number of rows."""
    from rich.table import Table

    from groundlings.experiments.archive.inventory import read_run

    run = read_run(directory)
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(run).items():
        facts.add_row(name, escape(str(value)))
    console = Terminal()
    console.print(facts)
    arms = _table("arm", "sessions", "impressions", "unknown", "opened", "rated")
    for name, count in run.counts.items():
        cells = [f"{cell:,}" for cell in (count.sessions, count.impressions, count.unknown)]
        done = ("n/a", "n/a") if count.nothing_known else (f"{count.opened:,}", f"{count.rated:,}")
        arms.add_row(escape(name), *cells, *done)
    console.print(arms)


@app.command("diff")
def diff(first: RunArgument, second: RunArgument) -> None:
    """Print what differs between two runs: behaviour, configuration, data, versions and results."""
    from groundlings.experiments.archive.inventory import diff_runs

    console = Terminal()
    found = diff_runs(first, second)
    if not found:
        console.print("no difference: the same configuration, data, versions, behaviour and results")
        return
    marked = False
    table = _table("part", "what", str(first), str(second), "difference")
    part = ""
    for contrast in found:
        table.add_row(
            contrast.part if contrast.part != part else "",
            escape(contrast.name),
            escape(_cell(contrast.first)),
            escape(_cell(contrast.second)),
            _gap(contrast) if contrast.part == "results" else "",
        )
        part = contrast.part
        marked = marked or contrast.part == "results"
    console.print(table)
    if marked:
        console.print(
            "[bold]*[/] further apart than two samples of agents are by chance (5 %, corrected for all results); "
            "[dim]dim: within the noise[/]",
            highlight=False,
        )


@app.command("delete")
def delete(
    directory: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete a run and everything in its directory.

    It asks first: any answer but `y` keeps the run (status 0), and so does the end of the input (status 2).
    """
    from groundlings.environments.words import plural
    from groundlings.experiments.archive.inventory import check_deletable, delete_run

    run = check_deletable(directory)
    files = sum(1 for path in directory.rglob("*") if path.is_file())
    still = " It says that it is running: another process may be writing it." if run.status == "running" else ""
    question = (
        f"Delete {printable(str(directory))} ({printable(run.status)}, {plural(run.sessions, 'session')}, "
        f"{plural(files, 'file')}, {_megabytes(run)})?{still}"
    )
    if not yes and not _confirmed(question, directory):
        Terminal().print(f"kept {escape(str(directory))}; nothing was deleted", highlight=False, soft_wrap=True)
        return
    delete_run(directory)
    Terminal().print(f"deleted {escape(str(directory))}", highlight=False, soft_wrap=True)


def _confirmed(question: str, directory: Path) -> bool:
    """Whether somebody says yes; raises where there is nobody to say anything."""
    from groundlings.environments.errors import RunDirectoryError

    try:
        return typer.confirm(question)
    except typer.Abort as end:
        if not isinstance(end.__context__, EOFError):
            raise
        raise RunDirectoryError(
            f"{directory}: nobody answered, so nothing was deleted; --yes deletes it without asking"
        ) from None


def _finished(run: RunInfo) -> str:
    """When a run was done; of one that was stopped, that it is not, and when it stopped."""
    at: str | None = run.facts["finished_at"]
    return at if at and run.status == "done" else f"not yet; stopped {at}" if at else "not yet"


def _facts(run: RunInfo) -> dict[str, Any]:
    from groundlings.experiments.archive.provenance import claim

    about, notes = run.facts, _data_notes(run)
    return {
        "run": about["run_id"],
        "experiment": about["experiment"],
        "status": run.status,
        "started": about["started_at"],
        "finished": _finished(run),
        **({} if run.status == "done" else {"cut short": _cut_short(run)}),
        **({"unknown": run.lost.sentence()} if run.lost.lost else {}),
        **_of_models(run),
        "seed": about["seed"],
        "digest": run.digest or "none: the run is not done",
        **({"answer": run.answer.fault} if run.answer.fault else {}),
        "log": str(run.changes),
        "identity": claim(about),
        "config hash": about["config_hash"],
        "data": f"{about['dataset']} ({about['dataset_hash'][:_SHORT]})",
        **({"data notes": "; ".join(notes)} if notes else {}),
        "licence": about["dataset_licence"],
        "mind": about["mind"].get("kind", "unknown"),
        "model": about["model_fingerprint"] or "none",
        "site": f"{about['page_size']} slots a page, {about['max_pages']} pages at most",
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "size": _megabytes(run),
    }


def _of_models(run: RunInfo) -> dict[str, str]:
    """What language models were asked besides pages, and what came of it."""
    told: Mapping[str, Mapping[str, LostAfterthoughts | Lessons | LostReplies | ModelLists]] = {
        "after sessions": run.afterthoughts,
        "lessons": run.lessons,
        "lost replies": run.unread,
        "model lists": run.lists,
    }
    return {
        name: "; ".join(f"{arm}: {each.sentence()}" for arm, each in found.items())
        for name, found in told.items()
        if found
    }


def _data_notes(run: RunInfo) -> tuple[str, ...]:
    """What has to be known of its data; () where nobody wrote it down, or it cannot be read any more."""
    from groundlings.environments.errors import RunDirectoryError
    from groundlings.experiments.archive.directory import data_notes, read_manifest

    try:
        return data_notes(read_manifest(run.directory))
    except RunDirectoryError:
        return ()


def _cut_short(run: RunInfo) -> str:
    """The sessions that were open when the run stopped."""
    from groundlings.environments.words import plural

    if run.cut_short is None:
        return "not known; a session that was open is not in the log, and begins anew with --resume"
    some = [f"{each['arm']} day {each['day'] + 1} user {each['user_id']}" for each in run.cut_short[:_SOME]]
    more = f", and {len(run.cut_short) - _SOME} more" if len(run.cut_short) > _SOME else ""
    return (
        f"{plural(len(run.cut_short), 'open session, which begins', 'open sessions, which begin')} anew with --resume: "
        f"{', '.join(some)}{more}"
        if some
        else "none"
    )


_SOME = 5


def _table(*headers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for header in headers:
        table.add_column(escape(header), overflow="fold")
    return table


def _megabytes(run: RunInfo) -> str:
    return f"{run.size_bytes / 1e6:,.1f} MB"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = str(value)
    return shortened(text) if _HASH.fullmatch(text) else text


def _gap(contrast: Contrast) -> str:
    if contrast.first is None or contrast.second is None:
        return ""
    size = f"{contrast.second - contrast.first:+.4f}"
    return (
        f"[bold]{size} *[/]" if contrast.beyond_noise else f"[dim]{size}[/]" if contrast.beyond_noise is False else size
    )


def _row(run: RunInfo, root: Path, *, wide: bool) -> list[str]:
    """One run; what the cells of a matrix answer stands with the matrix."""
    from groundlings.experiments.archive.directory import CELLS

    question, answer = ("", "") if run.directory.parent.name == CELLS else _in_short(run.answer)
    status = run.status + (" (changed)" if run.changes and run.changes.faults else "")
    started = str(run.facts.get("started_at", ""))[:16].replace("T", " ")
    sessions = f"{run.sessions:,}" if run.counts else ""
    more = [str(run.facts.get("seed", "")), sessions, _megabytes(run), shortened(run.digest or "")] if wide else []
    return [str(run.directory.relative_to(root)), question, answer, status, started, *more]


def _in_short(answer: StoredAnswer) -> tuple[str, str]:
    """The question of a run and its answer in short, or why that is not shown; "" for a run that wrote none down."""
    found = answer.values
    return str(found.get("question") or ""), str(found.get("short") or answer.fault.partition(";")[0])
