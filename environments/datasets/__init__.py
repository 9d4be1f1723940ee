"""Raw files become one `Dataset`: MovieLens, your own tables or loader, or a small made-up world."""

from __future__ import annotations

from groundlings.environments.datasets.config import DatasetConfig, OwnData, ToyOptions
from groundlings.environments.datasets.download import ProgressHook
from groundlings.environments.datasets.loader import DatasetLoader, LoadContext
from groundlings.environments.datasets.registry import DATASETS, DatasetEntry, available_datasets, load_dataset

__all__ = [
    "DATASETS",
    "DatasetConfig",
    "DatasetEntry",
    "DatasetLoader",
    "LoadContext",
    "OwnData",
    "ProgressHook",
    "ToyOptions",
    "available_datasets",
    "load_dataset",
]
