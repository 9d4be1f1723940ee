"""The examination from beginning to end: one list of records, and whether the gate of random exposure is passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from groundlings.experiments.config.loading import config_hash, dump_config
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.labs.truth.arms import Arm, fit_arms
from groundlings.experiments.labs.truth.audiences import Audience, audiences
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.truth.ground import Ground, lay_ground
from groundlings.experiments.labs.truth.level import examine_level
from groundlings.experiments.labs.truth.order import Order, examine_order, order_task
from groundlings.experiments.labs.truth.ratings import examine_ratings
from groundlings.experiments.labs.truth.records import TruthRecord, gate, judged
from groundlings.experiments.labs.truth.sessions import HEADLINES
from groundlings.experiments.running.events import SILENT, LabStep, Progress

STEPS = 4


@dataclass(frozen=True)
class Findings:
    """A finished examination.

    Attributes:
        about: What was examined, plain JSON values.
        records: One per task, scorer, metric and partition.
        passed: Mind -> whether it passed the gate of random exposure.
        order: The values of the recommenders, for the page.
    """

    about: Mapping[str, Any]
    records: Sequence[TruthRecord]
    passed: Mapping[str, bool]
    order: Order

    def find(self, task: str, scorer: str, metric: str, salt: str = "pooled") -> TruthRecord | None:
        """One record, None where there is none."""
        for record in self.records:
            if (record.task, record.scorer, record.metric, record.salt) == (task, scorer, metric, salt):
                return record
        return None

    def as_dict(self) -> dict[str, Any]:
        """The content of `truth.json`; `truth_gate_passed` and `about.mind` are of the mind without exposures."""
        return {
            "about": dict(self.about),
            "truth_gate_passed": self.passed[MIND],
            "gate_passed": dict(self.passed),
            "records": [record.as_dict() for record in self.records],
        }


def examine(config: TruthConfig, progress: Progress = SILENT) -> Findings:
    """Read the data, fit, let agents have sessions, and hold everything against random exposures.

    Raises:
        UserError: The message says what to do.
    """
    seconds: dict[str, float] = {}

    def timed(number: int, name: str, work: Callable[[], Any]) -> Any:
        progress.event(LabStep(number - 1, STEPS, name))
        began = time.monotonic()
        result = work()
        seconds[name] = round(time.monotonic() - began, 2)
        return result

    salts = config.truth.salts
    ground: Ground = timed(1, "reading", lambda: lay_ground(config, progress))
    arms, minds = timed(2, "fitting", lambda: (fit_arms(ground), _in_all(ground, salts)))
    resamples = Resamples.draw(len(ground.people), config.truth.bootstrap, ground.chance("people"))
    records = timed(
        3,
        "ratings and level",
        lambda: [
            *examine_ratings(ground, resamples, minds, salts),
            *examine_level(ground, resamples, minds, salts),
        ],
    )
    order, ordered = timed(4, "sessions and order", lambda: examine_order(ground, resamples, arms, minds, salts))
    task = order_task(HEADLINES[0], sum(order.counts))
    passed = {each.name: gate(ordered, each.name, task, len(salts)) for each in minds[0]}
    everything = [judged(record, _passed(record.scorer, passed)) for record in [*records, *ordered]]
    about = _about(ground, arms, seconds)
    about["mind"] = {**minds[0][0].mind.describe(), "exposures": None}
    about["fitted_mind"] = next((dict(each.mind.describe()) for each in minds[0] if each.fitted), None)
    return Findings(about, everything, passed, order)


def _in_all(ground: Ground, salts: Sequence[str]) -> list[list[Audience]]:
    """The minds of each partition; one that cannot be fitted in some partition is examined in none."""
    minds = [audiences(ground, salt) for salt in salts]
    return [each[: min(map(len, minds))] for each in minds]


def _passed(scorer: str, passed: Mapping[str, bool]) -> bool:
    """Whether the mind of a row passed; "evidence mind (mean)" is a row of "evidence mind"."""
    names = [name for name in passed if scorer.startswith(name)]
    return passed[max(names, key=len)] if names else False


def _about(ground: Ground, arms: Sequence[Arm], seconds: Mapping[str, float]) -> dict[str, Any]:
    config, salts = ground.config, ground.config.truth.salts
    return {
        "name": config.name,
        "description": config.description,
        "seed": config.seed,
        "salts": list(salts),
        "config": dump_config(config),
        "config_hash": config_hash(config),
        "dataset": ground.dataset.name,
        "dataset_source": ground.dataset.source,
        "dataset_licence": ground.dataset.licence,
        "dataset_hash": ground.dataset.fingerprint,
        "exposures": len(ground.exposures),
        "exposures_hash": ground.exposures.fingerprint,
        "exposures_left_out": dict(ground.exposures.left_out),
        "outcome": "liked" if ground.rated else "opened",
        "share_positive": float(ground.positive.mean()),
        "people": len(ground.people),
        "people_judged": {salt: int((~ground.fitted_half(salt)).sum()) for salt in salts},
        "recommenders_that_count": [arm.name for arm in arms if arm.counts],
        "copies": {arm.name: arm.copy_of for arm in arms if arm.copy_of},
        "leakage": (
            "Agents, recommenders and trivial predictions are fitted on self-chosen interactions. Rows that are marked "
            "so are also fitted on the random exposures of half of the people; every figure is about the other half."
        ),
        "seconds": dict(seconds),
        "versions": {name: version(name) for name in ("groundlings", "numpy", "scipy", "implicit", "irspack")},
    }
