"""Which engine simulates a run, how many workers it has, which arms stay in this process, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from groundlings.environments.cores import usable_cores
from groundlings.environments.errors import ConfigError
from groundlings.environments.social_turns import site_alone
from groundlings.environments.words import plural
from groundlings.experiments.config.designs import INTERLEAVED, InterleavingDesign, SplitDesign, shares_of
from groundlings.experiments.config.schema import LanguageMindConfig, PluginMindConfig
from groundlings.personas.mind import AsksModel, looks_back
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of
from groundlings.simulator.arm import Arm
from groundlings.simulator.engines.engine import IN_PROCESS, Engine, may_wait, not_ours
from groundlings.simulator.engines.forked import why_no_fork
from groundlings.simulator.engines.pool import WorkerPool

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_FEWEST_SESSIONS = 4_000
"""Per arm and day, for `auto`: fewer are over before forking workers has paid off."""

_MANY_AT_ONCE = 256
"""Sessions, for `auto`: one process keeps up with fewer, unless a server answers in a fraction of a second."""

_COHORT = 4_096
"""Sessions of a shard where the file does not say it."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is carried out.

    Attributes:
        engine: Where sessions are simulated.
        because: Why there.
        workers: Worker processes, or tasks at a time; None = as many as the cluster has cores.
        asks: Whether worker processes are clients of a language model, which agents ask.
        address: Of a Ray cluster that runs already.
        staying: Arm -> why its sessions are simulated in this process all the same.
    """

    engine: Literal["process", "pool", "ray"]
    because: str
    workers: int | None = 1
    address: str | None = None
    staying: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False

    @property
    def lines(self) -> Iterator[str]:
        """What is said of it before a run."""
        where: str = self.engine
        if self.engine != "process":
            kind = "client processes" if self.asks else "workers"
            where += f", {self.workers} {kind}" if self.workers else ", all cores of the cluster"
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

    def assign(self, engine: Engine, arms: Sequence[Arm], tell: Callable[[str], None]) -> None:
        """Have arms simulated by an engine, but for those that stay.

        Args:
            engine: From `opened`.
            arms: As they begin.
            tell: Is told of an arm that stays, which only its mind could tell.
        """
        for arm in arms:
            stays = arm.name in self.staying
            clients = self.asks and isinstance(arm.mind, AsksModel)
            if engine is not IN_PROCESS and not clients and not stays and looks_back(arm.mind):
                tell(f"arm {arm.name} stays in one process: its agents remember earlier sessions")
                stays = True
            arm.engine = IN_PROCESS if stays else engine

    def _engine(self, tell: Callable[[str], None]) -> Engine:
        match self.engine:
            case "process":
                return IN_PROCESS
            case "pool":
                if not self.asks:
                    return WorkerPool(self.workers or 1, tell)
                from groundlings.simulator.engines.clients import ClientProcesses

                return ClientProcesses(self.workers or 1, tell)
            case "ray":
                from groundlings.simulator.engines.ray_cluster import RayCluster

                return RayCluster(self.workers, self.address, tell)


IN_ONE_PROCESS = Execution("process", "nothing else was asked for")


def execution_of(
    plan: Plan, recommenders: Sequence[AsyncRecommender], swaps: Mapping[str, AsyncRecommender] | None = None
) -> Execution:
    """How a plan is to be carried out; no mind is built to say so.

    Args:
        plan: The plan.
        recommenders: One per configured arm, in their order.
        swaps: Those that take their places later, by place and arm, as `interventions.check_with_data` gives them.

    Raises:
        ConfigError: The engine that is asked for is not to be had here.
    """
    wanted = plan.config.execution
    _check_there(wanted.engine)
    asked_for = f"as execution.engine says{f', the cluster at {wanted.address}' if wanted.address else ''}"
    if wanted.engine == "process":
        return Execution("process", asked_for)
    if why := _why_one_process_asks(plan):
        return Execution("process", why)
    asks = plan.config.mind.asked is not None
    arms = _arms(plan, recommenders, swaps or {})
    staying = {
        name: why for name, parts in arms.items() if (why := _why_it_stays(plan, parts, wanted.engine == "auto"))
    }
    if len(staying) == len(arms):
        return Execution("process", next(iter(staying.values())))
    workers = wanted.workers or usable_cores()
    if wanted.engine == "ray":
        here = workers if wanted.address is None else wanted.workers
        return Execution("ray", asked_for, here, wanted.address, staying)
    if wanted.engine == "pool":
        return Execution("pool", asked_for, workers, staying=staying, asks=asks)
    if why := why_no_fork():
        return Execution("process", why)
    if workers < 2:
        return Execution("process", "there is one core")
    sessions, shards = _largest_day(plan)
    if asks:
        many = f"about {sessions:,} sessions per arm and day, {plan.schedule.concurrency} at once"
        return Execution("pool", many, workers, staying=staying, asks=True)
    if shards < 2 or sessions < _FEWEST_SESSIONS:
        are = "is" if sessions == 1 else "are"
        return Execution("process", f"about {plural(sessions, 'session')} per arm and day {are} too few to share out")
    enough = f"about {sessions:,} sessions per arm and day in {shards:,} shards"
    return Execution("pool", enough, workers, staying=staying)


def _why_one_process_asks(plan: Plan) -> str | None:
    """Why agents ask their language model from one process; None where they need not, or ask none."""
    config = plan.config
    asked, engine = config.mind.asked, config.execution.engine
    if asked is None:
        return None
    one = "agents ask a language model; simulation.concurrency sets how many at once"
    replayed = asked.store is not None and asked.store.mode == "replay"
    if not isinstance(config.mind, LanguageMindConfig) or plan.supplied.mind or engine == "ray":
        return one
    if asked.provider not in ("endpoint", "scripted") and not replayed:
        return f"agents ask a model that computes in this process (provider: {asked.provider})"
    if engine == "pool" or (plan.schedule.concurrency >= _MANY_AT_ONCE and _largest_day(plan)[0] >= _FEWEST_SESSIONS):
        return None
    return one


def _check_there(engine: str) -> None:
    if engine == "ray" and find_spec("ray") is None:
        raise ConfigError(
            "execution.engine: ray needs Ray; install it with pip install 'groundlings[ray]', on every machine of the "
            "cluster, or use pool"
        )
    if engine == "pool" and (why := why_no_fork()):
        raise ConfigError(f"execution.engine: pool is not to be had: {why}; use process or ray")


def _arms(
    plan: Plan, recommenders: Sequence[AsyncRecommender], swaps: Mapping[str, AsyncRecommender]
) -> dict[str, dict[str, AsyncRecommender]]:
    """Arm as it is simulated -> the recommenders that make its lists, sooner or later, by configured arm or swap."""
    made = {arm.name: recommender for arm, recommender in zip(plan.config.arms, recommenders, strict=True)}
    if isinstance(plan.config.design, InterleavingDesign):
        return {INTERLEAVED: made}
    later = {name: {key: each for key, each in swaps.items() if key.partition(".")[2] == name} for name in made}
    return {name: {name: recommender, **later[name]} for name, recommender in made.items()}


def _largest_day(plan: Plan) -> tuple[int, int]:
    """Sessions of the largest arm on a usual day, and how many shards they make."""
    config = plan.config
    share, chance = 1.0, 1.0
    if isinstance(config.design, SplitDesign):
        share = max(shares_of(config.design, [arm.name for arm in config.arms]))
    if plan.schedule.returns is None:
        chance = plan.schedule.visit_probability
    sessions = round(len(plan.population) * share * chance)
    return sessions, -(-sessions // getattr(config.mind, "cohort_size", _COHORT))


def _why_it_stays(plan: Plan, recommenders: Mapping[str, AsyncRecommender], automatic: bool) -> str | None:
    """Why an arm's sessions are simulated in this process; None where they need not be."""
    if any(name in plan.models for name in recommenders):
        return "its recommender asks a language model"
    if waiting := next((each for made in recommenders.values() if (each := may_wait(made))), None):
        return f"its recommender ({waiting}) may wait for a model or a server"
    if not automatic:
        return None
    if any(made.sees_hidden_preference for made in recommenders.values()):
        return "it ranks by the hidden preference, of which this process keeps what it has worked out"
    parts = [part for made in recommenders.values() for part in parts_of(made)]
    config, ours = plan.config, [*parts, site_alone(plan.environment)]
    own = config.mind.kind if isinstance(config.mind, PluginMindConfig) or plan.supplied.mind else not_ours(ours)
    if own is None:
        return None
    return (
        f"{own} is not part of Groundlings, and may hold threads, a GPU or connections, which worker processes would "
        "lack; where it does not, say execution.engine: pool"
    )
