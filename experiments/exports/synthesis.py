"""The short road to a synthetic log: a run and its export in one step."""

from __future__ import annotations

from pathlib import Path

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import Exported, check_export, export_run
from groundlings.experiments.exports.folders import draft_beside
from groundlings.experiments.running.events import SILENT, Progress
from groundlings.experiments.running.run import run_experiment


def synthesise(
    config: ExperimentConfig, format_name: str, out: Path, log: Path | None = None, progress: Progress = SILENT
) -> Exported:
    """Run an experiment and export its log.

    Args:
        config: What to simulate.
        format_name: One of `registry.available_formats()`, or `module:Class`.
        out: The new directory.
        log: Where to keep the run; without it the run is removed once it is exported.
        progress: Is told how far it is.

    Raises:
        UserError: Something that its message tells how to mend; a mistaken format or directory is found before
            anything is simulated.
    """
    check_export(format_name, out)
    if log is not None:
        run_experiment(config, log, progress)
        return export_run(log, format_name, out)
    # Beside the export and not in the system's temporary directory, which may be small.
    with draft_beside(out) as scratch:
        run = scratch / "run"
        # A log that nobody keeps goes into the directory that goes away, wherever others are to lie.
        run_experiment(config.model_copy(update={"log": None}), run, progress)
        return export_run(run, format_name, out)
