"""Weights of tastes that were estimated before on the same data, kept so that another run need not estimate them again.

Estimating measures the whole history twice: once without the rows that serve as labels. With weights that are kept it
is measured once, or not at all (`kept_evidence`), and the taste is the same to the last bit. What weights depend on is
in the file's name: the data, the split, the seed, the code that estimates, and the versions of packages that it
computes with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import DataError
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.environments.random_streams import Draws
from groundlings.environments.split import Split, split_training
from groundlings.experiments.running.kept_values import read_kept, write_kept
from groundlings.experiments.running.source_code import source_of, versions_of
from groundlings.personas.taste.model import estimate
from groundlings.personas.taste.weights import TasteWeights


def cache_directory() -> Path:
    """Where weights are kept: `$GROUNDLINGS_CACHE/tastes`, else the user's cache directory."""
    return user_cache(CACHE_VARIABLE) / "tastes"


def place_of(dataset: Dataset, split: Split, *, salt: str, seed: int, per_occasion: bool) -> Path:
    """The file for the weights that are estimated on these data.

    Args:
        dataset, split: The data.
        salt: Says who is in which third.
        seed: Of the sampling of negatives.
        per_occasion: Whether appeal is that of one occasion.
    """
    sources = [source_of(each) for each in (estimate, split_training, Draws)]
    content = {
        "data": dataset.fingerprint,
        "scale": repr(dataset.scale),
        "train": split.train.fingerprint,
        "labels": split.labels,
        "salt": salt,
        "seed": seed,
        "per_occasion": per_occasion,
        "code": [source.sha256 for source in sources],
        "packages": [dict(source.packages) for source in sources] + [versions_of({"numpy", "scipy", "threadpoolctl"})],
    }
    return cache_directory() / f"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}.json"


def kept(path: Path) -> Mapping[str, TasteWeights] | None:
    """Name of a taste -> its weights, None where none are kept; a file that is not as it was written counts as none."""
    try:
        return {name: TasteWeights.from_dict(values) for name, values in read_kept(path).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError):
        return None


def keep(path: Path, weights: Mapping[str, TasteWeights]) -> None:
    """Keep weights for another run; where the cache cannot be written, they are estimated again next time."""
    write_kept(path, {name: each.as_dict() for name, each in weights.items()})
