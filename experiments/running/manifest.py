"""What a run says of itself: its row in the log, and the manifest beside it."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from groundlings.environments.chat import fingerprint_of
from groundlings.environments.package_versions import version_of
from groundlings.experiments.archive.provenance import claim, origin_row
from groundlings.experiments.running.identity import actions_of
from groundlings.experiments.running.plan import Plan
from groundlings.recommenders.in_words import own_words
from groundlings.simulator.log.begun import Change
from groundlings.simulator.log.digest_version import WITH_DIGEST
from groundlings.simulator.log.migrations import SCHEMA_VERSION

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
        "versions": json.dumps({**{name: version_of(name) for name in PACKAGES}, **WITH_DIGEST}),
        "identity": json.dumps({**plan.identity, **actions_of(plan.environment)}, ensure_ascii=False),
    }


def manifest(
    plan: Plan, run: Mapping[str, Any], changes: Sequence[Change], digest: str, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """What `manifest.json` holds.

    Args:
        plan: What was simulated.
        run: Its row in the log: a run that was resumed is what it began as.
        changes: What had changed when it was resumed all the same.
        digest: Of what happened.
        seconds: What took how long.
    """
    return {
        **{key: run[key] for key in ("run_id", "experiment", "seed", "config_hash")},
        "synthetic": bool(run["synthetic"]),
        "digest": digest,
        "identity": claim(run),
        "accepted_changes": [asdict(change) for change in changes],
        "command": shlex.join(["groundlings", *sys.argv[1:]]),
        "mind": run["mind"],
        "model_fingerprint": run["model_fingerprint"],
        "calibration_source": run["mind"].get("calibration_source"),
        "dataset": {
            "name": plan.dataset.name,
            "sha256": plan.dataset.fingerprint,
            "source": plan.dataset.source,
            "licence": plan.dataset.licence,
            "notes": list(plan.dataset.notes),
            "training_interactions": len(plan.split.train),
            "held_out_interactions": len(plan.split.test),
            "left_out_interactions": plan.split.left_out,
            "people_without_training_history": len(plan.split.dropped_users),
            "times_known": plan.dataset.times_known,
            "split": plan.config.split.kind,
            "labels": plan.split.labels,
        },
        "environment": dict(plan.environment.describe()),
        **({} if plan.returns is None else {"returns": dict(plan.returns.described)}),
        **_own_recommenders(plan),
        "population": {
            "agents": len(plan.population),
            "sha256": plan.population.fingerprint,
            **({} if plan.dataset.synthetic is None else {"synthetic": plan.dataset.synthetic.recipe}),
        },
        "depends_on": run["identity"],
        "schema_version": SCHEMA_VERSION,
        "versions": {**run["versions"], "python": platform.python_version()},
        "platform": platform.platform(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def _own_recommenders(plan: Plan) -> dict[str, Any]:
    """How recommenders work that are not shipped, by arm: whoever reads the run need not have their code."""
    found = {arm.name: own_words(arm.recommender) for arm in plan.arms}
    known = {name: words for name, words in found.items() if words}
    return {"recommenders": known} if known else {}
