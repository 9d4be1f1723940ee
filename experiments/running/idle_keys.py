"""Keys of an experiment file that have no effect beside what else the file and the data say: somebody is told.

They are told, not refused: a run that was made with such a key can still be resumed, exported and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from groundlings.environments.shop_actions import ADD_TO_CART, PURCHASE
from groundlings.experiments.analysis.metrics.social import TOLD
from groundlings.experiments.config.layout import RowsLayoutConfig
from groundlings.experiments.config.one_token import WHY, idle_in, stated
from groundlings.experiments.config.schema import (
    BehaviouralSection,
    CalibratedMindConfig,
    HybridMindConfig,
    LanguageMindConfig,
)
from groundlings.personas.minds.language.config import LanguageOptions

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_OF_THE_TERM = ("model", "question", "calibration", "fit_people", "fit_pairs", "max_unreadable")


def idle_lines(plan: Plan) -> Iterator[str]:
    """A line per section that has such keys, at other values than their defaults, and per reason."""
    for section, names, reason in _idle(plan):
        if names:
            verb = "has" if len(names) == 1 else "have"
            yield f"{section}: {', '.join(names)} {verb} no effect here: {reason}"


def _idle(plan: Plan) -> Iterator[tuple[str, list[str], str]]:
    """Sections, their keys without effect, and why."""
    mind = plan.config.mind
    if getattr(mind, "social", None) is None:
        of_ties = {metric.name for metric in TOLD}.intersection(plan.config.metrics or ())
        yield "metrics", sorted(of_ties), "agents have no ties (mind.social)"
    if isinstance(mind, CalibratedMindConfig):
        yield from _of_calibrated(plan, mind)
    if isinstance(mind, LanguageMindConfig):
        yield from _of_language("mind", mind)
    if isinstance(mind, HybridMindConfig):
        if mind.sample:
            yield from _of_language("mind.language", mind.language)
        else:
            yield "mind", stated(mind, "language", "pilot", "strata"), "sample is 0, so that nobody lives by it"
    if isinstance(mind, BehaviouralSection | CalibratedMindConfig):
        yield from _of_browsing(plan, mind)


def _of_calibrated(plan: Plan, mind: CalibratedMindConfig) -> Iterator[tuple[str, list[str], str]]:
    if not mind.asks:
        yield "mind", stated(mind, *_OF_THE_TERM), "terms leave the language model out"
    elif mind.student is not None:
        yield "mind", stated(mind, "model", "question", "max_unreadable"), "student answers in the place of the model"
    else:
        yield "mind.model", idle_in(mind.model), WHY
        others = plan.config.variants.models if plan.config.variants is not None else ()
        for place, model in enumerate(others):
            yield f"variants.models[{place}]", idle_in(model), WHY


def _of_language(place: str, mind: LanguageOptions) -> Iterator[tuple[str, list[str], str]]:
    if mind.decision == "graded":
        yield (
            place,
            stated(mind, "stars_optional", "reasons"),
            "decision is graded, which asks for one token a question",
        )
    else:
        yield place, stated(mind, "graded"), "decision is verdict, which states no log-odds"
    if not mind.reflection.every:
        yield f"{place}.reflection", stated(mind.reflection, "characters"), "every is 0, so that nobody reflects"
    if not mind.interview.questions:
        yield f"{place}.interview", stated(mind.interview, "characters"), "there are no questions"


def _of_browsing(plan: Plan, mind: BehaviouralSection | CalibratedMindConfig) -> Iterator[tuple[str, list[str], str]]:
    config, schema = plan.config, plan.environment.schema
    if mind.layout != "grid":
        yield "mind", stated(mind, "columns"), "mind.layout is no grid (of a site's grid, site.layout says it)"
    if mind.leave_rate is not None and mind.fatigue is not None:
        yield "mind", stated(mind, "exit"), "leave_rate and fatigue say all that it would"
    if plan.dataset.offers is None:
        yield "mind", stated(mind, "offers"), "the data set has no offers"
    if ADD_TO_CART not in schema and PURCHASE not in schema:
        yield "mind", stated(mind, "shopping"), "nothing can be put into a cart or bought on this site"
    own = config.environment is not None or any(change.site is not None for change in config.interventions or ())
    if not own and not isinstance(config.site.layout, RowsLayoutConfig):
        yield "mind", stated(mind, "slot_exponent", "scroll_probability"), "the site has no rows (site.layout)"
