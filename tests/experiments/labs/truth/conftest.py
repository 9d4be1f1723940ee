"""A made-up world in the files of Coat: what people choose is not what they like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.labs.truth.ground import Ground, lay_ground
from groundlings.experiments.labs.truth.lab import Findings, examine
from groundlings.experiments.running.events import LabStep, ProgressEvent

N_USERS, N_ITEMS, CHOSEN, DRAWN = 60, 50, 12, 10

SMALL = """
name: small
description: People with <b>hostile</b> titles.
seed: 3
dataset: coat
truth: {directory: coat, salts: [a, b], sessions: 2, bootstrap: 100}
site: {page_size: 5, max_pages: 2}
"""


def write_coat(folder: Path, seed: int = 0) -> None:
    """Two kinds of people and of items; popular items are chosen, items of the own kind are liked."""
    chance = np.random.default_rng(seed)
    people, kinds = np.arange(N_USERS) % 2, np.arange(N_ITEMS) % 2
    quality = chance.normal(0, 0.5, N_ITEMS)
    liking = np.where(people[:, None] == kinds, 3.4, 2.0) + quality + chance.normal(0, 0.7, (N_USERS, N_ITEMS))
    ratings = np.clip(np.rint(liking), 1, 5).astype(int)
    popular = (1 + np.arange(N_ITEMS)) ** -0.8
    chosen, drawn = np.zeros_like(ratings), np.zeros_like(ratings)
    for user in range(N_USERS):
        weights = popular * np.where(liking[user] > 3, 3.0, 1.0)
        mine = chance.choice(N_ITEMS, CHOSEN, replace=False, p=weights / weights.sum())
        others = chance.choice(N_ITEMS, DRAWN, replace=False)
        chosen[user, mine], drawn[user, others] = ratings[user, mine], ratings[user, others]
    folder.mkdir(exist_ok=True)
    np.savetxt(folder / "train.ascii", chosen, fmt="%d")
    np.savetxt(folder / "test.ascii", drawn, fmt="%d")
    (folder / "user_features_map.txt").write_text("kind:<b>even</b>\nkind:odd")
    (folder / "item_features_map.txt").write_text("sort:even\nsort:odd")
    np.savetxt(folder / "user_features.ascii", np.eye(2, dtype=int)[people], fmt="%d")
    np.savetxt(folder / "item_features.ascii", np.eye(2, dtype=int)[kinds], fmt="%d")


@pytest.fixture(scope="session")
def small() -> str:
    return SMALL


@pytest.fixture(scope="session")
def write() -> Callable[[Path], None]:
    return write_coat


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    write_coat(folder / "coat")
    (folder / "truth.yaml").write_text(SMALL)
    return folder / "truth.yaml"


@pytest.fixture(scope="session")
def config(small_file: Path) -> TruthConfig:
    return load_as(TruthConfig, small_file)


@pytest.fixture(scope="session")
def ground(config: TruthConfig) -> Ground:
    return lay_ground(config)


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
def findings(config: TruthConfig, steps: Steps) -> Findings:
    return examine(config, steps)
