"""Keys and passwords among options of one's own code: none may stand there, because a run keeps options in its log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from groundlings.environments.errors import ConfigError
from groundlings.environments.key_words import holds_secret, without_keys_as_names
from groundlings.experiments.config.environment import EnvironmentConfig
from groundlings.experiments.config.schema import ExperimentConfig, PluginMindConfig

_OF_A_KEY = re.compile(
    r"(?:api|access|auth|secret|private|subscription|bearer|refresh|hf)[_-]?(?:key|token)\Z"
    r"|(?:\A|_)(?:secret|password|passwd|passphrase|authorization)\Z",
    re.I,
)
"""Names of options that hold a key or a password."""
_IN_A_QUERY = re.compile(
    r"[?&](?:(?:api|access|auth|secret|private|subscription)[_-]?(?:key|token)=[^&\s]"
    r"|(?:key|token|secret|password|sig)=(?=[^&\s]*\d)[^&\s]{8,})",
    re.I,
)
"""In an address."""


def refuse_keys_in_options(config: ExperimentConfig) -> None:
    """Raise `ConfigError` where an option of one's own code holds a key or a password."""
    found = next(_keys_in(_options_of(config), ""), None)
    if found is not None:
        raise ConfigError(
            f"{without_keys_as_names(found)}: found a key or a password, and a run keeps its options in its directory "
            "and its log; let your code read it from an environment variable, and name that variable as the option"
        )


def _options_of(config: ExperimentConfig) -> dict[str, Any]:
    """The options that code of one's own may take, by their key paths."""
    options = {f"arms[{number}].options": arm.options for number, arm in enumerate(config.arms)}
    options["dataset.options"] = config.dataset.options or {}
    for number, change in enumerate(config.interventions or ()):
        if change.recommender is not None:
            options[f"interventions[{number}].recommender.options"] = change.recommender.options
    if isinstance(config.mind, PluginMindConfig):
        options["mind"] = config.mind.options
    if isinstance(config.environment, EnvironmentConfig):
        options["environment"] = config.environment.options
    return options


def _keys_in(value: Any, path: str, name: str = "") -> Iterator[str]:
    """The key paths of values that are a key or a password, by what they are called or how they begin."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _keys_in(inner, f"{path}.{key}" if path else str(key), str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _keys_in(inner, f"{path}[{number}]", name)
    elif isinstance(value, str) and value and _is_key(name, value):
        yield path


def _is_key(name: str, value: str) -> bool:
    return bool(_OF_A_KEY.search(name) or _IN_A_QUERY.search(value)) or holds_secret(value)
