"""Whether every arm can be played to its end: for all people, and within the memory that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.environment import SendsQueries, holds_dialogue
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.memory import Available, available_memory, spelt
from groundlings.experiments.config.designs import ParallelDesign, SplitDesign
from groundlings.experiments.config.schema import ArmConfig
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan


def check_recommenders(plan: Plan, recommenders: Sequence[AsyncRecommender]) -> tuple[str, ...]:
    """What is to be known of the arms, one line each, if their recommenders can rank for all agents and be fitted.

    Args:
        plan: The run: its arms, agents, training part and environment.
        recommenders: One per arm, not yet fitted.

    Raises:
        DataError: A recommender has nothing for some of the agents, or the data lack what it learns from.
        ConfigError: The fits take more memory than there is, a recommender cannot list what is asked for, or an option
            names what the data do not have.
    """
    config, train = plan.config, plan.split.train
    for place, (arm, recommender) in enumerate(zip(config.arms, recommenders, strict=True)):
        first = train.take(np.zeros(0, dtype=np.int64)) if arm.history == "none" else train
        check_serves(f"arms[{place}] ({arm.name})", recommender, plan, first)
    sizes = [recommender.memory_bytes(train) for recommender in recommenders]
    apart = isinstance(config.design, ParallelDesign) or (
        isinstance(config.design, SplitDesign) and config.design.log != "shared" and plan.assignment is None
    )
    needed = max(sizes, default=0) if apart else sum(sizes)
    there = available_memory()
    if there.bytes is None or needed <= there.bytes:
        return _check_queries(plan.environment, config.arms, recommenders)
    place = sizes.index(max(sizes))
    beside = "" if needed == sizes[place] else f", and all arms together about {spelt(needed)}"
    raise _too_large(f"arms[{place}].recommender", config.arms[place].recommender, sizes[place], train, there, beside)


def _check_queries(
    environment: object, arms: Sequence[ArmConfig], recommenders: Sequence[AsyncRecommender]
) -> tuple[str, ...]:
    """What is to be known of arms where people make queries, one line each.

    Args:
        environment: Whether people make queries, and whether it asks for lists without one.
        arms, recommenders: The arms, and the recommender of each.

    Raises:
        ConfigError: A recommender that lists items for a query alone, or that converses, would be asked without words.
    """
    searched = isinstance(environment, SendsQueries)
    bare = not isinstance(environment, SendsQueries) or environment.lists_without_query
    for place, (arm, recommender) in enumerate(zip(arms, recommenders, strict=True)):
        if recommender.converses and not holds_dialogue(environment):
            raise ConfigError(
                f"arms[{place}]: {arm.recommender} converses, and nobody says anything in this environment; write "
                "environment: conversation, or another recommender"
            )
        if bare and recommender.needs_query:
            raise ConfigError(
                f"arms[{place}]: {arm.recommender} lists items for a query, and "
                + (
                    "the session opens on a feed, for which nothing is asked; write feed_and_search with it as "
                    "`search` and a recommender for the feed, or environment.opens_on: search"
                    if searched
                    else "nobody makes a query in this environment; write environment: search, or another recommender"
                )
            )
    if not searched:
        return ()
    return tuple(
        f"arm {arm.name}: {arm.recommender} does not read queries, so its results are the same whatever is asked for"
        for arm, recommender in zip(arms, recommenders, strict=True)
        if not any(getattr(part, "reads_queries", False) for part in parts_of(recommender))
    )


def check_serves(where: str, recommender: AsyncRecommender, plan: Plan, first: Interactions) -> None:
    """Return if one recommender can learn from the data and rank for all agents.

    Args:
        where: What names it, for the message.
        recommender: Not yet fitted.
        plan: The run.
        first: What it is fitted on first.

    Raises:
        DataError: The data lack what it learns from, or it has nothing for some of the agents.
        ConfigError: An option names what the data do not have.
    """
    with _named(where):
        recommender.check_users(plan.population.users)
    check_learns(where, recommender, first, plan.dataset.catalog)


def check_learns(where: str, recommender: AsyncRecommender, first: Interactions, catalog: Catalog) -> None:
    """Return if one recommender, and those inside of it, can learn from the data.

    Args:
        where: What names it, for the message.
        recommender: Not yet fitted.
        first: What it is fitted on first.
        catalog: The items.

    Raises:
        DataError: The data lack what it learns from.
        ConfigError: An option names what the data do not have.
    """
    with _named(where):
        for part in parts_of(recommender):
            if isinstance(part, AsyncRecommender):
                part.check_data(first, catalog)


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_fit(where: str, name: str, recommender: AsyncRecommender, train: Interactions) -> None:
    """Return if one recommender can be fitted.

    Args:
        where: What names it, for the message.
        name: As it is named there.
        recommender: Not yet fitted.
        train: What it is to be fitted on.

    Raises:
        ConfigError: The fit takes more memory than there is.
    """
    size, there = recommender.memory_bytes(train), available_memory()
    if there.bytes is not None and size > there.bytes:
        raise _too_large(where, name, size, train, there)


def _too_large(
    where: str, name: str, size: int, train: Interactions, there: Available, beside: str = ""
) -> ConfigError:
    return ConfigError(
        f"{where}: fitting {name} takes about {spelt(size)} "
        f"({size:,} bytes) for {train.n_items:,} items and {train.n_users:,} users{beside}; "
        f"{spelt(there.bytes or 0)} ({there.bytes:,} bytes) are left ({there.limit}). Use item_knn or als, "
        "whose memory does not grow with the square of the items; or keep fewer items, or give it more memory"
    )
