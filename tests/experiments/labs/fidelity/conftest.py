"""A made-up world, small enough to be examined whole in a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.fidelity.lab import Findings, examine
from groundlings.experiments.labs.fidelity.stage import Stage, set_stage
from groundlings.experiments.running.events import LabStep, ProgressEvent

TOY = """
name: toy
description: People with <b>hostile</b> titles.
seed: 3
dataset:
  name: toy
  toy: {n_users: 150, n_items: 120, n_groups: 4, interactions_per_user: 30, seed: 5}
split: {salt: a}
salts: [b]
site: {page_size: 5, max_pages: 2}
lists: {reader: false}
visits: {days: 2, doses: [0.5, 1.0]}
bootstrap: 100
"""


@pytest.fixture(scope="session", autouse=True)
def few_trees() -> Iterator[None]:
    """In so small a world a hundred trees read lists as well as all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.labs.fidelity.list_reader.TREES", 100)
        yield


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "fidelity.yaml"
    path.write_text(TOY)
    return path


@pytest.fixture(scope="session")
def config(toy_file: Path) -> FidelityConfig:
    return load_as(FidelityConfig, toy_file)


@pytest.fixture(scope="session")
def stage(config: FidelityConfig) -> Stage:
    return set_stage(config)


class Steps:
    """Notes the steps of an examination."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def event(self, event: ProgressEvent) -> None:
        if isinstance(event, LabStep):
            self.seen.append(event.done + 1)


@pytest.fixture(scope="session")
def steps() -> Steps:
    return Steps()


@pytest.fixture(scope="session")
def findings(config: FidelityConfig, steps: Steps) -> Findings:
    return examine(config, steps)
