"""Which engine simulates a run, how many workers it has, which arms stay in this process, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from groundlings.environments.errors import ConfigError
from groundlings.simulator.arm import Arm
from groundlings.simulator.engines.engine import IN_PROCESS, Engine, bound_to_this_process, code_of_ones_own
from groundlings.simulator.engines.pool import WorkerPool, why_no_fork
from groundlings.simulator.shards import Snapshot

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_FEWEST_SESSIONS = 4_000
"""Per arm and day, for `auto`: fewer are over before forking workers has paid off."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is carried out.

    Attributes:
        engine: Where sessions are simulated.
        because: Why there.
        workers: Worker processes, or tasks at a time; None = as many as the cluster has cores.
        address: Of a Ray cluster that runs already.
        staying: Arm -> why its sessions are simulated in this process all the same.
    """

    engine: Literal["process", "pool", "ray"]
    because: str
    workers: int | None = 1
    address: str | None = None
    staying: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> Iterator[str]:
        """What is said of it before a run."""
        where = self.engine
        if self.engine != "process":
            where += f", {self.workers} workers" if self.workers else ", all cores of the cluster"
        yield f"{where}: {self.because}"
        for arm, why in self.staying.items():
            yield f"arm {arm} stays in one process: {why}"

    @contextmanager
    def opened(self, tell: Callable[[str], None]) -> Iterator[Engine]:
        """The engine, until the context ends; `assign` gives it to arms.

        Args:
            tell: Is told of workers that were lost.

        Raises:
            ConfigError: No cluster is at the address.
        """
        engine = self._engine(tell)
        try:
            yield engine
        finally:
            engine.close()

    def assign(self, engine: Engine, arms: Sequence[Arm]) -> None:
        """Have arms simulated by an engine, but for those that stay."""
        for arm in arms:
            arm.engine = IN_PROCESS if arm.name in self.staying else engine

    def _engine(self, tell: Callable[[str], None]) -> Engine:
        match self.engine:
            case "process":
                return IN_PROCESS
            case "pool":
                return WorkerPool(self.workers or 1, tell)
            case "ray":
                from groundlings.simulator.engines.ray_cluster import RayCluster

                return RayCluster(self.workers, self.address, tell)


def execution_of(plan: Plan) -> Execution:
    """How a plan is to be carried out.

    Raises:
        ConfigError: The engine that is asked for is not to be had here.
    """
    wanted = plan.config.execution
    workers = wanted.workers or usable_cores()
    asked_for = f"as execution.engine says{f', the cluster at {wanted.address}' if wanted.address else ''}"
    if wanted.engine == "process":
        return Execution("process", asked_for)
    if wanted.engine == "ray" and find_spec("ray") is None:
        raise ConfigError(
            "execution.engine: ray needs Ray; install it with pip install 'groundlings[ray]', on every machine of the "
            "cluster, or use pool"
        )
    if wanted.engine == "pool" and (why := why_no_fork()):
        raise ConfigError(f"execution.engine: pool is not to be had: {why}; use process or ray")
    if plan.config.mind.asked is not None:
        return Execution("process", "agents ask a language model; simulation.concurrency sets how many at once")
    arms = [arm for stage in plan.stages for arm in stage]
    staying = {arm.name: why for arm in arms if (why := _why_it_stays(plan, arm, wanted.engine == "auto"))}
    if arms and len(staying) == len(arms):
        return Execution("process", next(iter(staying.values())))
    if wanted.engine == "ray":
        here = workers if wanted.address is None else wanted.workers
        return Execution("ray", asked_for, here, wanted.address, staying)
    if wanted.engine == "pool":
        return Execution("pool", asked_for, workers, staying=staying)
    if why := why_no_fork():
        return Execution("process", why)
    if workers < 2:
        return Execution("process", "there is one core")
    sessions, shards = _largest_day(plan, [arm for arm in arms if arm.name not in staying])
    if shards < 2 or sessions < _FEWEST_SESSIONS:
        return Execution("process", f"about {sessions:,} sessions per arm and day are too few to share out")
    return Execution(
        "pool", f"about {sessions:,} sessions per arm and day in {shards:,} shards", workers, staying=staying
    )


def usable_cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _largest_day(plan: Plan, arms: list[Arm]) -> tuple[int, int]:
    """Sessions of the largest arm on a usual day, and how many shards they make."""
    chance = plan.schedule.visit_probability if plan.schedule.returns is None else 1.0
    days = [(round(arm.people * chance), arm.mind.cohort_size) for arm in arms]
    return max(((sessions, -(-sessions // size)) for sessions, size in days), default=(0, 0))


def _why_it_stays(plan: Plan, arm: Arm, automatic: bool) -> str | None:
    """Why an arm's sessions are simulated in this process; None where they need not be."""
    snapshot = Snapshot(arm.name, arm.recommender, arm.environment, arm.mind)
    why = bound_to_this_process(snapshot)
    if why is None and any(name in plan.models for name in (arm.name, *_drafted(plan, arm))):
        why = "its recommender asks a language model"
    if why is None and automatic and arm.recommender.sees_hidden_preference:
        why = "it ranks by the hidden preference, of which this process keeps what it has worked out"
    if why is None and automatic and (own := code_of_ones_own(snapshot)):
        why = (
            f"{own} is not part of Groundlings, and may hold threads, a GPU or connections that worker processes would "
            "lack; where it does not, say execution.engine: pool"
        )
    return why


def _drafted(plan: Plan, arm: Arm) -> list[str]:
    """The arms that draft the lists of an interleaved one."""
    names = [each.name for each in plan.config.arms]
    return names if arm.name not in names else []
