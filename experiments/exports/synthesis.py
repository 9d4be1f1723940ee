"""The short road to a synthetic log: a run, its export, and what the log is worth, in one step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import Exported, check_export, export_in
from groundlings.experiments.exports.folders import draft_beside
from groundlings.experiments.exports.registry import Ahead
from groundlings.experiments.exports.source import LogSource
from groundlings.experiments.running.events import SILENT, Note, Progress
from groundlings.experiments.running.own_code import code_of_its_own
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.run import run_experiment

if TYPE_CHECKING:
    from groundlings.experiments.exports.quality.measuring import LogQuality
    from groundlings.experiments.exports.quality.real import RealData

NOT_ASKED = "it was not measured, because of --no-quality"


def synthesise(
    config: ExperimentConfig,
    format_name: str,
    out: Path,
    log: Path | None = None,
    progress: Progress = SILENT,
    *,
    quality: bool = True,
) -> Exported:
    """Run an experiment, export its log, and measure what the log is worth.

    Args:
        config: What to simulate.
        format_name: One of `registry.available_formats()`, or `module:Class`.
        out: The new directory.
        log: Where to keep the run; without it the run is removed once it is exported.
        progress: Is told how far it is.
        quality: Whether to measure the log against the real data of the run (`exports.quality`).

    Raises:
        UserError: Something that its message tells how to mend; a mistaken format or directory is found before
            anything is simulated, as is what the format cannot carry of the data.
    """
    asked_for = out
    if ":" in format_name or code_of_its_own(config):  # which may change the working directory
        out, log = out.absolute(), None if log is None else log.absolute()
    chosen = check_export(format_name, out)
    if log is not None:
        _check_apart(log, out)
    worth = _Worth(progress, quality)

    def check(plan: Plan) -> None:
        catalog, people = plan.population.catalog, plan.population.people.user_ids
        items = [catalog[number].item_id for number in range(len(catalog))]
        users = [people[user] for user in plan.population.users.tolist()]
        chosen.check(Ahead(items, users, plan.environment.schema.names))
        worth.keep(plan)

    if log is not None:
        run_experiment(config, log, progress, check=check)
        return replace(export_in(chosen, log, out, measure=worth.of), directory=asked_for)
    # Beside the export and not in the system's temporary directory, which may be small.
    with draft_beside(out) as scratch:
        run = scratch / "run"
        # A log that nobody keeps goes into the directory that goes away, wherever others are to lie.
        run_experiment(config.model_copy(update={"log": None}), run, progress, check=check)
        return replace(export_in(chosen, run, out, measure=worth.of), directory=asked_for)


def _check_apart(log: Path, out: Path) -> None:
    """Return where neither directory is or holds the other one; found before anything is simulated."""
    one, other = log.resolve(), out.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise RunDirectoryError(
            f"{log}: the run cannot be kept there, because the export goes to {out}; name directories of which neither "
            "lies in the other"
        )


class _Worth:
    """Keeps the real data of a run, which its plan holds, until there is a log to hold against them."""

    def __init__(self, progress: Progress, wanted: bool) -> None:
        self._progress, self._wanted = progress, wanted
        self._real: RealData | None = None

    def keep(self, plan: Plan) -> None:
        """Keep the real data of a plan that is about to be run."""
        from groundlings.experiments.exports.quality.real import RealData

        if self._wanted:
            self._real = RealData.of(plan)

    def of(self, source: LogSource) -> LogQuality | str:
        """What a log is worth, or why that is not said."""
        from groundlings.experiments.exports.quality.measuring import measure_log

        if self._real is None:
            return NOT_ASKED
        self._progress.event(Note("measuring what the log is worth; --no-quality leaves it out"))
        return measure_log(self._real, source)
