"""What a run says of itself: its row in the log, and the manifest beside it."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from groundlings.environments.chat import fingerprint_of
from groundlings.environments.errors import ConfigError
from groundlings.experiments.archive.provenance import origin_row
from groundlings.experiments.running.plan import Plan
from groundlings.simulator.log.migrations import SCHEMA_VERSION
from groundlings.simulator.log.store import Store
from groundlings.simulator.log.writer import PastRun

PACKAGES = ("groundlings", "mesa", "numpy", "pandas", "scipy", "sqlalchemy", "openai", "implicit", "irspack")
"""Whose versions a run keeps."""


def run_row(plan: Plan) -> dict[str, Any]:
    """The row of `runs` that says what a run is."""
    described = dict(plan.described_mind)
    if plan.minds.language_term is not None:
        described["calibration_source"] = plan.minds.language_term.source
    model = plan.minds.model
    return {
        **origin_row(plan.config.name, plan.config.seed, plan.config, plan.dataset),
        "page_size": plan.environment.page_size,
        "max_pages": plan.environment.max_pages,
        "mind": json.dumps(described, ensure_ascii=False, default=str),
        "model_fingerprint": fingerprint_of(model) if model else None,
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
    }


def manifest(plan: Plan, run: Mapping[str, Any], digest: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What `manifest.json` holds.

    Args:
        plan: What was simulated.
        run: Its row, from `run_row`.
        digest: Of what happened.
        seconds: What took how long.
    """
    term = plan.minds.language_term
    return {
        **{key: run[key] for key in ("run_id", "experiment", "seed", "config_hash", "synthetic")},
        "digest": digest,
        "command": shlex.join(["groundlings", *sys.argv[1:]]),
        "mind": json.loads(run["mind"]),
        "model_fingerprint": run["model_fingerprint"],
        "calibration_source": term.source if term else None,
        "dataset": {
            "name": plan.dataset.name,
            "sha256": plan.dataset.fingerprint,
            "source": plan.dataset.source,
            "licence": plan.dataset.licence,
            "training_interactions": len(plan.split.train),
            "held_out_interactions": len(plan.split.test),
            "people_without_training_history": len(plan.split.dropped_users),
        },
        "environment": dict(plan.environment.describe()),
        "population": {"agents": len(plan.population), "sha256": plan.population.fingerprint},
        "schema_version": SCHEMA_VERSION,
        "versions": {**json.loads(run["versions"]), "python": platform.python_version()},
        "platform": platform.platform(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def check_same(place: Path | Store, run: Mapping[str, Any], past: PastRun) -> None:
    """Raise `ConfigError` where going on would mix two experiments in one log.

    Args:
        place: The log.
        run: The row of `runs` as it would be written now.
        past: What the log says of the run.
    """
    for what, begun, now in (
        ("configuration", past.config_hash, run["config_hash"]),
        ("data set", past.dataset_hash, run["dataset_hash"]),
    ):
        if begun != now:
            raise ConfigError(
                f"{place}: the run began with another {what} (SHA-256 {begun[:12]}..., now {now[:12]}...); "
                "put it back as it was, or start a new run"
            )
