"""What the chance to be best means beside the word that stands next to it: it decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.experiments.analysis.answer.finding import Finding, contradicted
from groundlings.experiments.analysis.answer.sizes import chance, listed
from groundlings.experiments.analysis.comparison.effects import Comparison

_ASKS_LESS = (
    "The chance to be best and the likely rank ask less: whose mean is the highest, by however little, each time the "
    "simulated users are drawn anew."
)


def chances_note(comparison: Comparison, finding: Finding) -> str:
    """How chances to be best go together with what the answer says of the leaders, in a sentence or two.

    "" where nobody could take one for the opposite of the other: a clear winner, or no chances at all.
    """
    chances, leader = comparison.standing.chances, finding.leader
    if leader is None or len(chances) < 2:
        return ""
    sure = f"{100 * (1 - comparison.plan.alpha):g} %"
    if finding.kind == "tied":
        names = [leader.name, *(arm.name for arm in finding.tied)]
        return (
            f"Tied: the difference between {listed(names)} is not clear at {sure}, all pairs taken together. "
            f"{_ASKS_LESS} Here {_odds(chances, names[:4])}, which decides nothing."
        )
    if finding.kind == "no clear winner" and not leader.headline.unvaried:
        best = max(chances, key=lambda name: chances[name])
        return (
            f"Not clear: at {sure}, {_unclear(comparison, finding)} to {comparison.baseline} can be chance. "
            f"{_ASKS_LESS} Here {_odds(chances, [best])}, which decides nothing."
        )
    if finding.kind == "no direction":
        return f"Best means the highest here: nothing says whether more {_label(comparison)} is better."
    if finding.kind in ("contradicted", "does not hold"):
        against = "what real people did" if contradicted(leader) else "what stands against it"
        return f"The chance to be best is of the simulated {_label(comparison)} alone and does not know {against}."
    return ""


def _unclear(comparison: Comparison, finding: Finding) -> str:
    """Whose differences are not clear; others may be clearly worse, the same, or not known."""
    names = [arm.name for arm in comparison.arms if arm in finding.unclear]
    what = "the difference" if len(names) == 1 else "the differences"
    return what if len(names) in (0, len(comparison.arms)) else f"{what} of {listed(names)}"


def _odds(chances: Mapping[str, float], names: list[str]) -> str:
    return listed((f"{name} has {chance(chances[name])}" for name in names if name in chances), most=9)


def _label(comparison: Comparison) -> str:
    return comparison.metrics[comparison.plan.primary].label.lower()
