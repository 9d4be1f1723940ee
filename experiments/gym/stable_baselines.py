"""A vector environment as stable-baselines3 has them, which are older than gymnasium's and not the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from groundlings.experiments.gym.vector_env import Observations, SessionsVectorEnv


class SessionsVecEnv(VecEnv):
    """`SessionsVectorEnv` for the algorithms of stable-baselines3 and sb3-contrib.

    Args:
        rows: The environment.

    Example:
        >>> from stable_baselines3 import PPO
        >>> env = SessionsVecEnv(SessionsVectorEnv(world_of("my_first.yaml", action="embedding"), num_envs=256))
        >>> PPO("MlpPolicy", env, seed=0).learn(100_000).save("policy.zip")
    """

    def __init__(self, rows: SessionsVectorEnv) -> None:
        self._rows = rows
        super().__init__(rows.num_envs, rows.single_observation_space, rows.single_action_space)

    def reset(self) -> Observations:
        """Begin a session in every row."""
        seeds = [seed for seed in self._seeds if seed is not None]
        observations, _ = self._rows.reset(seed=seeds[0] if seeds else None)
        self._reset_seeds()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Note the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[Observations, NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Show every user a page; see `VecEnv.step_wait`."""
        observations, rewards, left, truncated, info = self._rows.step(self._actions)
        over = left | truncated
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(over).tolist():
            told[row] = {
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(truncated[row] and not left[row]),
            }
        return observations, rewards.astype(np.float32), over, told

    def action_masks(self) -> NDArray[np.bool_]:
        """As sb3-contrib asks for them; see `SessionsVectorEnv.action_masks`."""
        return self._rows.action_masks()

    def close(self) -> None:
        """Close the world."""
        self._rows.close()

    def has_attr(self, attr_name: str) -> bool:
        """Whether rows have such an attribute."""
        return hasattr(self._rows, attr_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute that all rows share, once per row."""
        return [getattr(self._rows, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002 - theirs
        """Set an attribute for all rows."""
        setattr(self._rows, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """What a method gives, row by row; one that gives one value for all rows is not asked for here."""
        found = getattr(self._rows, method_name)(*args, **kwargs)
        return [found[row] for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:  # noqa: ARG002 - theirs
        """No row is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[None]:
        """There is nothing to see."""
        return [None] * self.num_envs
