"""Running an experiment: plan, worlds, log, summary, report."""

from __future__ import annotations

import asyncio
import json
import platform
import secrets
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from experiments import directory as files
from experiments.config import ExperimentConfig
from experiments.loading import config_hash, dump_config
from experiments.metrics import Summary, summarise
from experiments.plan import Plan, build_plan
from simulator.log.digest import digest
from simulator.log.migrations import SCHEMA_VERSION
from simulator.log.store import open_log
from simulator.log.writer import ArmRow, LogWriter
from simulator.world import World

PACKAGES = ("groundlings", "mesa", "numpy", "pandas", "scipy", "sqlalchemy", "openai", "implicit", "irspack")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run.

    Attributes:
        directory: Where everything lies.
        summary: The figures.
        digest: SHA-256 over what happened.
    """

    directory: Path
    summary: Summary
    digest: str


class Watcher:
    """Hears of a run's progress; this one is not interested."""

    def note(self, line: str) -> None:
        """Something takes time or must be known."""

    def arm(self, name: str, visits: int) -> None:
        """An arm begins, with this many visits at most."""

    def visits(self, count: int) -> None:
        """Visits of the current arm have been written."""


def run_experiment(config: ExperimentConfig, out: Path | None = None, watcher: Watcher | None = None) -> Outcome:
    """Simulate all arms, then measure and draw.

    Raises:
        UserError: Something that its message tells how to mend; what was logged before stays readable.
    """
    watcher = watcher or Watcher()
    began = time.monotonic()
    plan = build_plan(config, notify=watcher.note)
    directory = files.choose_directory(config.name, out)
    files.write_text(directory / files.CONFIG_NAME, _config_yaml(config))
    run = run_row(plan)
    simulated = simulate(plan, files.log_path(directory), run, watcher)
    engine = open_log(directory)
    try:
        watcher.note("measuring and drawing")
        fingerprint = digest(engine)
        _write_manifest(plan, directory, run, fingerprint, {"simulate": simulated, "total": time.monotonic() - began})
        summary = measure(directory, engine)
    finally:
        engine.dispose()
    return Outcome(directory, summary, fingerprint)


def measure(directory: Path, engine: Engine) -> Summary:
    """Recompute summary and report of a run from its log alone."""
    from experiments.report import write_report

    summary = summarise(engine)
    files.write_json(directory / files.SUMMARY_NAME, summary.as_dict())
    write_report(directory, engine, summary)
    return summary


def simulate(plan: Plan, path: Path, run: dict[str, Any], watcher: Watcher | None = None) -> float:
    """Write the log of all arms to a file that does not exist yet; the time it took, in seconds."""
    watcher = watcher or Watcher()
    began = time.monotonic()
    worlds = {arm: plan.world(arm) for arm in plan.config.arms}
    rows = [
        ArmRow(arm.name, arm.recommender, arm.options, world.recommender.sees_hidden_preference)
        for arm, world in ((arm, worlds[arm]) for arm in plan.config.arms)
    ]
    with LogWriter(path) as log, asyncio.Runner() as runner:
        log.begin(run, rows, plan.population)
        try:
            for arm in plan.config.arms:
                watcher.arm(arm.name, len(plan.population) * plan.schedule.days)
                world: World = worlds.pop(arm)  # a world is large; only the one that runs is kept
                runner.run(world.live(plan.schedule, log, watcher.visits))
        finally:
            if plan.chat_model is not None:
                runner.run(plan.chat_model.close())
        log.close()
    return time.monotonic() - began


def run_row(plan: Plan) -> dict[str, Any]:
    """The row of `runs` that says what this run is."""
    config, dataset = plan.config, plan.dataset
    mind = dict(plan.mind.describe())
    return {
        "run_id": f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        "experiment": config.name,
        "seed": config.seed,
        "config": json.dumps(dump_config(config), ensure_ascii=False),
        "config_hash": config_hash(config),
        "dataset": dataset.name,
        "dataset_hash": dataset.fingerprint,
        "dataset_source": dataset.source,
        "dataset_licence": dataset.licence,
        "page_size": plan.site.page_size,
        "max_pages": plan.site.max_pages,
        "like_from": dataset.scale.like,
        "mind": json.dumps(mind, ensure_ascii=False, default=str),
        "model_fingerprint": plan.chat_model.name if plan.chat_model else None,
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "synthetic": True,
    }


def _write_manifest(
    plan: Plan, directory: Path, run: dict[str, Any], fingerprint: str, seconds: dict[str, float]
) -> None:
    manifest = {
        **{key: run[key] for key in ("run_id", "experiment", "seed", "config_hash", "synthetic")},
        "digest": fingerprint,
        "command": shlex.join(["groundlings", *sys.argv[1:]]),
        "mind": json.loads(run["mind"]),
        "dataset": {
            "name": plan.dataset.name,
            "sha256": plan.dataset.fingerprint,
            "source": plan.dataset.source,
            "licence": plan.dataset.licence,
            "training_interactions": len(plan.split.train),
            "held_out_interactions": len(plan.split.test),
            "people_without_training_history": len(plan.split.dropped_users),
        },
        "population": {"agents": len(plan.population), "sha256": plan.population.fingerprint},
        "schema_version": SCHEMA_VERSION,
        "versions": {**json.loads(run["versions"]), "python": platform.python_version()},
        "platform": platform.platform(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
    files.write_json(directory / files.MANIFEST_NAME, manifest)


def _config_yaml(config: ExperimentConfig) -> str:
    return yaml.safe_dump(dump_config(config), sort_keys=False, allow_unicode=True)


