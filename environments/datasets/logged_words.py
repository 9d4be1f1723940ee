"""What the items of a finished run are called, and what a click on one stands for: from its log, without the data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from groundlings.environments.datasets import coat, complete_journey, movielens
from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.datasets.feedback import words_of
from groundlings.environments.feedback import default_counted
from groundlings.environments.interactions import KINDS, Kind
from groundlings.environments.shop_actions import PURCHASE
from groundlings.environments.words import VERBS, Words

_SHIPPED: Mapping[str, Words] = {
    "ml-100k": movielens.WORDS,
    "ml-1m": movielens.WORDS,
    "complete-journey": complete_journey.WORDS,
    "coat": coat.WORDS,
}
_TELLING: tuple[Kind, ...] = ("purchase", "play")
"""Kinds of which a click is more than a look at the item's own page."""


def logged_words(config: Mapping[str, Any]) -> Words:
    """The words of a run's data; the general ones of a loader of one's own, which only its data would tell.

    Args:
        config: The run's configuration, as its log keeps it.
    """
    found = _dataset(config)
    if found is None:
        return Words()
    return words_of(found.own) if found.own is not None else _SHIPPED.get(found.name, Words())


def click_verb(config: Mapping[str, Any], actions: Collection[str], acts: Collection[str] = ()) -> str:
    """What agents did when they clicked, in the past tense: "opened", or "bought" and "played" where a click stands for
    that because the environment has no action of its own for it.

    Args:
        config: The run's configuration, as its log keeps it.
        actions: Names of the environment's actions.
        acts: Kinds of interactions that personas are known to have; of data with one kind it may be left out.
    """
    if PURCHASE in actions:
        return VERBS["click"]
    words = logged_words(config)
    kind = _counted(config, acts)
    if kind in _TELLING:
        return words.did(kind)
    bought = words.did("interaction") == VERBS["purchase"]
    return words.did("interaction") if bought else VERBS["click"]


def _counted(config: Mapping[str, Any], acts: Collection[str]) -> Kind:
    """The kind that counts as an interaction; `interaction` where several do, or nothing tells."""
    found = _dataset(config)
    columns = None if found is None or found.own is None else found.own.interactions
    if columns is None:
        return "interaction"
    if isinstance(columns.kinds, str):
        return columns.kinds
    known = tuple(kind for kind in KINDS if kind in acts)
    counted = columns.counted or default_counted(known)
    return counted[0] if len(counted) == 1 else "interaction"


def _dataset(config: Mapping[str, Any]) -> DatasetConfig | None:
    """The section `dataset`; None where it is of another version than this one can read."""
    try:
        return DatasetConfig.model_validate(config.get("dataset", {}))
    except ValidationError:
        return None
