"""What `groundlings run` prints when it is done: tables, one line, or one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.experiments.terminal import escape, say_json

if TYPE_CHECKING:
    from rich.console import Console

    from groundlings.experiments.analysis.measuring import Measured
    from groundlings.experiments.running.replicates import MatrixOutcome
    from groundlings.experiments.running.run import Outcome


def print_outcome(done: Outcome | MatrixOutcome, console: Console, *, quiet: bool = False) -> None:
    """Print what a run has found; where quiet, only where its report lies.

    Args:
        done: What was run.
        console: Where it is printed.
        quiet: Whether the last line is all.
    """
    from groundlings.experiments.running.replicates import MatrixOutcome

    if quiet:
        pass
    elif isinstance(done, MatrixOutcome):
        for name, each in done.cells.items():
            console.print(f"digest  {each.digest}  {escape(name)}", soft_wrap=True)
        print_measured(done.measured, console, cells=list(done.cells))
    else:
        _print_tables(done.measured, console)
        _print_retention(done, console)
        console.print(f"digest  {escape(done.digest)}")
        _print_answer(done.measured, console)
    console.print(f"report  {escape(str(done.directory / 'report.html'))}", soft_wrap=True)


def measured_again(directory: Path, fidelity: Path | None, truth: Path | None) -> Measured:
    """What the log of a run says, or those of all cells of a matrix together; their reports are written anew.

    Args:
        directory: Of the run or the matrix.
        fidelity, truth: Files of the labs, where they do not lie beside a run.
    """
    from groundlings.experiments.analysis.measuring import measure
    from groundlings.experiments.archive.cells import has_cells
    from groundlings.experiments.archive.integrity import reading
    from groundlings.simulator.log.reader import LogReader

    if has_cells(directory):
        from groundlings.experiments.running.replicates import write_reports

        return write_reports(directory, fidelity, truth)
    with reading(directory), LogReader(directory) as log:
        return measure(directory, log, fidelity=fidelity, truth=truth)


def print_measured(found: Measured, console: Console, cells: Sequence[str] = ()) -> None:
    """Print the tables of what was measured, and what it answers.

    Args:
        found: Of a run, or of all cells of a matrix.
        console: Where it is printed.
        cells: Of the matrix, the first of which the first table is about; none of a run.
    """
    _print_tables(found, console, cells)
    _print_answer(found, console)


def _print_tables(found: Measured, console: Console, cells: Sequence[str] = ()) -> None:
    from groundlings.experiments.analysis.answer.terminal import print_abouts, render_ranking
    from groundlings.experiments.analysis.report import render_summary_table

    if len(cells) > 1:
        first = f"{escape(cells[0])} alone, one of {len(cells)} runs; what stands below it is of all of them together"
        console.print(f"This table is of {first}.", highlight=False)
    console.print(render_summary_table(found.summary))
    ranking = render_ranking(found.answer, console.width)
    if ranking is not None:
        console.print(ranking)
        print_abouts(found.answer, console)


def _print_answer(found: Measured, console: Console) -> None:
    from groundlings.experiments.analysis.answer.terminal import print_lights, print_sentence

    print_lights(found.answer, console)
    print_sentence(found.answer, console)


def _print_retention(done: Outcome, console: Console) -> None:
    """Print who comes back, where the run's file says more of it than a chance per day."""
    from groundlings.experiments.analysis.report.returning import depends_on_sessions, render_retention_table
    from groundlings.simulator.log.reader import LogReader

    with LogReader(done.directory) as log:
        if depends_on_sessions(log):
            console.print(render_retention_table(log))


def print_as_json(done: Outcome | MatrixOutcome) -> None:
    """Print one JSON object: directory, status, digest, figures of the arms, and the verdict on what was declared."""
    say_json(_described(done))


def _described(done: Outcome | MatrixOutcome) -> dict[str, Any]:
    from groundlings.experiments.running.replicates import MatrixOutcome

    where = {"directory": str(done.directory), "status": "done"}
    if isinstance(done, MatrixOutcome):
        first, *others = done.cells.values()
        cells = {name: _figures(each) for name, each in done.cells.items()}
        return {**where, "cells": cells, "verdict": _verdict(first, others)}
    return {**where, **_figures(done), "verdict": _verdict(done, [])}


def _figures(done: Outcome) -> dict[str, Any]:
    arms = [{key: value for key, value in arm.items() if key != "days"} for arm in done.summary.as_dict()["arms"]]
    return {"digest": done.digest, "arms": arms}


def _verdict(first: Outcome, others: list[Outcome]) -> dict[str, Any] | None:
    """The word for each arm on the declared metric, and the reasons; None where nothing was declared."""
    from groundlings.experiments.analysis.comparison.comparing import compare_run
    from groundlings.simulator.log.reader import LogReader

    with ExitStack() as stack:
        logs = [stack.enter_context(LogReader(each.directory)) for each in (first, *others)]
        found = compare_run(first.directory, logs[0], variants=logs[1:])
    if not found.declared:
        return None
    arms = {arm.name: {"word": arm.word, "reasons": list(arm.reasons)} for arm in found.arms}
    return {"primary": found.plan.primary, "baseline": found.baseline, "arms": arms}
