"""The `variants` part of an experiment file, and the combinations that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

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
from groundlings.experiments.config.one_token import OF_LONGER_REPLIES
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
        for name, values in (("prompts", self.prompts), ("models", _with_effect(self.models)), ("seeds", self.seeds)):
            _refuse_twins(name, values)
        return self

    def check_mind(self, mind: AnyMind) -> None:
        """Raise `ValueError` where these variants make no difference to a mind."""
        if self.models and mind.asked is None:
            terms = " with these terms, or with a student," if isinstance(mind, CalibratedMindConfig) else ""
            raise ValueError(f"variants.models: a {mind.kind} mind{terms} asks no model; give seeds alone")
        if isinstance(mind, CalibratedMindConfig):
            _refuse_twins("models", _with_effect(self.models, *OF_LONGER_REPLIES))
        if self.prompts and not isinstance(mind, LanguageMindConfig):
            others = (
                "seeds alone"
                if not isinstance(mind, CalibratedMindConfig) and mind.asked is None
                else "models and seeds"
            )
            raise ValueError(f"variants.prompts: a {mind.kind} mind has one wording; give {others}")


def _with_effect(models: Sequence[ModelConfig], *idle: str) -> list[dict[str, Any]]:
    """What of each model can change a result: two that differ in nothing else give the same run twice."""
    return [model.model_dump(exclude={*model.without_effect, *idle}) for model in models]


def _refuse_twins(name: str, values: Sequence[Any]) -> None:
    if len(values) > len({repr(value) for value in values}):
        raise ValueError(f"variants.{name}: the same one stands there twice; it would count as two runs")


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
