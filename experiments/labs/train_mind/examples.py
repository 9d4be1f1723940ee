"""The people of scenes, as personas know them, and the questions about them.

Each scene is a person whose history ends before its moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from groundlings.environments.dataset import Dataset
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.train_mind.scenes import Ground, Material, new_items, without
from groundlings.experiments.labs.train_mind.scoring import groups_of
from groundlings.personas.minds.calibrated_question import PairQuestions, QuestionOptions
from groundlings.personas.population import Population
from groundlings.personas.profile import measure_profiles


def population_of(dataset: Dataset, scenes: Scenes, statistics: Interactions) -> Population:
    """A population with one person for each scene, known by what lies before its moment.

    Args:
        dataset: Users and items.
        scenes: The scenes.
        statistics: The rows that say how usual a genre is.
    """
    people = dataset.people
    known = People(
        tuple(f"{people.user_ids[user]} scene {number}" for number, user in enumerate(scenes.users.tolist())),
        tuple(people.attributes[user] for user in scenes.users.tolist()),
    )
    usual = measure_profiles(statistics, dataset.catalog, dataset.scale).genre_shares
    return Population(
        users=np.arange(len(scenes)),
        people=known,
        catalog=dataset.catalog,
        train=scenes.histories,
        scale=dataset.scale,
        profiles=replace(measure_profiles(scenes.histories, dataset.catalog, dataset.scale), genre_shares=usual),
        times_known=dataset.times_known,
    )


def questions_of_training(ground: Ground, material: Material) -> dict[str, PairQuestions]:
    """The questions that are learned from ("learned"), and those about all groups of the main table.

    What is learned from is counted without new items; the main table asks about them and counts them.
    """
    dataset, question, statistics = ground.dataset, ground.config.question, material.groups.statistics
    learned = without(statistics, new_items(ground))
    return {
        **questions_of(dataset, {"learned": material.learned}, learned, question),
        **questions_of(dataset, groups_of(material), statistics, question),
    }


def questions_of(
    dataset: Dataset, groups: Mapping[str, Scenes], statistics: Interactions, options: QuestionOptions
) -> dict[str, PairQuestions]:
    """Group -> the questions about its scenes, popularity being counted on `statistics`."""
    counts = statistics.item_counts
    return {
        name: PairQuestions(population_of(dataset, scenes, statistics), options, counts)
        for name, scenes in groups.items()
    }
