"""A file whose keys are those of `mind.model`, as `groundlings model check --write` leaves one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from groundlings.experiments.config.loading import keys_of, load_as
from groundlings.experiments.config.section import Section
from groundlings.simulator.language.config import ModelConfig


class ModelFile(Section):
    """A file that says which language model is asked."""

    model: ModelConfig = ModelConfig()
    """The keys of `mind.model`."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""


def read_model_file(path: Path) -> ModelFile:
    """What such a file says.

    Raises:
        ConfigError: It cannot be read, or says something that does not fit.
    """
    return load_as(ModelFile, path, within="model")


def is_model_file(path: Path) -> bool:
    """Whether a YAML file has keys of `mind.model` at its top, and none of an experiment's.

    Raises:
        ConfigError: It cannot be read.
    """
    keys = keys_of(path)
    return bool(keys & ModelConfig.model_fields.keys()) and not keys & {"mind", "arms", "dataset"}
