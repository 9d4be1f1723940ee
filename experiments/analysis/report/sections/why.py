"""Why the arms differ: an effect in parts, the funnel, what lists held, items that made the difference, page flow."""

from __future__ import annotations

from functools import partial

from groundlings.experiments.analysis.metrics.item_counts import PURCHASES, read_item_counts
from groundlings.experiments.analysis.metrics.item_groups import measure_groups
from groundlings.experiments.analysis.metrics.lists import measure_lists
from groundlings.experiments.analysis.report import why_bars, why_sentences
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Panel, Picture
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.why_figures import draw_flow, flow_words
from groundlings.experiments.analysis.why import Why, explain


def why_section(material: Material) -> Section:
    """What `explain` finds, with coverage, concentration, popularity, novelty and diversity, and groups of items."""
    counts = read_item_counts(material.log)
    lists, groupings = measure_lists(material.log, counts), measure_groups(material.log, counts)
    why = explain(material.log, material.outcomes, material.comparison, counts)
    return Section(
        {
            "lists": lists,
            "groupings": groupings,
            "shop": any(arm.total(PURCHASES).any() for arm in counts),
            "why": why,
            "because": why_sentences,
            "part_words": why_sentences.part_words(why),
            "why_bars": why_bars,
            "by_effect": _by_effect(why),
            "why_looks": _looks(material, why),
        },
        tuple(_flow(material, why)),
    )


def _by_effect(why: Why) -> list[str]:
    """The arms with an effect, the best first; copies of the baseline, and bounds, come last."""
    better = -1 if why.effect.target.higher_is_better is False else 1
    arms = sorted(why.effect.arms, key=lambda arm: (arm.bound, arm.identical, -better * (arm.effect.mean or 0.0)))
    return [arm.name for arm in arms]


def _looks(material: Material, why: Why) -> dict[str, Style]:
    """Arm -> how it is drawn; two arms that drafted lists together have no other figures on the page."""
    teams = (Style("baseline", "o", "-", hollow=False), Style("arm-1", "s", "-", hollow=False))
    return {
        **material.style,
        **{name: look for name, look in zip(why.arms, teams, strict=False) if why.overlap.missing},
    }


def _flow(material: Material, why: Why) -> list[Picture]:
    if not any(why.flow.arms.values()):
        return []
    panels = tuple(
        Panel(flow_words(name, why.flow), partial(draw_flow, name=name, flow=why.flow, look=material.style[name]))
        for name in why.flow.arms
    )
    title = f"{material.comparison.run['experiment']}: where sessions go"
    return [Picture("flow", title, panels, columns=min(3, len(panels)), size=(3.6, 2.6))]
