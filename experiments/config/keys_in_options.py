"""Keys and passwords among options of one's own code: none may stand there, because a run keeps options in its log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from groundlings.environments.errors import ConfigError
from groundlings.environments.key_words import holds_secret, without_keys_as_names
from groundlings.experiments.config.environment import EnvironmentConfig
from groundlings.experiments.config.schema import PluginMindConfig

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


def refuse_keys_in_options(config: BaseModel) -> None:
    """Raise `ConfigError` where an option of one's own code holds a key or a password."""
    found = next(_keys_in(_options_of(config), ""), None)
    if found is not None:
        raise ConfigError(
            f"{without_keys_as_names(found)}: found a key or a password, and options are kept with results; let your "
            "code read it from an environment variable, and name that variable as the option"
        )


def _options_of(config: BaseModel) -> dict[str, Any]:
    """The options that code of one's own may take, by their key paths."""
    options = {
        f"{name}[{number}].options": getattr(arm, "options", {})
        for name in ("arms", "recommenders")
        for number, arm in enumerate(getattr(config, name, None) or ())
    }
    options["dataset.options"] = getattr(getattr(config, "dataset", None), "options", None) or {}
    for number, change in enumerate(getattr(config, "interventions", None) or ()):
        if change.recommender is not None:
            options[f"interventions[{number}].recommender.options"] = change.recommender.options
    for name, own in (("mind", PluginMindConfig), ("environment", EnvironmentConfig)):
        if isinstance(section := getattr(config, name, None), own):
            options[name] = section.options
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
