"""Whether what a training needs is installed."""

from __future__ import annotations

from groundlings.environments.errors import ConfigError


def check_installed() -> None:
    """Refuse to begin without PyTorch and what reads and changes models.

    Raises:
        ConfigError: The extra is not installed.
    """
    try:
        import peft
        import torch
        import transformers
    except ImportError as missing:
        raise ConfigError(
            f"training needs an extra that is not installed ({missing.name} is missing): "
            'pip install "groundlings[train]"'
        ) from None
    del peft, torch, transformers
