"""How messages name a setting of a model: by its keys in the experiment file, or as a key of a file of its own."""

from __future__ import annotations


def setting(home: str, name: str) -> str:
    """Such as "mind.model.base_url", or "base_url in the file of --model".

    Args:
        home: The keys that lead to the model's configuration, or the option of a command that names a file of it.
        name: Of the setting there, perhaps with a value ("structured: none").
    """
    return f"{name} in the file of {home}" if home.startswith("--") else f"{home}.{name}"
