"""Scores of the items of scenes: of a network, and of those it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.choice_of_five import measure_scenes
from groundlings.experiments.labs.fidelity.list_features import LATEST, Numbers
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.experiments.labs.train_mind.scenes import Ground, Material
from groundlings.experiments.labs.train_mind.token_trees import Prompts, lay
from groundlings.personas.taste.model import Taste, fit_taste

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network

POPULARITY, KNN, KNN_LATEST, EVIDENCE = "popularity", "item kNN", f"item kNN, last {LATEST}", "evidence"
GROUPS = ("test five", "validation five", "test lists", "validation lists")

Scores = Mapping[str, FloatArray]
"""Group -> the score of each item, shape as the items of the group's scenes, NaN where there is none or no answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a network said of all groups.

    Attributes:
        scores: Log-odds of yes.
        asked, unreadable: Questions, and those with neither word among the twenty likeliest tokens.
        tokens: What was computed.
    """

    scores: Scores
    asked: int
    unreadable: int
    tokens: int


def groups_of(material: Material) -> dict[str, Scenes]:
    """The scenes of each group, by the names in `GROUPS`."""
    both = material.groups
    every = (both.test, both.validation, material.test_lists, material.validation_lists)
    return dict(zip(GROUPS, every, strict=True))


def ask_network(
    network: Network,
    prompts: Mapping[str, Prompts],
    groups: Mapping[str, Scenes],
    on_scenes: Callable[[int, int], None] = lambda _done, _total: None,
) -> Said:
    """The answers of a network to the questions about some groups.

    Args:
        network: Who is asked.
        prompts: Group -> the words of its questions.
        groups: Group -> its scenes, as `groups_of` names them.
        on_scenes: Told how many scenes are done, of how many.
    """
    total, done, asked, unreadable, tokens = sum(map(len, groups.values())), 0, 0, 0, 0
    scores: dict[str, FloatArray] = {}
    for name, scenes in groups.items():
        scores[name] = np.full(scenes.lists.items.shape, np.nan)
        for row, items in enumerate(scenes.lists.items):
            listed = scenes.lists.listed[row]
            laid = lay(prompts[name].tree(row, items[listed].tolist()))
            said = network.say(laid)
            scores[name][row, listed] = np.where(said.readable, said.yes - said.no, np.nan)
            asked, unreadable = asked + len(said.readable), unreadable + int((~said.readable).sum())
            tokens, done = tokens + len(laid.tokens), done + 1
            on_scenes(done, total)
    return Said(scores, asked, unreadable, tokens)


def taste_of(ground: Ground, material: Material) -> Taste:
    """The taste of the behavioural mind, fitted on the rows that a material is counted on."""
    salt, seed = ground.config.split.salt, ground.config.seed
    return fit_taste(ground.dataset, material.groups.statistics, salt=salt, seed=seed)


def baselines(ground: Ground, material: Material, taste: Taste) -> dict[str, Scores]:
    """Popularity, item kNN and the evidence of the behavioural mind, all counted on the earlier rows alone.

    Args:
        ground: The data.
        material: The scenes.
        taste: As `taste_of` fits it.
    """
    statistics = material.groups.statistics
    groups = groups_of(material)
    return baselines_of(
        statistics, groups, {name: measure_scenes(ground, statistics, taste, each) for name, each in groups.items()}
    )


def baselines_of(
    statistics: Interactions, groups: Mapping[str, Scenes], measured: Mapping[str, Mapping[str, Numbers]]
) -> dict[str, Scores]:
    """The same from what was measured of each group of scenes (`measure_scenes`)."""
    columns = {KNN_LATEST: "item kNN, latest", KNN: "item kNN", EVIDENCE: "appeal"}
    found: dict[str, dict[str, FloatArray]] = {name: {} for name in (POPULARITY, *columns)}
    for group, scenes in groups.items():
        lists = scenes.lists
        # In a choice model the tenth user of an item says more than the thousandth.
        popular = np.log1p(statistics.item_counts[np.where(lists.listed, lists.items, 0)].astype(np.float64))
        found[POPULARITY][group] = np.where(lists.listed, popular, np.nan)
        for name, column in columns.items():
            found[name][group] = np.where(lists.listed, measured[group][column].astype(np.float64), np.nan)
    return dict(found)
