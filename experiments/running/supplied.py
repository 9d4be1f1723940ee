"""Python objects that stand in where an experiment file has names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from groundlings.environments.dataset import Dataset
from groundlings.environments.environment import Environment
from groundlings.personas.mind import Mind
from groundlings.personas.registry import MindContext
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import RecommenderContext


@dataclass(frozen=True, slots=True)
class Supplied:
    """What the caller brings along; whatever is left out is resolved from the configuration's names.

    Attributes:
        dataset: People, items and their history.
        recommenders: Arm's name -> its recommender, not yet fitted, or what makes one.
        mind: Makes a mind for an arm; each arm gets one of its own.
        environment: Where people browse.
        metrics: Further metrics.
    """

    dataset: Dataset | None = None
    recommenders: Mapping[str, AsyncRecommender | Callable[[RecommenderContext], AsyncRecommender]] = field(
        default_factory=dict
    )
    mind: Callable[[MindContext], Mind] | None = None
    environment: Environment[Any] | None = None
    metrics: tuple[Any, ...] = ()
