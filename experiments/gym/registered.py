"""The ids of Groundlings' environments in gymnasium's registry; importing this module registers them.

import gymnasium
import groundlings.experiments.gym.registered

env = gymnasium.make("groundlings/Sessions-v0", experiment="my_first.yaml")
rows = gymnasium.make_vec("groundlings/Sessions-v0", num_envs=1024, experiment="my_first.yaml")
"""

from __future__ import annotations

from typing import Any

import gymnasium

from groundlings.experiments.gym.single_env import SessionEnv
from groundlings.experiments.gym.vector_env import SessionsVectorEnv
from groundlings.experiments.gym.world import world_of

SESSIONS = "groundlings/Sessions-v0"


def make_env(experiment: Any, **options: Any) -> SessionEnv:
    """The environment of one user at a time; `options` are those of `World.of`, and `overrides`."""
    return SessionEnv(world_of(experiment, **options))


def make_vector_env(experiment: Any, num_envs: int = 1, **options: Any) -> SessionsVectorEnv:
    """The environment of many users; `options` as of `make_env`."""
    return SessionsVectorEnv(world_of(experiment, **options), num_envs)


def _register() -> None:
    if SESSIONS not in gymnasium.registry:
        here = make_env.__module__
        gymnasium.register(SESSIONS, f"{here}:make_env", vector_entry_point=f"{here}:make_vector_env")


_register()
