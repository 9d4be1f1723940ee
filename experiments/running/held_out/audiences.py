"""The audiences that an order of arms is tried with: the run's own mind, two tastes, and other browsing.

None of them asks a language model. The two tastes share no collaborative evidence
(`groundlings.personas.taste.model.FAMILIES`), and the other way of browsing looks at every slot and leaves at a flat
rate, whatever was found: an order of arms that depends on any of this is an assumption rather than a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.registry import check_abilities
from groundlings.environments.social_turns import site_alone
from groundlings.experiments.analysis.compare import paired_difference
from groundlings.experiments.analysis.comparison.held_out import Agreement, Audiences
from groundlings.experiments.config.layout import RowsLayoutConfig
from groundlings.experiments.config.schema import LanguageMindConfig
from groundlings.experiments.running.plan import Plan
from groundlings.personas.mind import FEED_ACTIONS, SHOP_ACTIONS, Mind
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.taste.model import FAMILIES, Taste

OWN = "this run's mind"
EVERY_SLOT = "every slot seen, flat exit"


@dataclass(frozen=True)
class Audience:
    """A mind that the arms are tried with."""

    name: str
    mind: Mind


def audience_names(plan: Plan) -> list[str]:
    """Names of the audiences that `audiences_of` makes, without estimating anything."""
    own = OWN if _asks_nobody(plan) else "behavioural mind"
    return [own, *(f"taste family {name}" for name in FAMILIES), EVERY_SLOT]


def obstacle(plan: Plan) -> str:
    """Why no other audience can browse here, "" where it can."""
    environment = plan.config.environment.kind if plan.config.environment else "feed"
    try:
        check_abilities(site_alone(plan.environment).schema, "behavioural", FEED_ACTIONS | SHOP_ACTIONS, environment)
    except ConfigError:
        return "the environment asks for actions that behavioural minds do not have"
    layout = plan.config.site.layout
    if isinstance(layout, RowsLayoutConfig) and layout.scrolls and not isinstance(plan.config.mind, BrowsingOptions):
        return "nobody says how often people scroll along a row, and behavioural minds need to know"
    return "" if "click" in plan.environment.schema.names else "nothing can be clicked in this environment"


def audiences_of(plan: Plan) -> list[Audience]:
    """A mind for each of `audience_names`, in that order."""
    browsing = _browsing(plan)
    tastes = plan.ground.tastes(plan.config.seed)

    def behavioural(taste: Taste, options: BehaviouralOptions) -> Mind:
        return BehaviouralMind(
            plan.population,
            taste,
            options,
            base_directory=plan.config.base,
            repeats=plan.minds.repeats,
            offers=plan.dataset.offers,
        )

    minds: list[Mind] = [plan.mind() if _asks_nobody(plan) else behavioural(plan.minds.taste, browsing)]
    minds += [behavioural(tastes[name], browsing) for name in FAMILIES]
    minds.append(behavioural(plan.minds.taste, _every_slot(browsing)))
    return [Audience(name, mind) for name, mind in zip(audience_names(plan), minds, strict=True)]


def compare_audiences(names: Sequence[str], arms: Sequence[str], clicks: Sequence[FloatArray]) -> Audiences:
    """How alike audiences order arms, by Kendall's tau-b (Kendall 1945, "The treatment of ties in ranking problems").

    Two arms that an audience does not tell apart, because the paired interval of their difference includes zero, are
    tied in its order: near-ties would otherwise decide about the tau of a few arms by chance.

    Args:
        names: The audiences.
        arms: The arms, at least two.
        clicks: Of each audience the expected clicks per session, shape (n_people, n_arms), the same people.
    """
    orders = [_order(each) for each in clicks]
    agreements = []
    for one, first in enumerate(names):
        for other in range(one + 1, len(names)):
            size = float(np.sqrt(np.count_nonzero(orders[one]) * np.count_nonzero(orders[other])))
            if size:  # an audience that tells no two arms apart has no order
                tau = float(orders[one] @ orders[other]) / size
                agreements.append(Agreement(first, names[other], tau, _reversed(arms, orders[one] * orders[other])))
    utilities = {name: tuple(map(float, each.mean(axis=0))) for name, each in zip(names, clicks, strict=True)}
    missing = "" if agreements else "no two of them tell any arms apart"
    return Audiences(len(clicks[0]), tuple(arms), utilities, tuple(agreements), missing)


def _order(clicks: FloatArray) -> FloatArray:
    """Of each pair of arms 1 where the first is clearly better, -1 where the second is, 0 for a tie."""
    gaps = [paired_difference(clicks[:, one], clicks[:, other]) for one, other in _pairs(clicks.shape[1])]
    return np.array([np.sign(gap.difference or 0.0) if gap.excludes_zero else 0.0 for gap in gaps])


def _reversed(arms: Sequence[str], agreement: FloatArray) -> tuple[tuple[str, str], ...]:
    return tuple((arms[a], arms[b]) for (a, b), sign in zip(_pairs(len(arms)), agreement, strict=True) if sign < 0)


def _pairs(n: int) -> list[tuple[int, int]]:
    return list(combinations(range(n), 2))


def _asks_nobody(plan: Plan) -> bool:
    return plan.config.mind.asked is None and not isinstance(plan.config.mind, LanguageMindConfig)


def _browsing(plan: Plan) -> BehaviouralOptions:
    """How the run's own mind browses, where it says so."""
    own = plan.config.mind
    if not isinstance(own, BrowsingOptions):
        return BehaviouralOptions()
    kept = {name: getattr(own, name) for name in BrowsingOptions.model_fields}
    return BehaviouralOptions.model_validate({**kept, "grounded": False})


def _every_slot(options: BehaviouralOptions) -> BehaviouralOptions:
    """As before, but every slot is looked at, and what was found does not keep anybody; 1/k where that was so."""
    flat = options.examination_exponent == 0 or (options.examination_exponent is None and options.layout == "carousel")
    exponent = 1.0 if flat else 0.0
    browsing = {"examination_exponent": exponent, "fatigue": 0.0, "patience": 0.0}
    along = {"slot_exponent": exponent, "scroll_probability": None if options.scroll_probability is None else 1.0}
    return options.model_copy(update=browsing | along)
