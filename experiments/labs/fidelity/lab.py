"""The examination from beginning to end: eight parts, one list of records, one verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from groundlings.experiments.labs.fidelity import (
    calibration,
    choice_of_five,
    choices,
    distributions,
    interaction,
    invariance,
    language_rows,
    partitions,
    preference,
    probes,
    repeats,
    return_gaps,
    synthetic_users,
    system,
)
from groundlings.experiments.labs.fidelity.calibration import Reliability
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.fidelity.distributions import StarTables, tabulate_stars
from groundlings.experiments.labs.fidelity.language import LanguageAnswers, ask_language_model
from groundlings.experiments.labs.fidelity.list_reader import read_lists
from groundlings.experiments.labs.fidelity.partitions import gate
from groundlings.experiments.labs.fidelity.published import published_rows
from groundlings.experiments.labs.fidelity.records import Record, Verdict, verdict
from groundlings.experiments.labs.fidelity.scorers import Scorer, interaction_scorers
from groundlings.experiments.labs.fidelity.sentences import sentence
from groundlings.experiments.labs.fidelity.stage import MIND, Stage, set_stage
from groundlings.experiments.labs.fidelity.system import Utilities
from groundlings.experiments.labs.origin import origin_of
from groundlings.experiments.running.events import SILENT, LabStep, Progress

PARTS = 12
"""Steps of progress: reading and fitting, part 1 in three steps, the other seven parts, the language model's rows."""


_PACKAGES = ("groundlings", "numpy", "scipy", "scikit-learn", "implicit", "irspack")


@dataclass(frozen=True)
class Findings:
    """A finished examination.

    Attributes:
        about: What was examined, plain JSON values.
        records: One per (task, scorer, metric).
        passed: Whether the mind passed the system gate.
        curves: Reliability curves, for the page.
        utilities: Utilities of recommenders, for the page.
        stars: Star tables, for the page; None where the data set has no ratings.
    """

    about: Mapping[str, Any]
    records: Sequence[Record]
    passed: bool
    curves: Sequence[Reliability]
    utilities: Utilities
    stars: StarTables | None

    @property
    def overall(self) -> Verdict:
        """The verdict on using this mind to compare recommenders on this data set."""
        order = [record for record in self.records if record.part == system.PART and record.scorer == MIND]
        claims = [record for record in order if record.holds is not None]
        claims = [record for record in claims if record.task == claims[0].task]  # over all salts, where there are more
        return verdict(bool(claims) and all(record.holds for record in claims), self.passed) or "not supported"

    def find(self, part: str, task: str, scorer: str, metric: str) -> Record | None:
        """One record, None where there is none."""
        for record in self.records:
            if (record.part, record.task, record.scorer, record.metric) == (part, task, scorer, metric):
                return record
        return None

    def as_dict(self) -> dict[str, Any]:
        """The content of `fidelity.json`."""
        return {
            "about": dict(self.about),
            "verdict": self.overall,
            "system_gate_passed": self.passed,
            "records": [record.as_dict() for record in self.records],
        }


def examine(
    config: FidelityConfig,
    progress: Progress = SILENT,
    further: Callable[[Stage], Sequence[Scorer]] = lambda _: (),
) -> Findings:
    """Read the data, fit, and examine the eight parts.

    Args:
        config: What to examine.
        progress: Receives the progress.
        further: More rows for parts 1 and 3, such as a language model's answers; a scorer may cover some users only.

    Raises:
        UserError: The message says what to do.
    """
    seconds: dict[str, float] = {}

    def timed(number: int, name: str, work: Callable[[], Any]) -> Any:
        progress.event(LabStep(number - 1, PARTS, name))
        began = time.monotonic()
        result = work()
        seconds[name] = round(time.monotonic() - began, 2)
        return result

    stage: Stage = timed(1, "reading and fitting", lambda: set_stage(config, progress))
    scorers = [*interaction_scorers(stage), *further(stage)]
    asked = timed(2, "interaction", lambda: interaction.ask_all(stage, scorers))
    asked, readers = timed(3, "list reader", lambda: _read(stage, asked))
    scorers += readers
    records = interaction.examine_interaction(asked, scorers)
    records += timed(4, "choice among five", lambda: choice_of_five.examine_choices_of_five(stage))
    records += timed(5, "preference", lambda: preference.examine_preference(stage))
    calibrated, curves = timed(6, "calibration", lambda: calibration.examine_calibration(stage, asked, scorers))
    records += calibrated
    stars, distributed = timed(7, "distributions", lambda: _distributions(stage))
    records += distributed
    records += timed(8, "probes", lambda: probes.examine_probes(stage))
    audiences = system.simulators(stage, asked)
    utilities, ordered = timed(9, "system level", lambda: _ordered(stage, asked, audiences))
    records += [*ordered, *system.examine_system(stage, utilities, audiences)]
    records += timed(10, "memorisation and stereotype", lambda: invariance.examine_invariance(stage))
    records += timed(11, "synthetic users", lambda: synthetic_users.examine_synthetic_users(stage))
    answers, said = timed(12, "language model", lambda: _language(stage, progress))
    records += said
    records += published_rows(stage.dataset.name)
    # The families are examined with one salt only, which is too few for the gate.
    passed = {each.name: each.name == MIND and gate(ordered, 1 + len(config.salts)) for each in audiences}
    records = [_worded(record, passed) for record in records]
    return Findings(_about(stage, seconds, answers), records, passed[MIND], curves, utilities, stars)


def _ordered(
    stage: Stage, asked: interaction.Asked, audiences: Sequence[system.Simulator]
) -> tuple[Utilities, list[Record]]:
    """The utilities with `split.salt`, and the records of the mean over all salts."""
    lists = system.give_lists(stage, partitions.everybody(stage))
    utilities = system.measure_utilities(stage, audiences, lists)
    found = partitions.measure_partitions(stage, asked, lists, utilities)
    return utilities, partitions.examine_partitions(stage, found)


def _read(stage: Stage, asked: interaction.Asked) -> tuple[interaction.Asked, list[Scorer]]:
    return read_lists(stage, asked) if stage.config.lists.reader else (asked, [])


def _language(stage: Stage, progress: Progress) -> tuple[LanguageAnswers | None, list[Record]]:
    options = stage.config.language
    if options is None:
        return None, []
    answers = ask_language_model(stage, options, progress)
    return answers, language_rows.examine_language(stage, answers)


def _distributions(stage: Stage) -> tuple[StarTables | None, list[Record]]:
    stars = tabulate_stars(stage)
    rated = [] if stars is None else distributions.examine_ratings(stage, stars)
    new = [*choices.examine_choices(stage), *repeats.examine_repeats(stage), *return_gaps.examine_returns(stage)]
    return stars, [*rated, *new]


def _worded(record: Record, passed: Mapping[str, bool]) -> Record:
    """The record with its verdict and sentence; "evidence mind (median)" passes with "evidence mind"."""
    through = any(record.scorer.startswith(name) and fine for name, fine in passed.items())
    met = record.target is None or record.target.met
    judged = replace(record, verdict=verdict(record.holds, through, met=met))
    return replace(judged, words=sentence(judged))


def _about(stage: Stage, seconds: Mapping[str, float], answers: LanguageAnswers | None) -> dict[str, Any]:
    return {
        **origin_of(stage.config, stage.dataset),
        "people_tested": len(stage.testers),
        "people_for_thresholds": len(stage.tuners),
        "mind": dict(stage.mind.describe()),
        "language": None if answers is None else dict(answers.about),
        "leakage": (
            "Profiles, taste, scorers and recommenders read only the training part. Taste weights and thresholds were "
            "chosen on users outside the test third. Every figure is about users of the test third."
        ),
        "seconds": dict(seconds),
        "versions": {
            name: version(name) for name in ("groundlings", "numpy", "scipy", "scikit-learn", "implicit", "irspack")
        },
    }
