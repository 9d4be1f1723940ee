"""From a table of past tests to what they say of the simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.errors import DataError
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.past_tests.agreement import Corrections, Record, leave_one_out, measure_agreement
from groundlings.experiments.labs.past_tests.counterpart import Simulated, counterpart, read_run
from groundlings.experiments.labs.past_tests.slope import FEWEST, Effects, Slope, fit_slope
from groundlings.experiments.labs.past_tests.tests_file import PastTest, Scale
from groundlings.experiments.running.events import SILENT, Note, Progress
from groundlings.experiments.running.replicates import run_as_configured

FILE_NAME = "validate.json"

PUBLISHED = (
    ("SimGym (Shopify)", "sign agreement .77 of 50 tests, r .55"),
    ("SimAB (Adobe)", "sign agreement .67 of 47 tests"),
    ("SimUSER", "Spearman .72 over 55 tests"),
)
"""Published comparisons of simulated with real tests; tests and data are proprietary, and no trivial guess is given."""


@dataclass(frozen=True)
class Findings:
    """What past tests say.

    Attributes:
        about: Where the figures come from.
        scale: Of the effects.
        tests: The tests, and `simulated` beside them, in the order of the table.
        simulated: The simulated effects.
        corrections: Each real effect as the other experiments predict it.
        records: Figures, each beside those of trivial guesses.
        slope: Fitted on all tests; None where they are too few.
    """

    about: Mapping[str, Any]
    scale: Scale
    tests: tuple[PastTest, ...]
    simulated: tuple[Simulated, ...]
    corrections: Corrections
    records: tuple[Record, ...]
    slope: Slope | None

    def as_dict(self) -> dict[str, Any]:
        """The content of `validate.json`."""
        return {
            "about": dict(self.about),
            "scale": self.scale,
            "metrics": sorted({test.metric for test in self.tests}),
            "slope": None if self.slope is None else asdict(self.slope),
            "records": [record.as_dict() for record in self.records],
            "tests": [
                {
                    "experiment": test.experiment,
                    "arm": test.arm,
                    "metric": test.metric,
                    "real": test.effect,
                    "real_error": test.error,
                    "simulated": simulated.effect,
                    "simulated_error": simulated.error,
                    "agents": simulated.agents,
                    "run_id": simulated.run_id,
                    "changed_since_written": list(simulated.changed),
                    "corrected": None if np.isnan(corrected) else float(corrected),
                    "corrected_error": None if np.isnan(error) else float(error),
                }
                for test, simulated, corrected, error in zip(
                    self.tests, self.simulated, self.corrections.expected, self.corrections.error, strict=True
                )
            ],
            "published": [{"system": system, "figures": figures, "proprietary": True} for system, figures in PUBLISHED],
        }


def simulate_missing(tests: Sequence[PastTest], out: Path | None, progress: Progress = SILENT) -> dict[Path, Path]:
    """Run the experiment files of tests that have no run yet, each once.

    Args:
        tests: The tests.
        out: Where runs go; None runs nothing.
        progress: Is told how far they are.

    Returns:
        Experiment file -> directory of its run.

    Raises:
        DataError: `out` is None and a test has no run, or its experiment file asks for several.
        ConfigError: A file cannot be read; all are read before the first one runs.
    """
    waiting: dict[Path, ExperimentConfig] = {}
    for test in tests:
        if test.run is not None or test.config is None or test.config in waiting:
            continue
        if out is None:
            raise DataError(
                f"{test.where}: {test.config} is an experiment file that has not been run for this table; add --run to "
                "run it now, or name the directory of a finished run in the column run"
            )
        waiting[test.config] = load_config(test.config)
        if waiting[test.config].variants is not None:
            raise DataError(f"{test.where}: {test.config} asks for variants, and a test has one run; take them out")
    made: dict[Path, Path] = {}
    for number, (path, config) in enumerate(waiting.items(), start=1):
        assert out is not None
        progress.event(Note(f"run {number} of {len(waiting)}: {path}"))
        made[path] = run_as_configured(config, out / f"{number}-{config.name}", progress).directory
    return made


def validate(
    tests: Sequence[PastTest], runs: Mapping[Path, Path], scale: Scale, *, table: Path, seed: int = 0
) -> Findings:
    """Read the simulated effects and measure how well they agree with the real ones.

    Args:
        tests: The tests.
        runs: Experiment file -> directory of its run, of those that name no run.
        scale: Of the effects.
        table: Where the tests come from.
        seed: Of the resampling.
    """
    opened: dict[Path, Outcomes] = {}
    simulated = []
    for test in tests:
        directory = test.run if test.run is not None else runs[test.config] if test.config is not None else Path()
        if directory not in opened:
            opened[directory] = read_run(directory, test.where)
        simulated.append(counterpart(test, opened[directory], scale))
    effects = as_effects(tests, simulated)
    corrections = leave_one_out(effects)
    about = {
        "table": table.name,
        "tests": len(tests),
        "experiments": effects.n_experiments,
        "fewest_for_a_slope": FEWEST,
        "versions": {name: version(name) for name in ("groundlings", "numpy", "scipy")},
    }
    records = tuple(measure_agreement(effects, corrections, seed=seed))
    return Findings(about, scale, tuple(tests), tuple(simulated), corrections, records, fit_slope(effects))


def as_effects(tests: Sequence[PastTest], simulated: Sequence[Simulated]) -> Effects:
    """The numbers of tests and their simulated counterparts."""
    number = {name: place for place, name in enumerate(dict.fromkeys(test.experiment for test in tests))}
    return Effects(
        real=np.array([test.effect for test in tests]),
        real_error=np.array([test.error for test in tests]),
        simulated=np.array([each.effect for each in simulated]),
        simulated_error=np.array([each.error for each in simulated]),
        experiments=np.array([number[test.experiment] for test in tests]),
    )
