"""What the log says of where a run comes from, whatever kind of experiment it is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from groundlings.environments.dataset import Dataset
from groundlings.experiments.config.loading import config_hash, dump_config


def claim(run: Mapping[str, Any]) -> str:
    """In words, whether a run is one experiment from its first session to its last.

    Args:
        run: Its row as `LogReader.run` gives it.
    """
    if run["accepted_changes"]:
        return f"changed on resume: {', '.join(run['accepted_changes'])}"
    return "not known: the log does not say what the run depended on" if run["identity"] is None else "one experiment"


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
        "config": json.dumps(dump_config(config), ensure_ascii=False),
        "config_hash": config_hash(config),
        "dataset": dataset.name,
        "dataset_hash": dataset.fingerprint,
        "dataset_source": dataset.source,
        "dataset_licence": dataset.licence,
        "like_from": dataset.scale.like,
        "synthetic": True,
    }
