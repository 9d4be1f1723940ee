"""Running an experiment: prepare, simulate, measure; begun anew or gone on with, it is one path."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from groundlings.environments.cleaning import logger
from groundlings.environments.errors import TooMuchUnreadable
from groundlings.experiments.analysis.comparison.held_out import HELD_OUT_HASH, write_held_out
from groundlings.experiments.analysis.measuring import Figures, Measured, measure, read_figures
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.metrics.background import BACKGROUND_HASH, measure_background, write_background
from groundlings.experiments.analysis.metrics.fit_counts import fit_counts_hash
from groundlings.experiments.analysis.metrics.social import TOLD
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import refuse_changed_manifest, write_manifest
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.click_level import level_warning_of_run
from groundlings.experiments.running.event_loop import completed, outside_of_loops, told_while_stopping
from groundlings.experiments.running.events import SILENT, Note, Progress, RunBegins, on_measuring
from groundlings.experiments.running.hybrid import live_with_language, open_language_model, spent_by_run
from groundlings.experiments.running.manifest import manifest, run_row
from groundlings.experiments.running.own_code import home
from groundlings.experiments.running.plan import Plan, prepare
from groundlings.experiments.running.relocation import check_files, with_data_at
from groundlings.experiments.running.run_directory import (
    AS_BEGUN,
    Resuming,
    Simulated,
    begin,
    check_log_is_there,
    kept,
    prepare_again,
    simulate_into,
)
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.engines.beside import Beside
from groundlings.simulator.log.begun import begun_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reply_forms import builds_by_arm, calls_with_estimates, replies_by_form
from groundlings.simulator.log.session_hashes import Hashes
from groundlings.simulator.log.spending import Spending
from groundlings.simulator.log.store import refuse_disguised_log, store_at

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run.

    Attributes:
        directory: Where everything lies.
        summary: The figures.
        digest: SHA-256 over what happened.
        measured: The figures, and what they answer.
    """

    directory: Path
    summary: Summary
    digest: str
    measured: Measured


def run_experiment(
    config: ExperimentConfig,
    out: Path | None = None,
    progress: Progress = SILENT,
    *,
    spent: Spending | None = None,
    supplied: Supplied | None = None,
    check: Callable[[Plan], None] | None = None,
) -> Outcome:
    """Simulate all arms, then measure and draw.

    Nothing is written before the data is read, the recommenders are known and the model answers. It works in a
    notebook as in a script: where an event loop runs already, it takes a thread of its own.

    Args:
        config: What to run, without variants.
        out: The directory; one under `runs` if absent.
        progress: Is told how far it is.
        spent: What other runs have taken of the budgets.
        supplied: Objects that stand in for names of the configuration.
        check: Is given the plan before anything is written, and raises where it should not be run.

    Raises:
        UserError: Something that its message tells how to mend; what was logged before stays readable.
    """
    return outside_of_loops(lambda told: _carried_out(config, told, spent, supplied, out=out, check=check), progress)


def resume_experiment(
    directory: Path,
    progress: Progress = SILENT,
    *,
    spent: Spending | None = None,
    supplied: Supplied | None = None,
    resuming: Resuming = AS_BEGUN,
) -> Outcome:
    """Go on with a run that was interrupted, wherever it was; a finished one is only measured again.

    Sessions that are in the log are not asked again. The outcome has the digest of an uninterrupted run.

    Args:
        directory: The run's.
        progress: Is told how far it is.
        spent: What other runs have taken of the budgets.
        supplied: Objects that stand in for names of the configuration.
        resuming: What may differ from the run's beginning.

    Raises:
        RunDirectoryError: There is no run, it is damaged, or another process is at it.
        ConfigError: It is no longer the experiment that it began as; the message names what differs.
        DataError: Its data has gone, or its calibration cannot be read.
    """
    config = load_config(files.existing_config(directory))
    if resuming.data is not None:
        config = with_data_at(config, resuming.data)
    return outside_of_loops(
        lambda told: _carried_out(config, told, spent, supplied, resumed=directory, resuming=resuming), progress
    )


def _carried_out(
    config: ExperimentConfig,
    progress: Progress,
    spent: Spending | None,
    supplied: Supplied | None,
    *,
    out: Path | None = None,
    resumed: Path | None = None,
    resuming: Resuming = AS_BEGUN,
    check: Callable[[Plan], None] | None = None,
) -> Outcome:
    """Either kind of run: a resumed directory is locked first, a new one once nothing can fail any more."""
    with ExitStack() as held:
        before, begun, at = spent or Spending(), None, home(config, supplied)
        if resumed is None:
            files.check_server(config.log.url if config.log else None)
        else:
            resumed = at / resumed
            held.enter_context(reading(resumed))
            held.enter_context(kept(resumed))
            progress.event(RunBegins(resumed))
            refuse_disguised_log(store_at(resumed))  # before a row is read
            before += spent_by_run(resumed)
            begun = begun_in(store_at(resumed))
            check_log_is_there(resumed, begun)
            refuse_changed_manifest(resumed)
            check_files(config, resumed)
            _logger.info("%s: resumed, %d calls were made before", resumed, before.agents.calls)

        async def simulated() -> tuple[Plan, Path, Simulated, dict[str, str], dict[str, float]]:
            began = time.monotonic()
            async with AsyncExitStack() as stack:
                plan = await prepare(
                    config,
                    stack,
                    supplied=supplied,
                    progress=progress,
                    spent=before,
                    resumed=resumed if begun is not None else None,
                )
                language = await open_language_model(plan, stack, progress, resumed, before)
                if check is not None:
                    check(plan)
                if resumed is None and (warning := await level_warning_of_run(plan)):
                    progress.event(Note(warning))
                directory = resumed or begin(plan, out, at, held, progress)
                if resumed is not None:
                    prepare_again(plan, resumed, begun, resuming)
                if plan.execution.engine != "process" or config.execution.engine != "auto":
                    for line in plan.execution.lines:
                        progress.event(Note(f"engine: {line}"))
                ready = time.monotonic()
                try:
                    accept = resuming.accept_changes
                    with told_while_stopping(progress):
                        found = await simulate_into(directory, plan, run_row(plan), progress, accept=accept)
                        sampled = await live_with_language(directory, plan, language, progress, accept=accept)
                except TooMuchUnreadable:
                    _shown(plan, directory, progress)
                    raise
                seconds = {"prepare": ready - began, "simulate": time.monotonic() - ready}
                return plan, directory, found, sampled, seconds

        return _measured(*completed(simulated()), progress=progress)


def _shown(plan: Plan, directory: Path, progress: Progress) -> None:
    """Measure and draw what a run has that stopped because too little could be read: its report shows how little."""
    progress.event(Note("measuring and drawing what was read"))
    with LogReader(directory) as log:
        measure(directory, log, metrics=plan.metrics)


def _word_of_mouth(plan: Plan, log: LogReader) -> Mapping[str, tuple[tuple[int, ...], ...]] | None:
    """What reached whom, as `Background.told`, where a metric asks for it."""
    if not any(metric in TOLD for metric in plan.metrics):
        return None
    from groundlings.experiments.labs.word_of_mouth.reached import reached_in

    return reached_in(plan, log)


def _measured(
    plan: Plan,
    directory: Path,
    found: Simulated,
    sampled: Mapping[str, str],
    seconds: Mapping[str, float],
    *,
    progress: Progress,
) -> Outcome:
    written_hash = write_held_out(directory, found.held_out)
    with Beside(partial(_digest_of, directory, found.hashes)) as digest, LogReader(directory) as log:
        told = _word_of_mouth(plan, log)
        lies_behind = measure_background(plan.split.train, plan.population.users, log, plan.item_groups, told)
        background = write_background(directory, lies_behind)
        with _figures_beside(plan, directory, log) as figures:
            fingerprint = digest.answer()
            replies = {
                "reply_forms": replies_by_form(log),
                "calls_with_estimated_tokens": calls_with_estimates(log),
                "model_builds": builds_by_arm(log),
            }
            about = manifest(plan, log.run(), log.accepted_changes(), fingerprint, seconds)
        written = {**about, **replies, HELD_OUT_HASH: written_hash, BACKGROUND_HASH: background}
        written.update(fit_counts_hash(directory))
        if sampled:
            written["language_sample"] = dict(sampled)
        log.close()  # until the next question: the manifest is sealed in the log, one file again where nobody reads it
        write_manifest(directory, written)
        known = None if figures is None else figures.result()  # what fails there fails once the run has its manifest
        measured = measure(directory, log, plan.metrics, most_rows=0, told=on_measuring(progress), figures=known)
    return Outcome(directory, measured.summary, fingerprint, measured)


def _digest_of(directory: Path, hashes: Hashes | None) -> str:
    """The digest of a log; it is opened for this alone, so that another process can."""
    with LogReader(directory) as log:
        return log.digest(hashes=hashes)


@contextmanager
def _figures_beside(plan: Plan, directory: Path, log: LogReader) -> Iterator[Future[Figures] | None]:
    """The figures of a log, which a second core reads until the context ends.

    None where the run was finished before: files beside its log are held against a manifest that is about to change.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="groundlings-figures") as beside:
        if (directory / files.MANIFEST_NAME).is_file():
            yield None
        else:
            yield beside.submit(read_figures, log, plan.metrics)
