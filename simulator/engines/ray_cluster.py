"""A Ray cluster: shards are tasks, on the machines of a cluster or as processes of this one.

What an arm's sessions depend on goes into Ray's object store, once for each fit of its recommender; a task is sent the
shard and the reference, and a worker keeps what it has fetched until a newer one comes. The log is written by the
process that drives the run. A large shard is two tasks: the first lays its rows out, which stay in the object store,
and the second gives them their ids, and makes files of them for a log in parts. A task whose worker or machine is lost
is sent again; that makes the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from groundlings.environments.errors import ConfigError, WorkerLost
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import GetsReady, notices
from groundlings.personas.taste.model import Taste
from groundlings.simulator.concurrency import in_order
from groundlings.simulator.engines.engine import IN_PROCESS
from groundlings.simulator.engines.ray_parts import as_buffers, part, taste_as_buffers
from groundlings.simulator.engines.worker import ATTEMPTS, Answer, attempted, ended, packed, simulated, unpacked
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.shard_rows import Counts
from groundlings.simulator.shards import Numbering, Occasion, Outcome, Simulated, Snapshot, Task, work_on

_OF_ALL = ""
"""In the place of an arm's name: what belongs to all."""

_TASKS_PER_CORE = 2
"""Tasks on their way for each core of the cluster, so that none waits for the next."""


class RayCluster:
    """Simulates on a Ray cluster; see the module.

    Args:
        workers: Tasks at a time; as many as there are cores if None.
        address: Of a cluster that runs already, as `ray.init` takes it; None starts one on this machine.
        tell: Is told of workers that were lost, and of arms that cannot be sent.

    Raises:
        ConfigError: There is no cluster at the address.
    """

    def __init__(self, workers: int | None, address: str | None, tell: Callable[[str], None] = lambda _: None) -> None:
        import ray

        self._tell = tell
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(workers, address)
        cores = workers or int(ray.cluster_resources().get("CPU", 1))
        self._open_at_once = _TASKS_PER_CORE * max(1, cores)
        # No retries by Ray: each loss is told and counted here.
        self._task = ray.remote(max_retries=0, num_returns=2)(_simulated)
        self._filing = ray.remote(max_retries=0)(_filed)
        self._parts: dict[tuple[str, str], _Part] = {}
        self._not_sent: set[str] = set()

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        import ray

        self._parts.clear()
        if self._ours:
            ray.shutdown()

    def over(self, arm: str) -> None:
        """See `Engine.over`."""
        self._parts = {key: part for key, part in self._parts.items() if key[0] != arm}

    def outcomes(
        self, occasion: Occasion, concurrency: int, cut_short: Callable[[Sessions], None]
    ) -> AsyncGenerator[Outcome, None]:
        """See `Engine.outcomes`; an arm that cannot be sent is simulated in this process, which is said once.

        Raises:
            WorkerLost: The same shard has lost its worker `ATTEMPTS` times.
        """
        arm = occasion.snapshot.arm
        if arm not in self._not_sent and len(occasion):
            if isinstance(occasion.snapshot.mind, GetsReady):
                occasion.snapshot.mind.get_ready(occasion.users)
            try:
                parts = self._sent(occasion.snapshot)
            except (TypeError, AttributeError, pickle.PicklingError) as fault:
                self._not_sent.add(arm)
                self._tell(f"arm {arm} is simulated in this process, because it cannot be sent to another one: {fault}")
        if arm in self._not_sent or not len(occasion):
            return IN_PROCESS.outcomes(occasion, concurrency, cut_short)

        turns = None if occasion.claim is None else _Turns(occasion.claim)

        async def outcome(number: int) -> Outcome:
            try:
                return await self._outcome(parts, occasion, number, turns)
            except BaseException:
                cut_short(occasion.sessions(number))
                raise

        return in_order(outcome, range(len(occasion)), self._open_at_once)

    async def _outcome(self, parts: list[_Part], occasion: Occasion, number: int, turns: _Turns | None) -> Outcome:
        from ray.exceptions import RayError, RayTaskError

        task = occasion.task(number).sent()
        where = occasion.words
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = await self._done(parts, occasion.snapshot.arm, number, task, turns)
            except RayTaskError as fault:
                raise ConfigError(
                    f"{where}: a worker could not begin ({fault.cause}); Groundlings, and the modules that the "
                    "experiment file names, must be installed on every machine of the cluster"
                ) from fault
            except RayError as fault:
                if attempt < ATTEMPTS:
                    self._tell(f"{where}: a worker was lost ({type(fault).__name__}); its shard is simulated again")
                    continue
                raise WorkerLost(
                    f"{where}: shard {number + 1} of {len(occasion)} has lost its worker {ATTEMPTS} times "
                    f"({type(fault).__name__}: {fault}); mend the cluster, or use execution.engine: pool; then resume "
                    "the run: everything decided so far is kept"
                ) from None
            if isinstance(outcome, Outcome):
                return outcome
            assert isinstance(outcome, Exception), "rows that were laid out have got their ids"
            raise outcome
        raise AssertionError("the last attempt returns or raises")

    async def _done(
        self, parts: list[_Part], arm: str, number: int, task: Task, turns: _Turns | None
    ) -> Outcome | Counts | Exception:
        """What comes of a shard: one task, or two where its rows wait for their ids."""
        answer, laid_out = self._task.remote(arm, [(part.kind, [part.held]) for part in parts], number, task)
        outcome = unpacked(await answer, lambda _: task.shard.sessions).outcome
        if not isinstance(outcome, Counts):
            return outcome
        assert turns is not None, "rows are laid out where ids are given out"
        origin = await turns.turn(number, outcome)
        return unpacked(await self._filing.remote(number, laid_out, origin), lambda _: task.shard.sessions).outcome

    def _sent(self, snapshot: Snapshot) -> list[_Part]:
        """What a snapshot consists of, in the object store; only what has changed is sent again.

        What all arms share, tastes, comes first: the other parts mean it by its name.
        """
        noticing = notices(snapshot.mind)
        own = [
            self._put(snapshot.arm, "recommender", snapshot.recommender, snapshot.recommender.state() or None),
            self._put(snapshot.arm, "mind", snapshot.mind, None if noticing else "as it is"),
            self._put(snapshot.arm, "environment", snapshot.environment, "as it is"),
        ]
        tastes = sorted({name for each in own for name in each.tastes})
        return [*(self._parts[_OF_ALL, name] for name in tastes), *own]

    def _put(self, arm: str, kind: str, value: object, state: str | None) -> _Part:
        """A part in the object store: the one that lies there if it is the same value in the same state, else anew."""
        import ray

        before = self._parts.get((arm, kind))
        if before is None or before.value is not value or state is None or before.state != state:
            tastes: list[str] = []

            def name_of(taste: Taste) -> str:
                tastes.append(self._put_taste(taste))
                return tastes[-1]

            self._parts[arm, kind] = _Part(kind, value, state, ray.put(as_buffers(value, name_of)), tuple(tastes))
        return self._parts[arm, kind]

    def _put_taste(self, taste: Taste) -> str:
        """The name of a taste, which lies in the object store once for all arms."""
        import ray

        for known in self._parts.values():
            if known.value is taste:
                return known.kind
        kind = f"taste {sum(arm == _OF_ALL for arm, _ in self._parts)}"
        self._parts[_OF_ALL, kind] = _Part(kind, taste, "as it is", ray.put(taste_as_buffers(taste)))
        return kind


class _Turns:
    """Has shards wait until it is known where the ids of their rows begin.

    Args:
        claim: As for `Numbering`.
    """

    def __init__(self, claim: Callable[[Counts], Origin]) -> None:
        self._numbering = Numbering(claim)
        self._waiting: dict[int, asyncio.Future[Origin]] = {}

    async def turn(self, shard: int, counts: Counts) -> Origin:
        """Where the ids of a shard begin."""
        mine = self._waiting[shard] = asyncio.get_running_loop().create_future()
        for number, origin in self._numbering.ready(shard, counts):
            waiting = self._waiting.pop(number, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(origin)
        return await mine


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that lies in the object store.

    Attributes:
        kind: Workers keep the last one of each kind.
        value: The same here; held, so that another one cannot be mistaken for it.
        state: In which it was sent; None = may have changed since.
        held: The reference.
        tastes: Names of the tastes that it means.
    """

    kind: str
    value: object
    state: str | None
    held: Any
    tastes: tuple[str, ...] = ()


def _simulated(arm: str, parts: list[tuple[str, list[Any]]], number: int, task: Task) -> tuple[bytes, Simulated | None]:
    """The task: what came of a shard, packed; and its rows, where they wait for their ids.

    References stand in lists, or Ray would fetch them for every task.
    """
    *_, recommender, mind, environment = [part(*each) for each in parts]
    snapshot, held = Snapshot(arm, recommender, environment, mind), dict[int, Simulated]()
    answer = simulated(number, lambda: ended(work_on(snapshot, task)), held)
    return packed(answer), held.get(number)


def _filed(number: int, laid_out: Simulated, origin: Origin) -> bytes:
    """The second task: what came of a shard, packed, its rows as files."""
    return packed(Answer(number, attempted(partial(laid_out.outcome, origin))))


def _connect(workers: int | None, address: str | None) -> None:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of a lost task all results fail; one of them tells it
    before = os.environ.get("PYTHONPATH")
    try:
        if address is not None:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            return
        # Workers inherit this: they find modules beside the experiment file as this process does.
        os.environ["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)
        ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as fault:  # a cluster that does not start in time says so by an error of no kind of its own
        if address is None:
            raise ConfigError(
                f"execution.engine: no Ray cluster could be started on this machine ({fault}); try again when it is "
                "less busy, name a running one in execution.address, or use pool"
            ) from fault
        raise ConfigError(
            f"execution.address: no Ray cluster answers at {address} ({fault}); start one with `ray start --head`, or "
            "take the key out"
        ) from fault
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before
