"""What the log says of where a run comes from, whatever kind of experiment it is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from groundlings.environments.dataset import Dataset

PACKAGES = "packages."
"""Begins the names of versions in `runs.identity`: another patch release is told and changes nothing."""


def claim(run: Mapping[str, Any]) -> str:
    """In words, whether a run is one experiment from its first session to its last.

    Args:
        run: Its row as `LogReader.run` gives it.
    """
    if run["accepted_changes"]:
        return f"changed on resume: {', '.join(run['accepted_changes'])}"
    return "not known: the log does not say what the run depended on" if run["identity"] is None else "one experiment"


_VARIED = ("mind.prompts", "mind.calibration")
"""What runs with another prompt or model differ in, beside the model itself."""


def unlike(first: Mapping[str, str] | None, second: Mapping[str, str] | None) -> list[str]:
    """Parts of `runs.identity` that two variants of one experiment should share and do not.

    Args:
        first, second: Of each; nothing is said where one is None, in an earlier log.
    """
    if first is None or second is None:
        return []
    return [
        name
        for name in dict.fromkeys((*first, *second))
        if not name.endswith(".model")
        and not (is_in_directory(name) and first.get(name) is None)
        and name not in _VARIED
        and not same_release(name, first.get(name), second.get(name))
    ]


def is_in_directory(name: str) -> bool:
    """Whether a part is a file in a directory that an option names: others may come, as into a cache."""
    return ".file." in name and "/" in name


def same_release(name: str, first: str | None, second: str | None) -> bool:
    """Whether two values of a part are equal, or two versions of a package up to the patch."""
    if not name.startswith(PACKAGES) or first is None or second is None:
        return first == second
    return first.split(".")[:2] == second.split(".")[:2]


def origin_row(name: str, seed: int, config: BaseModel, dataset: Dataset) -> dict[str, Any]:
    """The columns of a row of `runs` that tell configuration and data, under a run id of its own.

    Args:
        name, seed: Of the experiment.
        config: All of it.
        dataset: The people and items that it is about.
    """
    from groundlings.experiments.config.loading import config_hash, dump_config  # whoever reads a log needs no file

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
