"""What environments for learning share: people, a site, candidates and a reward, made from an experiment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from groundlings.environments.arrays import BoolArray, IntArray, ItemArray
from groundlings.environments.errors import ConfigError, expectation, shown
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.plugins import nearest
from groundlings.environments.words import plural
from groundlings.experiments.config.schema import ArmConfig, ExperimentConfig
from groundlings.experiments.gym.open_sessions import OpenSessions
from groundlings.experiments.gym.reward import Reward
from groundlings.experiments.running.events import Printing
from groundlings.experiments.running.plan import Plan, prepare
from groundlings.experiments.running.supplied import Supplied
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.policies.candidate_sets import CandidateSets
from groundlings.recommenders.policies.observation import SessionSoFar, observation_length, observe
from groundlings.recommenders.policies.pages import (
    ActionKind,
    checked_actions,
    named_places,
    nearest_places,
)
from groundlings.recommenders.policies.vectors import SessionVectors
from groundlings.simulator.concurrency import waited_for

Result = TypeVar("Result")


_WIDEST = 4_096


class OwnLoop:
    """An event loop in a thread of its own, so that minds may wait wherever the caller is, a notebook included."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="groundlings")
        self._runner: asyncio.Runner = self._thread.submit(asyncio.Runner).result()
        self._loop = self._thread.submit(self._runner.get_loop).result()

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """What a coroutine returns; it is ended where whoever waits is interrupted (Ctrl-C)."""
        try:
            return waited_for(self._thread.submit(self._runner.run, coroutine))
        except BaseException:
            self._loop.call_soon_threadsafe(self._end, coroutine)
            raise

    def _end(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Cancel what a coroutine does; nothing where it has ended, for then others may run."""
        tasks = asyncio.all_tasks(self._loop)
        if any(task.get_coro() is coroutine for task in tasks):
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        """End the loop and its thread."""
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()


@dataclass(frozen=True)
class World:
    """The people and the site that a policy acts on.

    Attributes:
        plan: The experiment. Its arms are not simulated; people, site, mind and seed are its own.
        feed: The site.
        vectors: Of items and users, from the training history.
        candidates: Among which a policy chooses.
        size: Candidates of a user at most.
        action: What an action is; see `groundlings.recommenders.policies.pages`.
        reward: What a page is worth.
        loop: Where minds wait.
    """

    plan: Plan
    feed: PaginatedFeed
    vectors: SessionVectors
    candidates: CandidateSets
    size: int
    action: ActionKind
    reward: Reward
    loop: OwnLoop
    _stack: AsyncExitStack = field(repr=False, compare=False)

    @classmethod
    def of(
        cls,
        config: ExperimentConfig,
        *,
        supplied: Supplied | None = None,
        reward: str = "sum(click)",
        action: ActionKind = "slate",
        candidates: int = 100,
        retriever: str | Mapping[str, Any] = "item_knn",
        width: int = 16,
        **unknown: Any,
    ) -> World:
        """A world made of an experiment.

        Args:
            config: The experiment; one arm at least, as in every experiment, which nobody simulates here.
            supplied: Objects that stand in for names of the configuration.
            reward: See `groundlings.experiments.gym.reward`.
            action: `slate` or `embedding`.
            candidates: Items of a user's candidate set at most.
            retriever: The recommender that makes candidate sets, a name or `{recommender: ..., options: {...}}`.
            width: Numbers of an item's vector.
            unknown: Refused: options come by way of `gymnasium.make`, too.

        Raises:
            ConfigError: The site is no paginated feed, or an argument does not fit or exist.
            UserError: The experiment cannot be prepared.
        """
        _check_options(action, candidates, width, unknown)
        loop, stack = OwnLoop(), AsyncExitStack()
        try:
            plan = loop.wait(prepare(config, stack, supplied=supplied, progress=Printing()))
            feed = _site(plan, candidates)
            found = _retriever(plan, retriever)
            return cls(
                plan=plan,
                feed=feed,
                vectors=SessionVectors.fit(plan.split.train, width),
                candidates=CandidateSets(found, plan.first_seen, candidates, config.seed),
                size=candidates,
                action=action,
                reward=Reward(reward, feed.schema),
                loop=loop,
                _stack=stack,
            )
        except BaseException:
            loop.wait(stack.aclose())
            loop.close()
            raise

    def close(self) -> None:
        """Close models and the loop."""
        self.loop.wait(self._stack.aclose())
        self.loop.close()

    def sessions(self, rows: int) -> OpenSessions:
        """Rows in which sessions follow each other; begun nowhere yet."""
        population = self.plan.population
        return OpenSessions(
            self.feed,
            self.plan.mind(),
            np.arange(len(population)),
            population.users,
            rows=rows,
            n_items=len(self.plan.dataset.catalog),
            wait=self.loop.wait,
            offers=self.plan.first_offers,
        )

    @property
    def observation_length(self) -> int:
        """Numbers in an observation."""
        return observation_length(self.vectors.items.shape[1])

    def observe(self, sessions: SessionSoFar) -> NDArray[np.float32]:
        """What a policy sees, shape (n, `observation_length`)."""
        return observe(self.vectors, sessions)

    def places(self, actions: NDArray[Any], candidates: ItemArray, free: BoolArray) -> tuple[IntArray, IntArray]:
        """The candidates that actions put on the page, and how many of their slots name nothing that may be shown.

        Args:
            actions: Shape (n, slots) of places, or (n, width) of numbers.
            candidates, free: Of each session; see `groundlings.recommenders.policies.pages`.

        Raises:
            ConfigError: See `checked_actions`.
        """
        slots = self.feed.page_size
        wide = slots if self.action == "slate" else self.vectors.items.shape[1]
        chosen = checked_actions(actions, self.action, (len(free), wide), self.size)
        if self.action == "slate":
            return named_places(chosen, free)
        places = nearest_places(chosen, candidates, free, self.vectors.items, slots)
        return places, np.zeros(len(places), dtype=np.int64)


def _check_options(action: object, candidates: object, width: object, unknown: Mapping[str, Any]) -> None:
    """Refuse options that no world has, and values that no data could fit."""
    if unknown:
        known = [name for name, each in signature(World.of).parameters.items() if each.kind is each.KEYWORD_ONLY]
        name = min(unknown)
        raise ConfigError(f"{name}: no option of a world{nearest(name, known)}; expected {', '.join(known)}")
    if action not in get_args(ActionKind):
        raise ConfigError(f"action: found {action!r}, expected one of {', '.join(get_args(ActionKind))}")
    for size in (candidates, width):
        if type(size) is not int or size < 1:
            raise ConfigError(f"candidates and width: found {candidates} and {width}; expected whole numbers from 1")
    if isinstance(width, int) and width > _WIDEST:
        raise ConfigError(f"width: found {shown(width)}; expected {_WIDEST:,} at most")


def _site(plan: Plan, candidates: int) -> PaginatedFeed:
    """The site of an experiment, where a policy can fill its pages with so many candidates."""
    feed, items = plan.environment, len(plan.dataset.catalog)
    if type(feed) is not PaginatedFeed:
        raise ConfigError(
            f"environment: policies act on a paginated feed, and this is a {type(feed).__name__}; take the key "
            "`environment`, or carousels of site.layout, out"
        )
    if feed.page_size > candidates:
        raise ConfigError(
            f"candidates: found {candidates}, but a page has {plural(feed.page_size, 'slot')}; give at least as many"
        )
    if candidates > items:
        raise ConfigError(f"candidates: found {candidates}, but the catalogue has {items} items")
    return feed


def _retriever(plan: Plan, spec: str | Mapping[str, Any]) -> Recommender:
    """The recommender that makes candidate sets, fitted on the training history."""
    if not isinstance(spec, str | Mapping):
        raise ConfigError(f"retriever: found {spec!r}, expected a name or {{recommender: NAME, options: {{...}}}}")
    section = {"recommender": spec} if isinstance(spec, str) else dict(spec)
    try:
        arm = ArmConfig.model_validate({"name": "retriever", **section})
    except ValidationError as error:
        raise ConfigError(f"retriever: found {spec!r}; {expectation(error.errors()[0]['msg'])}") from None
    found = plan.recommender(arm, swapped_in="retriever")
    if not isinstance(found, Recommender):
        raise ConfigError(f"retriever: {arm.recommender} waits for something; name one that computes, such as item_knn")
    found.fit(plan.split.train, plan.dataset.catalog)
    return found


def world_of(experiment: ExperimentConfig | Path | str, overrides: Any = (), **further: Any) -> World:
    """A world of an experiment file, or of what one says."""
    from groundlings.experiments.config.loading import load_config

    if not isinstance(experiment, ExperimentConfig):
        experiment = load_config(Path(experiment), tuple(overrides))
    return World.of(experiment, **further)
