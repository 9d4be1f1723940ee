"""A `gymnasium` environment of one user at a time, for algorithms that know no vector environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from groundlings.experiments.gym.vector_env import Observations, SessionsVectorEnv
from groundlings.experiments.gym.world import World


class SessionEnv(gymnasium.Env[Observations, Any]):
    """One step shows the user a page; an episode is a session. See `SessionsVectorEnv` for what is given.

    Args:
        world: The people and the site.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own name

    def __init__(self, world: World) -> None:
        self._rows = SessionsVectorEnv(world, 1)
        self.observation_space = self._rows.single_observation_space
        self.action_space = self._rows.single_action_space
        self._next: tuple[Observations, dict[str, Any]] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Let the next user come; with a seed, the first of that seed's order."""
        super().reset(seed=seed)
        waiting, self._next = self._next, None
        if waiting is not None and seed is None:
            return waiting  # who came when the last session ended
        observations, info = self._rows.reset(seed=seed, options=options)
        return observations[0], _of_row(info)

    def step(self, action: Any) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Show the user a page."""
        observations, rewards, left, truncated, info = self._rows.step(np.asarray(action)[None])
        if left[0] or truncated[0]:
            self._next = observations[0], _of_row(info)
            observations, info = info["final_obs"], info["final_info"]
        return observations[0], float(rewards[0]), bool(left[0]), bool(truncated[0]), _of_row(info)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which places may be named, slot after slot, shape (slots * candidates,); as sb3-contrib asks for it."""
        return self._rows.action_masks()[0]

    def close(self) -> None:
        """Close the world."""
        self._rows.close()


def _of_row(info: dict[str, Any]) -> dict[str, Any]:
    """The info of the only row, without the flags which say that a row has it."""
    return {name: cells[0] for name, cells in info.items() if not name.startswith(("_", "final_"))}
