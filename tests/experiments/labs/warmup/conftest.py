"""A made-up world whose genres tell who likes what, small enough to be measured whole in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.environments.content import measure_content
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.warmup.config import WarmupConfig
from groundlings.experiments.labs.warmup.lab import Findings, measure_warm_up
from groundlings.experiments.labs.warmup.replicate import Trial, begin_trial

TOY = """
name: toy
description: Items with <b>hostile</b> titles.
seed: 3
seeds: 2
dataset:
  name: toy
  toy: {n_users: 150, n_items: 150, n_groups: 4, interactions_per_user: 30, seed: 5}
volumes: [2, 5]
headline: 5
depth: 5
recommender: {recommender: als, options: {factors: 6, iterations: 5}}
others: [{recommender: item_knn}]
pages: {people: 20, page_size: 5}
bootstrap: 100
"""


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "warmup.yaml"
    path.write_text(TOY)
    return path


@pytest.fixture(scope="session")
def config(toy_file: Path) -> WarmupConfig:
    return load_as(WarmupConfig, toy_file)


@pytest.fixture(scope="session")
def dataset(config: WarmupConfig) -> Dataset:
    return load_dataset(config.dataset)


@pytest.fixture(scope="session")
def trial(config: WarmupConfig, dataset: Dataset) -> Trial:
    return begin_trial(config, dataset, measure_content(dataset.catalog), 0)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def findings(config: WarmupConfig, run: Path) -> Findings:
    return measure_warm_up(config, directory=run)
