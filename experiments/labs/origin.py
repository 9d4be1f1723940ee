"""Which file and which data the records of a lab come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundlings.environments.dataset import Dataset
from groundlings.experiments.config.loading import config_hash, dump_config

if TYPE_CHECKING:
    from groundlings.experiments.labs.distil.config import DistilConfig
    from groundlings.experiments.labs.fidelity.config import FidelityConfig
    from groundlings.experiments.labs.train_mind.config import TrainMindConfig


def origin_of(config: DistilConfig | FidelityConfig | TrainMindConfig, dataset: Dataset) -> dict[str, Any]:
    """What records say of their origin, plain JSON values."""
    return {
        "name": config.name,
        "description": config.description,
        "seed": config.seed,
        "salt": config.split.salt,
        "config": dump_config(config),
        "config_hash": config_hash(config),
        "dataset": dataset.name,
        "dataset_source": dataset.source,
        "dataset_licence": dataset.licence,
        "dataset_hash": dataset.fingerprint,
    }
