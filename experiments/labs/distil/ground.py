"""What a distillation rests on: people and their moments, pairs that can be asked about, and the features of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.distil.choosing import draw_candidates
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.distil.features import PairFeatures
from groundlings.experiments.labs.fidelity.choice_of_five import measure_scenes
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.train_mind.scenes import Material, draw_material
from groundlings.experiments.labs.train_mind.scoring import Scores, baselines_of, groups_of
from groundlings.personas.taste.model import fit_taste
from groundlings.recommenders.text_vectors import plain_vectors

LEARNED = "learned"
"""The name of the scenes that are learned from, beside those of `groups_of`."""


@dataclass(frozen=True)
class Ground:
    """The data of one distillation.

    Attributes:
        config: The file.
        dataset: Users, items and interactions.
    """

    config: DistilConfig
    dataset: Dataset

    def chance(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose, the same in every run of the same seed and salt."""
        return np.random.default_rng(name_key("distil", self.config.seed, self.config.split.salt, *purpose))


@dataclass(frozen=True)
class Prepared:
    """All scenes and what is known of their pairs.

    Attributes:
        ground: The data.
        material: The choices among five, the lists, and the earlier rows that everything is counted on.
        scenes: Those of `groups_of`, and under `LEARNED` the candidates.
        pairs: What the columns of the features are.
        features: By the names of `scenes`, shape (n, width of lists, n_features) each.
        scale: Of each column, from the candidates.
        baselines: Popularity, item kNN and evidence on the scenes of `groups_of`.
    """

    ground: Ground
    material: Material
    scenes: Mapping[str, Scenes]
    pairs: PairFeatures
    features: Mapping[str, FloatArray]
    scale: FloatArray
    baselines: Mapping[str, Scores]


def prepare(ground: Ground) -> Prepared:
    """Draw scenes and candidates, and measure them.

    Raises:
        DataError: The data set has no times, or too few people with later rows.
    """
    config, dataset = ground.config, ground.dataset
    material = draw_material(ground)
    statistics = material.groups.statistics
    candidates = draw_candidates(material.learned, statistics, config.pairs.candidates, ground.chance("candidates"))
    judged = groups_of(material)
    scenes = {LEARNED: candidates, **judged}
    taste = fit_taste(dataset, statistics, salt=config.split.salt, seed=config.seed)
    measured = {name: measure_scenes(ground, statistics, taste, each) for name, each in scenes.items()}
    pairs = PairFeatures.of(plain_vectors(dataset.catalog, config.student.width), statistics)
    features = {name: pairs.measure(each, measured[name]) for name, each in scenes.items()}
    return Prepared(
        ground=ground,
        material=material,
        scenes=scenes,
        pairs=pairs,
        features=features,
        scale=pairs.scales(features[LEARNED][candidates.lists.listed]),
        baselines=baselines_of(statistics, judged, measured),
    )
