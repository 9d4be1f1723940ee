"""How many pages per second of one core does the environment of docs/reinforcement.md answer, and how many SARDINE?

    python -m benchmarks.acting [--seconds 20]

Every page has 10 slots, filled at random. Both are measured in CPU seconds of one thread, after a first round that is
not counted. SARDINE (Deffayet et al. 2024) is left out where `pip install sardine-rec` was not done; its users do not
leave, so its environment is reset where an episode of 100 pages ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

_SLOTS, _ENVIRONMENTS = 10, 4_096
_EXPERIMENT = """
name: acting
seed: 1
dataset: ml-100k
site: {page_size: 10, max_pages: 10}
mind: behavioural
arms: [{name: popular, recommender: popular}]
"""


def pages_per_second(step: Callable[[], int], seconds: float) -> float:
    """How many pages `step` answers per CPU second; it gives the number that it has answered."""
    step()
    pages, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        pages += step()
    return pages / (time.process_time() - started)


def ours(candidates: int) -> Callable[[], int]:
    """A step of all environments side by side."""
    from groundlings.experiments.gym.vector_env import SessionsVectorEnv
    from groundlings.experiments.gym.world import world_of

    with TemporaryDirectory() as folder:
        path = Path(folder) / "acting.yaml"
        path.write_text(_EXPERIMENT, encoding="utf-8")
        environment = SessionsVectorEnv(
            world_of(path, reward="sum(click)", action="slate", candidates=candidates), num_envs=_ENVIRONMENTS
        )
    environment.reset(seed=1)
    chance = np.random.default_rng(1)
    slates = [chance.integers(0, candidates, (_ENVIRONMENTS, _SLOTS)) for _ in range(8)]

    def step() -> int:
        environment.step(slates[chance.integers(len(slates))])
        return _ENVIRONMENTS

    return step


def sardine(name: str) -> Callable[[], int]:
    """100 steps of SARDINE's environment, which has one user at a time."""
    import gymnasium

    __import__("sardine")
    environment = gymnasium.make(name)
    environment.reset(seed=1)
    chance = np.random.default_rng(1)
    slates = [chance.choice(1_000, _SLOTS, replace=False) for _ in range(100)]

    def step() -> int:
        for slate in slates:
            *_, terminated, truncated, _ = environment.step(slate)
            if terminated or truncated:
                environment.reset()
        return len(slates)

    return step


def main() -> None:
    """Print a line for each environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--sardine", default="sardine/SlateTopK-Bored-v0")
    arguments = parser.parse_args()
    asked = {f"groundlings, {_ENVIRONMENTS} environments": ours(arguments.candidates)}
    if find_spec("sardine"):
        asked[arguments.sardine] = sardine(arguments.sardine)
    else:
        print("SARDINE is not installed (pip install sardine-rec), so it is not asked")
    for name, step in asked.items():
        print(f"{name}: {pages_per_second(step, arguments.seconds):,.0f} pages of {_SLOTS} slots per CPU second")


if __name__ == "__main__":
    main()
