"""A `gymnasium` vector environment: many simulated users at once, one row each."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray
from groundlings.environments.errors import ConfigError, TooMuchUnreadable, shown
from groundlings.experiments.gym.world import World
from groundlings.recommenders.policies.pages import items_at, without_places
from groundlings.simulator.lost_pages import LostPageWatch

Observations = NDArray[np.float32]

_FIRST = "make an environment and call reset first"


class SessionsVectorEnv(VectorEnv[Observations, NDArray[Any], NDArray[Any]]):
    """One step shows every user a page; when a session ends, the next user comes in the same step.

    `terminated`: the user left, or nothing could be shown. `truncated`: there was no further page, or the mind's reply
    could not be read. The observation and the info of the page that ended a session are `final_obs` and `final_info`
    (gymnasium's mode `SAME_STEP`), those of the next session stand in their place.

    Info, one entry per row: `action_mask` (candidates that may be shown, for slates), `user` (row number in the data
    set), `unused` (places in the last action that name nothing that may be shown; candidates that the retriever ranks
    highest take their slots), `no_reward` (the reward is unknown and given as 0: the page was lost, or the expression
    is undefined there).

    Args:
        world: The people and the site.
        num_envs: Rows, at least one.

    Raises:
        ConfigError: `num_envs` is no whole number from 1.

    Example:
        >>> env = SessionsVectorEnv(world_of("my_first.yaml"), num_envs=1024)
        >>> observations, info = env.reset(seed=7)
        >>> observations, rewards, terminated, truncated, info = env.step(env.action_space.sample())
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 - gymnasium's own name

    def __init__(self, world: World, num_envs: int = 1) -> None:
        if type(num_envs) is not int or num_envs < 1:
            raise ConfigError(f"num_envs: found {num_envs!r}, expected a whole number from 1")
        self.world, self.num_envs = world, num_envs
        self.single_observation_space = gymnasium.spaces.Box(-1.0, 3.0, (world.observation_length,), np.float32)
        self.single_action_space = action_space(world)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._sessions = world.sessions(num_envs)
        self._candidates = np.full((num_envs, world.size), NO_ITEM, dtype=np.int32)
        self._free: BoolArray = np.zeros(self._candidates.shape, dtype=np.bool_)
        self._seeded = False
        self._watch = LostPageWatch(getattr(world.plan.config.mind, "max_unreadable", 1.0))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin a session in every row, or where `options["reset_mask"]` is True.

        Args:
            seed: Of the order of users and of their luck; the experiment's own if none was ever given.
            options: gymnasium's.

        Raises:
            ConfigError: Options that there are not, a mask that does not say True or False of each row, a closed world.
        """
        mask = self._mask(options)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self._sessions.seed(self.world.plan.config.seed if seed is None else seed)
            self._seeded = True
        self._begin(np.arange(self.num_envs) if mask is None else np.flatnonzero(mask))
        return self._observe(), self._info()

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observations, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Show every user a page.

        Args:
            actions: Shape (num_envs, slots), (num_envs,) for one slot, or (num_envs, width).

        Raises:
            ConfigError: No session has begun, the world is closed, or an action is none of `action_space`.
            TooMuchUnreadable: More pages are lost than the experiment's `mind.max_unreadable` allows, beyond chance.
        """
        if self.closed or not self._seeded:
            raise ConfigError(f"step: {'the world is closed' if self.closed else 'no session has begun'}; {_FIRST}")
        places, unused = self.world.places(actions, self._candidates, self._free)
        items = items_at(places, self._candidates)
        outcome = self._sessions.show(items)
        asked = int((items[:, 0] != NO_ITEM).sum())
        if fault := self._watch.counted(asked, int(outcome.lost.sum())):
            raise TooMuchUnreadable(
                f"{fault}. A policy would learn from rewards that nobody knows: see what the server can do with "
                "groundlings model check, or choose another model"
            )
        reward = self.world.reward.of(outcome)
        unknown = np.isnan(reward)
        info = _for_all({"unused": unused, "no_reward": unknown}, self.num_envs)
        truncated = outcome.cut | outcome.lost
        over = outcome.left | truncated
        self._free = without_places(self._free, places)
        observations = self._observe()
        if over.any():
            final = {**info, **self._info()}
            info |= {"final_obs": observations.copy(), "_final_obs": over, "final_info": final, "_final_info": over}
            ended = np.flatnonzero(over)
            self._begin(ended)
            observations[ended] = self.world.observe(self._sessions.so_far().take(ended))
        return observations, np.where(unknown, 0.0, reward), outcome.left, truncated, info | self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """Which candidates may be shown, slot after slot, shape (num_envs, slots * candidates)."""
        return np.tile(self._free, (1, self.world.feed.page_size))

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ARG002 - gymnasium's signature
        """Close the world."""
        self.world.close()

    def _mask(self, options: Any) -> BoolArray | None:
        if self.closed:
            raise ConfigError(f"reset: the world is closed; {_FIRST}")
        if not isinstance(options or {}, dict) or set(options or {}) - {"reset_mask"}:
            raise ConfigError(f"options: found {shown(options)}, expected none, or reset_mask alone")
        mask = (options or {}).get("reset_mask")
        if mask is not None and (np.shape(mask) != (self.num_envs,) or np.asarray(mask).dtype != np.bool_):
            raise ConfigError(
                f"reset_mask: found {shown(mask)}, expected True or False for each of {self.num_envs} rows"
            )
        return None if mask is None else np.asarray(mask)

    def _begin(self, rows: IntArray) -> None:
        self._sessions.begin(rows)
        found = self.world.candidates.of(self._sessions.users[rows])
        self._candidates[rows] = found
        self._free[rows] = found != NO_ITEM  # nothing has been shown yet

    def _observe(self) -> Observations:
        return self.world.observe(self._sessions.so_far())

    def _info(self) -> dict[str, Any]:
        info: dict[str, NDArray[Any]] = {"user": self._sessions.users.copy()}
        if self.world.action == "slate":
            info["action_mask"] = self._free.copy()
        return _for_all(info, self.num_envs)


def _for_all(info: dict[str, Any], rows: int) -> dict[str, Any]:
    """Info with gymnasium's flags beside it, which say that every row has it."""
    return info | {f"_{name}": np.ones(rows, dtype=np.bool_) for name in info}


def action_space(world: World) -> gymnasium.Space[Any]:
    """What a policy may answer with for one user."""
    if world.action == "embedding":
        return gymnasium.spaces.Box(-1.0, 1.0, (world.vectors.items.shape[1],), np.float32)
    slots = world.feed.page_size
    return gymnasium.spaces.Discrete(world.size) if slots == 1 else gymnasium.spaces.MultiDiscrete([world.size] * slots)
