"""Carrying out interventions: from what a file, or somebody watching, says to what an arm becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import ItemArray
from groundlings.environments.errors import ConfigError, DataError, shown
from groundlings.environments.plugins import nearest
from groundlings.experiments.config.designs import INTERLEAVED, InterleavingDesign
from groundlings.experiments.config.environment import built_site
from groundlings.experiments.config.interventions import InterventionConfig, NewRecommender
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.foresight import check_fit, check_serves
from groundlings.experiments.running.identity import code_hash, file_hashes, prompts_hash
from groundlings.personas.minds.language.mind import LanguageMind
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of
from groundlings.recommenders.rules import PlacingRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.interventions import Intervention, Origin

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan


def lived_arms(config: ExperimentConfig) -> tuple[str, ...]:
    """Names of the arms in which people have sessions, in the order of the file."""
    if isinstance(config.design, InterleavingDesign):
        return (INTERLEAVED,)
    return tuple(arm.name for arm in config.arms)


def of_arms(
    change: InterventionConfig, config: ExperimentConfig, origin: Origin = "file", place: int = 0
) -> tuple[Intervention, ...]:
    """A change as one intervention per arm, in the order of the arms."""
    wanted = lived_arms(config) if change.arms is None else change.arms
    return tuple(
        Intervention(arm, change.day - 1, change.kind, change.detail, origin, place)
        for arm in lived_arms(config)
        if arm in wanted
    )


def stated(config: ExperimentConfig) -> tuple[Intervention, ...]:
    """The interventions of an experiment file."""
    return tuple(
        each for place, change in enumerate(config.interventions or ()) for each in of_arms(change, config, place=place)
    )


def check_with_data(plan: Plan) -> dict[str, AsyncRecommender]:
    """As `check_change`, of all interventions of an experiment file; place and arm -> recommender ("1.als")."""
    return {
        f"{place}.{arm}": recommender
        for place, change in enumerate(plan.config.interventions or ())
        for arm, recommender in check_change(change, plan, f"interventions[{place}]").items()
    }


def interventions_identity(plan: Plan, swaps: Mapping[str, AsyncRecommender]) -> dict[str, str]:
    """What must be equal for a run with interventions to be resumed; see `identity`.

    Args:
        plan: Of the run; its models are open.
        swaps: From `check_with_data`.
    """
    found: dict[str, str] = {}
    for place, change in enumerate(plan.config.interventions or ()):
        if change.recommender is not None:
            files = file_hashes(f"interventions.{place}", change.recommender.options, plan.config.base)
            codes = {name: code_hash(each) for name, each in swaps.items() if name.startswith(f"{place}.")}
            found |= files | {f"interventions.{name}.code": code for name, code in codes.items() if code}
        if change.prompt is not None:
            mind = plan.mind()
            assert isinstance(mind, LanguageMind), "the configuration was checked"
            mind.speak(change.prompt)
            found[f"interventions.{place}.prompts"] = prompts_hash(mind)
    return found


def check_change(change: InterventionConfig, plan: Plan, where: str) -> dict[str, AsyncRecommender]:
    """Raise `ConfigError` where what a change names does not exist or cannot be done.

    Args:
        change: It suits the configuration already, see `check_intervention`.
        plan: Of the run; its models are open.
        where: Key path of the change, for the message.

    Returns:
        Arm -> its new recommender, not yet fitted; nothing where recommenders stay.
    """
    if change.kind in ("withdraw", "restore"):
        item_numbers(getattr(change, change.kind), plan, f"{where}.{change.kind}")
    if change.site is not None and change.site.page_size is not None:
        for arm in plan.config.arms:
            if any(isinstance(part, PlacingRecommender) for part in parts_of(plan.recommender(arm))):
                raise ConfigError(
                    f"{where}.site.page_size: the recommender of arm {arm.name} counts by pages of "
                    f"{plan.environment.page_size} slots; leave the page as it is"
                )
    if change.recommender is None:
        return {}
    return {arm: _checked_swap(arm, change.recommender, plan, where) for arm in change.arms or lived_arms(plan.config)}


def _checked_swap(name: str, wanted: NewRecommender, plan: Plan, where: str) -> AsyncRecommender:
    """A new recommender of an arm that can be fitted, can rank for all agents, and sees no more than those before."""
    here = f"{where}.recommender"
    made = _recommender(name, wanted, plan, here)
    arm = next(each for each in plan.config.arms if each.name == name)
    if made.sees_hidden_preference or plan.recommender(arm).sees_hidden_preference:
        raise ConfigError(
            f"{here}: found {wanted.recommender} in arm {name}, and one of the two ranks by the hidden preference of "
            "the audience; a bound is one from its first day to its last. Give it an arm of its own"
        )
    try:
        check_serves(f"{here} (arm {name})", made, plan, plan.split.train)
    except DataError as error:
        raise ConfigError(str(error)) from error
    check_fit(f"{here}.recommender", wanted.recommender, made, plan.split.train)
    return made


def _recommender(name: str, wanted: NewRecommender, plan: Plan, where: str) -> AsyncRecommender:
    arm = next(each for each in plan.config.arms if each.name == name)
    told = {"recommender": wanted.recommender, "options": wanted.options}
    return plan.recommender(arm.model_copy(update=told), where)


def item_numbers(ids: Sequence[str], plan: Plan, where: str) -> ItemArray:
    """Rows of some items in the catalog; `ConfigError` where one is not there."""
    known = {item: number for number, item in enumerate(plan.dataset.catalog.item_ids)}
    for place, item in enumerate(ids):
        if item not in known:
            raise ConfigError(f"{where}[{place}]: the data set has no item {shown(item)}{nearest(item, list(known))}")
    return np.array([known[item] for item in ids], dtype=np.int32)


class ArmChanges:
    """Changes arms as interventions say.

    Args:
        plan: Of the run; what an arm becomes is built from it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._site = dict.fromkeys(lived_arms(plan.config), plan.config.site)

    def carry_out(self, arm: Arm, change: Intervention) -> None:
        """Change an arm; see `groundlings.simulator.interventions.Interventions`."""
        plan, where = self._plan, f"interventions[{change.place}]"
        match change.kind:
            case "withdraw" | "restore":
                items = item_numbers(change.detail["items"], plan, f"{where}.{change.kind}")
                arm.offer(items, offered=change.kind == "restore")
            case "recommender":
                wanted = NewRecommender.model_validate(change.detail)
                if change.origin == "file":  # the configuration of a run knows where relative paths of options lead
                    stated_as = (plan.config.interventions or ())[change.place].recommender
                    wanted = stated_as or wanted
                arm.swap(_recommender(arm.name, wanted, plan, f"{where}.recommender"))
            case "site":
                self._site[arm.name] = self._site[arm.name].model_copy(update=dict(change.detail))
                arm.environment = built_site(self._site[arm.name], plan.config.mind, plan.around)
            case "prompt":
                assert isinstance(arm.mind, LanguageMind), "the configuration was checked"
                arm.mind.speak(change.detail["wording"])
