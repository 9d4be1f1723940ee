"""Whether the runs of a matrix agree, in words."""

from __future__ import annotations

from collections.abc import Sequence

from groundlings.experiments.analysis.answer.sizes import listed
from groundlings.experiments.analysis.matrix.cells import Cell, OverRuns

_ALIKE = 0.05
"""From this p on the spread of the runs is called chance."""

_WAYS = {True: "better", False: "worse"}


def agreement(arm: OverRuns, higher_is_better: bool | None) -> str:
    """How many runs agree on a recommender, and which do not and by how much."""
    runs, agreeing = len(arm.cells), arm.votes("clearly agrees", "agrees")
    way = _way(arm, higher_is_better)
    if way is None:
        return f"{arm.name} did exactly what the baseline did in every run."
    clearly = len(arm.votes("clearly agrees"))
    sure = "none clearly" if not clearly else "all clearly" if clearly == len(agreeing) else f"{clearly} clearly"
    others = arm.votes("disagrees", "clearly disagrees")
    if not others:
        return f"{arm.name} is {way} in all {runs} runs, {sure}."
    said = listed((_told(cell) for cell in others), most=9)
    return f"{arm.name} is {way} in {len(agreeing)} of {runs} runs, {sure}; not in {said}."


def spread(arm: OverRuns) -> str:
    """Whether the runs differ by more than their agents would by chance; "" where that is not known."""
    if arm.spread_p is None:
        return ""
    p_value = "< .001" if arm.spread_p < 0.001 else f"{arm.spread_p:.3f}".removeprefix("0")
    if arm.spread_p < _ALIKE:
        return f"The runs differ by more than chance explains (Cochran's Q, p {p_value})."
    return f"The runs differ by no more than chance explains (Cochran's Q, p {p_value})."


def basis(arms: Sequence[OverRuns]) -> str:
    """On which interval the verdict on each recommender rests."""
    kinds = dict.fromkeys(arm.basis for arm in arms)
    if len(kinds) < 2:
        return "".join(kinds)
    return "; ".join(f"{listed(arm.name for arm in arms if arm.basis == kind)}: {kind}" for kind in kinds)


def _way(arm: OverRuns, higher_is_better: bool | None) -> str | None:
    effect = arm.size.value or 0.0
    if not effect:
        return None
    if higher_is_better is None:
        return "higher" if effect > 0 else "lower"
    return _WAYS[(effect > 0) == higher_is_better]


def _told(cell: Cell) -> str:
    sure = "clearly" if cell.vote == "clearly disagrees" else "which can be chance"
    return f"{cell.run} ({f'{cell.change} {cell.interval}'.rstrip()}, {sure})"
