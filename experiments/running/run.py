"""Running an experiment: plan, worlds, log, summary, report."""

from __future__ import annotations

import asyncio
import json
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, inspect, text

from groundlings.environments.chat import ChatModel, fingerprint_of
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics import Summary, summarise
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.provenance import origin_row
from groundlings.experiments.config.loading import as_yaml, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.python_api.kept_data import with_data_kept
from groundlings.experiments.running.calibration import FILE_NAME as CALIBRATION_NAME
from groundlings.experiments.running.event_loop import outside_of_loops
from groundlings.experiments.running.plan import Plan, build_plan, open_model
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.arm import live_together
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.digest import digest
from groundlings.simulator.log.migrations import SCHEMA_VERSION
from groundlings.simulator.log.store import Store, named_faults, open_log, store_at
from groundlings.simulator.log.writer import LogWriter, PastRun

PACKAGES = ("groundlings", "mesa", "numpy", "pandas", "scipy", "sqlalchemy", "openai", "implicit", "irspack")

_SPENT = """
SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(cached_tokens), 0), coalesce(sum(completion_tokens), 0)
FROM calls WHERE NOT from_store
"""


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


@dataclass(frozen=True, slots=True)
class CutShort:
    """A visit that was open when a run stopped: nothing of it is in the log, and resuming begins it anew.

    Attributes:
        arm: Where.
        day: When, 0 is the first.
        user_id: Who, by the data set's own id.
    """

    arm: str
    day: int
    user_id: str


class Watcher:
    """Hears of a run's progress; this one is not interested."""

    def note(self, line: str) -> None:
        """Something must be known, or takes time."""

    def download(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes of `what` have arrived; `total` is None where it is not known."""

    def calibration(self, done: int, total: int) -> None:
        """`done` of `total` pairs of a calibration have been asked about."""

    def begins(self, directory: Path) -> None:
        """From here on the run can be resumed from this directory."""

    def arm(self, name: str, visits: int) -> None:
        """An arm begins, with this many visits at most."""

    def visits(self, count: int) -> None:
        """Visits of the current arm have been written."""


def run_experiment(
    config: ExperimentConfig,
    out: Path | None = None,
    watcher: Watcher | None = None,
    *,
    spent: Spent | None = None,
    supplied: Supplied | None = None,
) -> Outcome:
    """Simulate all arms, then measure and draw.

    Nothing is written before the data is read, the recommenders are known and the model answers. It works in a
    notebook as in a script: where an event loop runs already, it takes a thread of its own.

    Args:
        config: What to run, without variants.
        out: The directory; one under `runs` if absent.
        watcher: Hears how far it is.
        spent: What other runs have taken of the budget.
        supplied: Objects that stand in for names of the configuration.

    Raises:
        UserError: Something that its message tells how to mend; what was logged before stays readable.
    """
    return outside_of_loops(lambda heard: _run(config, out, heard, spent, supplied), watcher or Watcher())


def _run(
    config: ExperimentConfig, out: Path | None, watcher: Watcher, spent: Spent | None, supplied: Supplied | None
) -> Outcome:
    began = time.monotonic()
    _check_server(config)
    plan = build_plan(config, watcher.note, watcher.download, supplied)
    if plan.size_warning is not None:
        watcher.note(plan.size_warning)
    with asyncio.Runner() as runner, _model(plan, runner, watcher, spent) as model:
        plan = runner.run(plan.with_language_term(model, watcher.note, watcher.calibration))
        directory = files.choose_directory(config.name, out)
        with files.locked(directory):
            files.write_text(directory / files.CONFIG_NAME, as_yaml(with_data_kept(config, plan.dataset, directory)))
            if plan.language is not None:
                files.write_text(directory / CALIBRATION_NAME, plan.language.calibration.as_text())
            watcher.begins(directory)
            return _carry_out(plan, directory, runner, model, watcher, began)


def resume_experiment(
    directory: Path,
    watcher: Watcher | None = None,
    *,
    spent: Spent | None = None,
    supplied: Supplied | None = None,
) -> Outcome:
    """Go on with a run that was interrupted, wherever it was; a finished one is only measured again.

    Visits that are in the log are not asked again. The outcome has the digest of an uninterrupted run.

    Args:
        directory: The run's.
        watcher: Hears how far it is.
        spent: What other runs have taken of the budget.
        supplied: Objects that stand in for names of the configuration.

    Raises:
        RunDirectoryError: There is no run, it is damaged, or another process is at it.
        ConfigError: The configuration or the data are no longer those that the run began with.
    """
    return outside_of_loops(lambda heard: _resume(directory, heard, spent, supplied), watcher or Watcher())


def _resume(directory: Path, watcher: Watcher, spent: Spent | None, supplied: Supplied | None) -> Outcome:
    began = time.monotonic()
    config = load_config(files.existing_config(directory))
    with reading(directory), files.locked(directory):
        watcher.begins(directory)
        plan = build_plan(config, watcher.note, watcher.download, supplied)
        with asyncio.Runner() as runner, _model(plan, runner, watcher, spent, directory) as model:
            plan = runner.run(plan.with_language_term(model, watcher.note, watcher.calibration, directory))
            return _carry_out(plan, directory, runner, model, watcher, began)


def _carry_out(
    plan: Plan, directory: Path, runner: asyncio.Runner, model: ChatModel | None, watcher: Watcher, began: float
) -> Outcome:
    run = run_row(plan, model)
    ready = time.monotonic()
    cut_short: list[CutShort] = []
    try:
        simulate(plan, run, files.log_store(directory, _log_url(plan.config)), runner, model, watcher, cut_short)
    except BaseException:
        with suppress(RunDirectoryError):  # a full disk may be why we are here
            files.write_json(directory / files.STOPPED_NAME, {"cut_short": [asdict(each) for each in cut_short]})
        raise
    (directory / files.STOPPED_NAME).unlink(missing_ok=True)
    simulated = time.monotonic()
    engine = open_log(directory)
    try:
        watcher.note("measuring and drawing")
        fingerprint = digest(engine)
        seconds = {"prepare": ready - began, "simulate": simulated - ready}
        files.write_json(directory / files.MANIFEST_NAME, _manifest(plan, run, fingerprint, seconds))
        summary = measure(directory, engine)
    finally:
        engine.dispose()
    return Outcome(directory, summary, fingerprint)


def _log_url(config: ExperimentConfig) -> str | None:
    return config.log.url if config.log else None


def _check_server(config: ExperimentConfig) -> None:
    """Before there is a directory: whether the server that is to hold the log answers, and lets us write."""
    if config.log is not None:
        from groundlings.simulator.log.postgres import PostgresStore

        PostgresStore(config.log.url, "groundlings").check_server()


def measure(directory: Path, engine: Engine, variants: Sequence[Engine] = ()) -> Summary:
    """Recompute summary and report of a run from what lies in its directory: the log, and the manifest beside it.

    Args:
        directory: The run's.
        engine: Its log.
        variants: Logs of the same experiment with other prompts, models or seeds, for the report's verdict.
    """
    from groundlings.experiments.analysis.report import write_report

    summary = summarise(engine)
    write_report(directory, engine, summary, variants)
    files.write_json(directory / files.SUMMARY_NAME, summary.as_dict())
    return summary


def simulate(
    plan: Plan,
    run: dict[str, Any],
    place: Path | Store,
    runner: asyncio.Runner,
    model: ChatModel | None = None,
    watcher: Watcher | None = None,
    cut_short: list[CutShort] | None = None,
) -> None:
    """Let every arm live through its days, and write the log; what the log holds already is not done again.

    Args:
        plan: What to simulate.
        run: The row of `runs`, from `run_row`.
        place: The log, or its file; it may exist, from the same run interrupted.
        runner: Runs the visits.
        model: Answers for language minds.
        watcher: Hears how far it is.
        cut_short: Filled, where it ends early, with the visits that were open.
    """
    watcher = watcher or Watcher()
    stages = plan.stages(model)
    rows = plan.arm_rows()
    with LogWriter(place) as log:
        past = log.resume()
        if past is None:
            log.begin(run, rows, plan.population)
        else:
            _same_experiment(place, run, past)
            if past.done:
                return
        while stages:
            worlds = stages.pop(0)  # a world is large: it goes when its days are over
            visits = sum(world.people for world in worlds) * plan.schedule.days
            watcher.arm(", ".join(world.arm for world in worlds), visits)
            lived = [past.arms[world.arm] if past else None for world in worlds]
            try:
                runner.run(live_together(worlds, plan.schedule, log, watcher.visits, lived))
            finally:
                if cut_short is not None:
                    ids = plan.dataset.people.user_ids
                    cut_short += [
                        CutShort(world.arm, day, ids[user]) for world in worlds for day, user in world.cut_short
                    ]
        log.close()


def _same_experiment(place: Path | Store, run: dict[str, Any], past: PastRun) -> None:
    """Raise `ConfigError` where going on would mix two experiments in one log."""
    for what, begun, now in (
        ("configuration", past.config_hash, run["config_hash"]),
        ("data set", past.dataset_hash, run["dataset_hash"]),
    ):
        if begun != now:
            raise ConfigError(
                f"{place}: the run began with another {what} (SHA-256 {begun[:12]}..., now {now[:12]}...); "
                "put it back as it was, or start a new run"
            )


def spent_in(store: Store) -> Spent:
    """What the calls in a log have taken; those read from a record took nothing, nor does a log without calls."""
    engine = store.for_writing()
    try:
        with named_faults(store), engine.connect() as connection:
            if not inspect(connection).has_table("calls"):
                return Spent()
            return Spent(*connection.execute(text(_SPENT)).one())
    finally:
        engine.dispose()


def run_row(plan: Plan, model: ChatModel | None = None) -> dict[str, Any]:
    """The row of `runs` that says what a run is."""
    config, dataset = plan.config, plan.dataset
    mind = dict(plan.make_mind(model).describe())
    if plan.language is not None:
        mind["calibration_source"] = plan.language.source
    return {
        **origin_row(config.name, config.seed, config, dataset),
        "page_size": plan.site.page_size,
        "max_pages": plan.site.max_pages,
        "mind": json.dumps(mind, ensure_ascii=False, default=str),
        "model_fingerprint": fingerprint_of(model) if model else None,
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
    }


@contextmanager
def _model(
    plan: Plan, runner: asyncio.Runner, watcher: Watcher, elsewhere: Spent | None, resumed: Path | None = None
) -> Iterator[ChatModel | None]:
    spent = (elsewhere or Spent()) + (spent_in(store_at(resumed)) if resumed else Spent())
    model = runner.run(open_model(plan.config, watcher.download, spent))
    try:
        yield model
    finally:
        if model is not None:
            runner.run(model.close())


def _manifest(plan: Plan, run: dict[str, Any], fingerprint: str, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        **{key: run[key] for key in ("run_id", "experiment", "seed", "config_hash", "synthetic")},
        "digest": fingerprint,
        "command": shlex.join(["groundlings", *sys.argv[1:]]),
        "mind": json.loads(run["mind"]),
        "model_fingerprint": run["model_fingerprint"],
        "calibration_source": plan.language.source if plan.language else None,
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
