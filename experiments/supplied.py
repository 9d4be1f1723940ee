"""Python objects that stand in where an experiment file has names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from groundlings.environments.dataset import Dataset
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.registry import RecommenderContext


@dataclass(frozen=True, slots=True)
class Supplied:
    """What the caller brings along; whatever is left out is resolved from the configuration's names.

    Attributes:
        dataset: People, items and their history.
        recommenders: Arm's name -> what makes its recommender.
    """

    dataset: Dataset | None = None
    recommenders: Mapping[str, Callable[[RecommenderContext], Recommender]] = field(default_factory=dict)
