"""From `environment` in the YAML to an environment: the shipped ones, plug-ins, and your own `module:Class`.

An environment of your own is a class that follows `groundlings.environments.environment.Environment`. Its options are
its constructor's parameters, checked against their types; those that an `EnvironmentContext` has are filled from there.
So the class `Shop(page_size: int, catalog: Catalog)` of a file `my_shop.py` is the environment of

    environment: {kind: "my_shop:Shop", page_size: 4}

`groundlings.environments.contract.EnvironmentContract` checks what an environment has to keep.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from groundlings.environments.actions import ActionSchema
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.environment import Environment
from groundlings.environments.environment_answers import sound_environment
from groundlings.environments.errors import ConfigError
from groundlings.environments.feedback import Opinions
from groundlings.environments.interactions import Interactions
from groundlings.environments.offers import Offers
from groundlings.environments.plugins import ExtensionPoint, constructor_arguments

ENVIRONMENTS = ExtensionPoint(
    "environment",
    "groundlings.environments",
    {
        "conversation": "groundlings.environments.conversation.talk:Conversation",
        "feed": "groundlings.environments.feed:PaginatedFeed",
        "search": "groundlings.environments.search_site:SearchSite",
    },
)

_REQUIRED = ("schema", "page_size", "max_pages", "open", "observe", "apply", "describe")


@dataclass(frozen=True, slots=True)
class EnvironmentContext:
    """What a constructor may ask for by the name of a parameter.

    Attributes:
        catalog: The items.
        scale: The stars that the data set uses.
        base_directory: Where relative paths of the experiment file start.
        training_history: What the site knows of users before the first day; None where nobody says.
        opinions: How people of the data set say what they think of an item: `ratings`, `likes` or `none`.
        offers: Prices, stock and promotions by day; None where the data set has none.
    """

    catalog: Catalog
    scale: RatingScale
    base_directory: Path
    training_history: Interactions | None = None
    opinions: Opinions = "ratings"
    offers: Offers | None = None

    @classmethod
    def of(cls, dataset: Dataset, train: Interactions, base_directory: Path) -> EnvironmentContext:
        """What a data set and the training part of its history give."""
        return cls(
            dataset.catalog,
            dataset.scale,
            base_directory,
            training_history=train,
            opinions=dataset.opinions,
            offers=dataset.offers,
        )


def missing_in_environment(found: object) -> list[str]:
    """What an object lacks to be an environment."""
    return [name for name in _REQUIRED if not hasattr(found, name)]


def build_environment(
    kind: str, options: Mapping[str, Any], context: EnvironmentContext, *, where: str = "environment"
) -> Environment[Any]:
    """A new environment.

    Args:
        kind: A shipped environment, the name of a plug-in, or `module:Class`.
        options: Arguments of its constructor, as the YAML has them.
        context: What the constructor may ask for besides.
        where: Key path of the mapping that holds them, for messages.

    Raises:
        ConfigError: There is no such environment, or an option is not known, missing, or of another type.
    """
    found = ENVIRONMENTS.load(kind, at=f"{where}.kind")
    if not isinstance(found, type):
        raise ConfigError(f"{where}.kind: {kind} is not a class")
    given = {field.name for field in fields(EnvironmentContext)}
    arguments = constructor_arguments(found, kind, options, reserved=given, at=f"{where}.kind", under=where)
    for name in given & set(inspect.signature(found).parameters):
        arguments[name] = getattr(context, name)
    try:
        built = found(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if missing := missing_in_environment(built):
        raise ConfigError(
            f"{where}.kind: {kind} is not an environment: it lacks {', '.join(missing)} "
            "(see groundlings.environments.environment.Environment)"
        )
    sound_environment(built, kind, where)
    if not isinstance(built.schema, ActionSchema):
        raise ConfigError(f"{where}.kind: {kind}.schema is a {type(built.schema).__name__}; expected an ActionSchema")
    return cast("Environment[Any]", built)


def check_abilities(schema: ActionSchema, mind: str, able: frozenset[str], environment: str) -> None:
    """Raise `ConfigError` where an environment asks for actions that a mind cannot take.

    Args:
        schema: What the environment declares.
        mind, environment: What they are called in the experiment.
        able: What the mind can take.
    """
    lacking = schema.beyond(able)
    if lacking:
        raise ConfigError(
            f"mind: {mind} takes {', '.join(sorted(able))}, and the environment {environment} asks for "
            f"{', '.join(lacking)} as well; choose a mind that can, or give this one a handler for each "
            "(docs/own-environment.md)"
        )
