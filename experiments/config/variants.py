"""The `variants` part of an experiment file, and the combinations that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from groundlings.experiments.config.minds import (
    BehaviouralMindConfig,
    CalibratedMindConfig,
    ConversingLanguageMindConfig,
    ConversingMindConfig,
    HybridMindConfig,
    LanguageMindConfig,
    PluginMindConfig,
    ScriptedMindConfig,
)
from groundlings.experiments.config.section import Section
from groundlings.personas.minds.language.config import Wording
from groundlings.simulator.language.config import ModelConfig

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ExperimentConfig

AnyMind = (
    BehaviouralMindConfig
    | ScriptedMindConfig
    | LanguageMindConfig
    | CalibratedMindConfig
    | ConversingMindConfig
    | ConversingLanguageMindConfig
    | HybridMindConfig
    | PluginMindConfig
)


class VariantsConfig(Section):
    """The same experiment under other circumstances, which must not decide: each combination is a run of its own."""

    prompts: tuple[Wording, ...] = ()
    """Wordings of a language mind's prompts, as in `mind.wording`; the mind's own if empty."""
    models: tuple[ModelConfig, ...] = ()
    """Language models, each as in `mind.model` of a language or calibrated mind; the mind's own if empty."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = ()
    """Seeds, as the file's own; the file's own if empty."""

    @model_validator(mode="after")
    def _vary(self) -> VariantsConfig:
        for name in ("prompts", "models", "seeds"):
            values = getattr(self, name)
            if len(values) > len({repr(value) for value in values}):
                raise ValueError(f"variants.{name}: the same one stands there twice; it would count as two runs")
        return self

    def check_mind(self, mind: AnyMind) -> None:
        """Raise `ValueError` where these variants make no difference to a mind."""
        if self.models and not isinstance(mind, LanguageMindConfig | CalibratedMindConfig) and mind.asked is None:
            raise ValueError(f"variants.models: a {mind.kind} mind asks no model; give seeds alone")
        if self.prompts and not isinstance(mind, LanguageMindConfig):
            others = (
                "seeds alone"
                if not isinstance(mind, CalibratedMindConfig) and mind.asked is None
                else "models and seeds"
            )
            raise ValueError(f"variants.prompts: a {mind.kind} mind has one wording; give {others}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination.

    Attributes:
        name: Of its directory ("prompt-plain_model-2_seed-8"); dimensions that do not vary are left out.
        config: Of its run, without `variants`.
    """

    name: str
    config: ExperimentConfig


def cells_of(config: ExperimentConfig) -> tuple[Cell, ...]:
    """Every combination of a configuration's variants, the seeds varying fastest; itself where nothing varies."""
    asked = config.variants or VariantsConfig()
    found = []
    for prompt, (number, model), seed in product(
        asked.prompts or (None,), enumerate(asked.models or (None,), start=1), asked.seeds or (None,)
    ):
        parts = [f"prompt-{prompt}"] if prompt else []
        parts += [f"model-{number}"] if model else []
        parts += [f"seed-{seed}"] if seed is not None else []
        changes = {**({"wording": prompt} if prompt else {}), **({"model": model} if model else {})}
        mind = config.mind.model_copy(update=changes)
        cell = config.model_copy(update={"variants": None, "mind": mind, "seed": config.seed if seed is None else seed})
        found.append(Cell("_".join(parts) or "only", cell))
    return tuple(found)
