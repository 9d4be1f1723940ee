"""How often the recommenders of an arm ask a language model at most, wherever they stand inside each other."""

from __future__ import annotations

import inspect
from collections import Counter

from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.learning import learners
from groundlings.recommenders.registry import parts_of


def calls_per_list(recommender: AsyncRecommender) -> Counter[str]:
    """Prompt -> questions for one list at most, of a recommender and those inside of it."""
    found: Counter[str] = Counter()
    for part in parts_of(recommender):
        if isinstance(part, AsyncRecommender):
            found.update(part.calls_per_list())
    return found


def calls_to_learn(recommender: AsyncRecommender, users: int) -> Counter[str]:
    """Prompt -> questions at most each time that a recommender and those inside of it learn by asking.

    Args:
        recommender: Fitted or not.
        users: How many users lists are made for.
    """
    found: Counter[str] = Counter()
    for part in learners(recommender):
        found.update(part.calls_to_learn(users))
    return found


def unsaid(recommender: AsyncRecommender) -> list[str]:
    """Classes that take a model, or learn by asking, and do not say how often they ask: a recommender's and inside."""
    parts = [part for part in parts_of(recommender) if isinstance(part, AsyncRecommender)]
    learning = {id(part) for part in learners(recommender)}
    return [
        type(part).__name__
        for part in parts
        if ("model" in inspect.signature(type(part)).parameters and _silent(part, "calls_per_list"))
        or (id(part) in learning and _silent(part, "calls_to_learn"))
    ]


def _silent(part: AsyncRecommender, method: str) -> bool:
    return getattr(type(part), method) is getattr(AsyncRecommender, method)
