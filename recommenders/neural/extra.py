"""PyTorch, where it is installed: an optional part, imported when a network is trained and never before."""

from __future__ import annotations

from importlib.util import find_spec

from groundlings.environments.errors import ConfigError


def require_torch(recommender: str) -> None:
    """Raise `ConfigError` where PyTorch is not installed.

    Args:
        recommender: Who needs it, as the YAML writes it.
    """
    if find_spec("torch") is None:
        raise ConfigError(
            f"recommender {recommender}: found no PyTorch; install it with: pip install 'groundlings[neural]'"
        )
