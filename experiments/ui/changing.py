"""Changing a run from its live page: a form becomes a line of `interventions.jsonl`, which the run takes up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.plugins import nearest
from groundlings.experiments.config.designs import INTERLEAVED, InterleavingDesign
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.live_requests import add_request, read_request_of
from groundlings.simulator.log.reader import LogReader

_MOST_VALUES = 100


def ask_for_change(directory: Path, arms: Sequence[str], kind: str, value: str, day: str) -> None:
    """Ask a run for a change, as a form says it.

    Args:
        directory: The run's.
        arms: Names of those that are to change.
        kind: withdraw, restore, page_size, max_pages or recommender.
        value: Item ids with commas between them, a number, or the name of a recommender.
        day: From which day on, 1 for the first; "" for the next one that begins.

    Raises:
        ConfigError: It cannot be followed; nothing was asked for.
        RunDirectoryError: The run cannot be read, or its directory not be written.
    """
    if not arms:
        raise ConfigError("mark the recommenders that are to change")
    content = _wanted(kind, value.strip())
    if day.strip():
        content["day"] = _number(day, "the day")
    with LogReader(directory) as log:
        config = _config_of(log, directory)
        # Elsewhere an arm may have the name that interleaving gives its common one.
        if not (isinstance(config.design, InterleavingDesign) and list(arms) == [INTERLEAVED]):
            content["arms"] = list(dict.fromkeys(arms))
        read_request_of(content, config)
        _check_items(log, content)
    add_request(directory, content)


def _config_of(log: LogReader, directory: Path) -> ExperimentConfig:
    """What the run began as, without what is measured: its metrics may be objects of whoever began it."""
    content = {name: value for name, value in log.run()["config"].items() if name not in ("metrics", "plan")}
    try:
        return ExperimentConfig.model_validate({**content, "base": directory})
    except ValidationError as fault:
        raise ConfigError(
            f"the log's configuration is not one of this version ({fault.error_count()} complaints), so nothing can be "
            "asked of this run"
        ) from None


def _wanted(kind: str, value: str) -> dict[str, Any]:
    match kind:
        case "withdraw" | "restore":
            return {kind: [part.strip() for part in value.split(",", _MOST_VALUES) if part.strip()]}
        case "page_size" | "max_pages":
            return {"site": {kind: _number(value, "the value")}}
        case "recommender":
            return {"recommender": value}
    raise ConfigError(f"found {shown(kind)}, which no run can be asked for")


def _number(text: str, what: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConfigError(f"{what} is a whole number, found {shown(text)}")
    return int(text)


def _check_items(log: LogReader, content: dict[str, Any]) -> None:
    asked = [*content.get("withdraw", ()), *content.get("restore", ())]
    if not asked:
        return
    known = {item.source_id for item in log.logged_items()}
    missing = [item for item in asked if item not in known]
    if missing:
        near = nearest(missing[0], known)
        raise ConfigError(f"the data set has no item {', '.join(map(shown, missing))}{near}")
