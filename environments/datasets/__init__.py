"""Raw files become one `Dataset`: MovieLens, your own tables, or a small made-up world."""

from __future__ import annotations

from groundlings.environments.datasets.config import DatasetConfig, OwnData, ToyOptions
from groundlings.environments.datasets.download import ProgressHook
from groundlings.environments.datasets.registry import DATASETS, DatasetEntry, load_dataset

__all__ = ["DATASETS", "DatasetConfig", "DatasetEntry", "OwnData", "ProgressHook", "ToyOptions", "load_dataset"]
