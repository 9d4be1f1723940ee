"""Which command reads a YAML file: what is said where another one was given it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

_FILES = {
    "an experiment file": ("run", "groundlings.experiments.config.schema:ExperimentConfig"),
    "a distillation file": ("distil", "groundlings.experiments.labs.distil.config:DistilConfig"),
    "a fidelity file": ("fidelity", "groundlings.experiments.labs.fidelity.config:FidelityConfig"),
    "a training file": ("train-mind", "groundlings.experiments.labs.train_mind.config:TrainMindConfig"),
    "a truth file": ("truth", "groundlings.experiments.labs.truth.config:TruthConfig"),
    "a warm-up file": ("warmup", "groundlings.experiments.labs.warmup.config:WarmupConfig"),
}
"""What each kind of file is called, the command that reads it, and what it describes; imported where somebody asks."""


def meant_for_another(kind: type[BaseModel], content: Mapping[str, Any], path: Path) -> str:
    """What to do with a file that is of another kind; "" where it is not.

    It is where another kind knows more of its keys.

    Args:
        kind: What the file should describe.
        content: The file's.
        path: The file.
    """
    unknown = [key for key in content if key not in kind.model_fields]
    known = {name: _known_keys(content, place) for name, (_, place) in _FILES.items()} if unknown else {}
    nearest = max(known, key=lambda name: len(known[name]), default="")
    if not nearest or len(known[nearest]) <= len(content) - len(unknown):
        return ""
    telling = ", ".join(key for key in unknown if key in known[nearest])
    wanted = next((name for name, (_, place) in _FILES.items() if place.endswith(f":{kind.__name__}")), "another one")
    return (
        f"this is {nearest} (it has {telling}), and this command reads {wanted}; "
        f"write: groundlings {_FILES[nearest][0]} {shlex.quote(str(path))}"
    )


def _known_keys(content: Mapping[str, Any], place: str) -> list[str]:
    module, _, name = place.partition(":")
    fields = cast("type[BaseModel]", getattr(import_module(module), name)).model_fields
    return [key for key in content if key in fields]
