"""A language model that is asked for the log probabilities of one token, so that it has no use for some of its keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel

from groundlings.simulator.language.config import ModelConfig

OF_LONGER_REPLIES = ("temperature", "max_tokens")
"""The keys of a model that say how more than one token is drawn."""

WHY = "the model is asked for the log probabilities of one token"


def stated(section: BaseModel, *names: str) -> list[str]:
    """Those of some keys that are not at their defaults."""
    found = section.model_dump(include=set(names), exclude_defaults=True)
    return [name for name in names if name in found]


def idle_in(model: ModelConfig) -> list[str]:
    """Those of `OF_LONGER_REPLIES` that are not at their defaults."""
    return stated(model, *OF_LONGER_REPLIES)


def _without_idle(model: ModelConfig) -> ModelConfig:
    if idle := idle_in(model):
        raise ValueError(f"{', '.join(idle)}: no effect here, because {WHY}; take out")
    return model


OneTokenModel = Annotated[ModelConfig, AfterValidator(_without_idle)]
"""The model of a lab; a file that says how a longer reply is drawn is refused."""
