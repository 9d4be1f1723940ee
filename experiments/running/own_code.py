"""Which code of somebody else's an experiment runs, and where its relative paths lead, whatever that code does."""

from __future__ import annotations

from pathlib import Path

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.supplied import Supplied


def code_of_its_own(config: ExperimentConfig) -> str:
    """The first name in a configuration that stands for code outside of Groundlings, "" where none does."""
    named = [config.dataset.name, config.mind.kind, *(arm.recommender for arm in config.arms)]
    named += [] if config.environment is None else [config.environment.kind]
    inner = [str(value) for arm in config.arms for value in _texts(arm.options)]
    return next((name for name in (*named, *inner, *(config.metrics or ())) if ":" in name), "")


def home(config: ExperimentConfig, supplied: Supplied | None = None) -> Path:
    """The directory that a run's relative paths begin at, named in full where code of its own may change to another.

    Args:
        config: Of the run.
        supplied: Objects that stand in for names of the configuration.
    """
    brought = supplied and (supplied.recommenders or supplied.mind or supplied.environment or supplied.metrics)
    return Path.cwd() if brought or code_of_its_own(config) else Path()


def _texts(value: object) -> list[str]:
    """The recommenders that options name, at any depth."""
    if isinstance(value, dict):
        own = [value["recommender"]] if isinstance(value.get("recommender"), str) else []
        return own + [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list | tuple) else []
