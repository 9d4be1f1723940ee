"""The minds of a plan's arms, and what is known of them before one is built.

A choice model is built of a taste, and estimating one takes longer than all else that a plan needs. A plan that is only
looked at says what its file says; it estimates a taste where somebody asks for a mind, a list of a bound or an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.registry import check_abilities
from groundlings.experiments.config.schema import BehaviouralSection, CalibratedMindConfig
from groundlings.personas.mind import KnowsPreference, Mind
from groundlings.personas.minds.browsing_parameters import named_exposures
from groundlings.personas.minds.conversing import CONVERSATION_ACTIONS
from groundlings.personas.search.searching import (
    can_search,
    check_catalog,
    check_searching,
    check_width,
    named_fitted,
)
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.oracle import Preference
from groundlings.simulator.arm import Arm

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan


@dataclass(slots=True)
class Built:
    """What a plan holds once it has been made; copies of a plan share it.

    Attributes:
        recommenders: One per arm, not yet fitted; [] once they are the arms'.
        minds: One per arm, [] once they are the arms'; None before they are built.
        preference: What the first of them knows of its agents' preference, None where it knows none.
        described: What it says of itself, {} before it is built.
        stages: See `Plan.stages`; None before somebody asks.
    """

    recommenders: list[AsyncRecommender] = field(default_factory=list)
    minds: list[Mind] | None = None
    preference: Preference | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    stages: list[list[Arm]] | None = None


def minds_of(plan: Plan) -> list[Mind]:
    """A mind per arm, built where there are none yet; [] where agents ask a model and none is open.

    Raises:
        ConfigError: It cannot take an action that the environment requires.
    """
    built = plan.built
    if built.minds is None:
        asks_in_vain = plan.config.mind.asked is not None and plan.minds.model is None
        _check_search(plan)
        built.minds = [] if asks_in_vain else [plan.mind() for _ in plan.config.arms]
        if built.minds:
            first = built.minds[0]
            check_actions(plan, first.actions)
            built.described = first.describe()
            built.preference = first.preference if isinstance(first, KnowsPreference) else None
    return built.minds


def check_actions(plan: Plan, able: frozenset[str]) -> None:
    """Raise `ConfigError` where minds that can do so much cannot take an action that the environment requires."""
    environment = plan.config.environment.kind if plan.config.environment else "feed"
    schema, mind = plan.environment.schema, plan.config.mind.kind
    if schema.beyond(able) and not schema.beyond(CONVERSATION_ACTIONS):
        raise ConfigError(
            f"mind: {mind} does not converse, and the environment {environment} is a conversation; write mind: "
            "conversing for users who talk by rule, or mind: conversing_language for the same users in the words of a "
            "language model (docs/conversation-world.md)"
        )
    check_abilities(schema, mind, able, environment)


def estimates_taste(plan: Plan) -> bool:
    """Whether building a mind estimates what people like, so that it is left until somebody asks for it."""
    kinds = BehaviouralSection | CalibratedMindConfig
    return plan.supplied.mind is None and isinstance(plan.config.mind, kinds) and plan.config.mind.asked is None


def check_unbuilt(plan: Plan) -> None:
    """Return if what a choice model reads is there.

    Raises:
        UserError: Its calibration of exposures cannot be read, the data lack what repeats are estimated from, or the
            file says how people search where nobody can, or by what was fitted on shorter pages.
    """
    if isinstance(plan.config.mind, BehaviouralSection | CalibratedMindConfig):
        named_exposures(plan.config.mind.options, plan.minds.base_directory)
    _check_search(plan)
    if plan.minds.fit_repeats is not None:
        plan.ground.check_times()


def _check_search(plan: Plan) -> None:
    section = plan.config.mind
    if plan.supplied.mind is not None or not isinstance(section, BehaviouralSection):
        return
    check_searching(section.search, plan.environment.schema)
    if can_search(plan.environment.schema):
        check_catalog(plan.dataset.catalog)
    fitted = named_fitted(section.search, plan.minds.base_directory)
    page_size = plan.environment.describe().get("page_size")
    if fitted is not None and isinstance(page_size, int):
        check_width(len(fitted.examination), page_size)


def preference_of(plan: Plan) -> Preference | None:
    """The hidden preference that bounds rank by, None where the mind has none; it is the same for all arms."""
    if plan.built.minds is not None:
        return plan.built.preference
    if not estimates_taste(plan) or not isinstance(plan.config.mind, BehaviouralSection):
        return None

    def liking(users: IntArray) -> FloatArray:
        minds_of(plan)
        assert plan.built.preference is not None
        return plan.built.preference(users)

    return liking
