"""What the log says of where a run comes from, whatever kind of experiment it is."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from groundlings.environments.dataset import Dataset
from groundlings.experiments.config.loading import config_hash, dump_config


def origin_row(name: str, seed: int, config: BaseModel, dataset: Dataset) -> dict[str, Any]:
    """The columns of a row of `runs` that tell configuration and data, under a run id of its own.

    Args:
        name, seed: Of the experiment.
        config: All of it.
        dataset: The people and items that it is about.
    """
    return {
        "run_id": f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        "experiment": name,
        "seed": seed,
        "config": _storable(json.dumps(dump_config(config), ensure_ascii=False)),
        "config_hash": config_hash(config),
        "dataset": dataset.name,
        "dataset_hash": dataset.fingerprint,
        "dataset_source": _storable(dataset.source),
        "dataset_licence": dataset.licence,
        "like_from": dataset.scale.like,
        "synthetic": True,
    }


def _storable(text: str) -> str:
    """A text as databases take it: bytes in the name of a file that are no text are escaped as JSON has them."""
    return text.encode("utf-8", "backslashreplace").decode()
