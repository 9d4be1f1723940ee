"""The combinations that an experiment's `variants` ask for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from groundlings.experiments.config.schema import (
    CalibratedMindConfig,
    ExperimentConfig,
    LanguageMindConfig,
    VariantsConfig,
)


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
    mind, found = config.mind, []
    for prompt, (number, model), seed in product(
        asked.prompts or (None,), enumerate(asked.models or (None,), start=1), asked.seeds or (None,)
    ):
        parts = [f"prompt-{prompt}"] if prompt else []
        parts += [f"model-{number}"] if model else []
        parts += [f"seed-{seed}"] if seed is not None else []
        told = mind
        if isinstance(mind, LanguageMindConfig):
            told = mind.model_copy(update={"wording": prompt or mind.wording, "model": model or mind.model})
        elif isinstance(mind, CalibratedMindConfig):
            told = mind.model_copy(update={"model": model or mind.model})
        cell = config.model_copy(update={"variants": None, "mind": told, "seed": config.seed if seed is None else seed})
        found.append(Cell("_".join(parts) or "only", cell))
    return tuple(found)
