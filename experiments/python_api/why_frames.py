"""Why arms differ, as data frames: the tables of the section Why of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.metrics import Metric
from groundlings.experiments.analysis.why import Why, explain
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

WhyTable = Literal["parts", "funnel", "items", "overlap", "pages"]

Rows = Iterator[Mapping[str, object]]


def why_frame(log: LogReader, table: WhyTable, metrics: Sequence[Metric] | None = None) -> pd.DataFrame:
    """One table of `explain`: the columns of `Run.why`.

    Raises:
        ConfigError: There is no such table.
    """
    import pandas as pd

    if table not in get_args(WhyTable):
        raise ConfigError(f"why: found {table!r}, expected one of {', '.join(get_args(WhyTable))}")
    outcomes = read_outcomes(log, metrics)
    why = explain(log, outcomes, compare_outcomes(outcomes, None))
    tables: Mapping[WhyTable, Callable[[Why], Rows]] = {
        "parts": _parts, "funnel": _funnel, "items": _items, "overlap": _overlap, "pages": _pages,
    }  # fmt: skip
    return pd.DataFrame(list(tables[table](why)))


def _parts(why: Why) -> Rows:
    target = why.effect.target
    about = {"measured": target.metric or target.label, "why_not_primary": target.missing or None}
    for arm in why.effect.arms:
        for part in arm.parts:
            yield {"arm": arm.name, "part": part.name, **_figure("effect", part.effect), "agents": arm.agents, **about}
        yield {"arm": arm.name, "part": "all", **_figure("effect", arm.effect), "agents": arm.agents, **about}


def _funnel(why: Why) -> Rows:
    for name, cells in why.funnel.arms.items():
        for step in why.funnel.steps:
            cell = cells.get(step.name)
            yield {
                "arm": name, "step": step.name, "of": step.of or None, "sessions": why.funnel.sessions[name],
                **_figure("per_session", None if cell is None else cell.per_session),
                **_figure("difference", None if cell is None else cell.difference),
                **_figure("rate", None if cell is None else cell.rate),
                **_figure("rate_difference", None if cell is None else cell.rate_difference),
                "why_missing": step.missing or None,
            }  # fmt: skip


def _items(why: Why) -> Rows:
    for direction, cards in (("gained", why.items.gained), ("lost", why.items.lost)):
        for card in cards:
            for name, found in card.arms.items():
                part = card.parts.get(name)
                yield {
                    "direction": direction, "item_id": card.source_id, "title": card.title, "arm": name,
                    **_figure("adds", None if part is None else part.effect),
                    "clear": None if part is None else part.clear,
                    "shown": found.shown, "agents": found.agents, "mean_place": found.rank, "looked_at": found.looked,
                    "clicks": found.clicks, **_figure("opened", found.opened), "ratings": found.ratings,
                    "rating": found.stars, "likes": found.likes, "purchases": found.purchases,
                }  # fmt: skip


def _overlap(why: Why) -> Rows:
    for (one, other), found in why.overlap.pairs.items():
        floor = why.overlap.random[one, other]
        yield {"arm": one, "other": other, **_figure("overlap", found), "at_random": floor}
    for name, found in why.overlap.alone.items():
        yield {"arm": name, "other": name, **_figure("overlap", found), "at_random": None}


def _pages(why: Why) -> Rows:
    for name, steps in why.flow.arms.items():
        for step in steps:
            yield {
                "arm": name, "page": step.page, **_figure("reached", step.reached),
                **_figure("went_on", step.went_on), **_figure("difference", step.difference),
                "left": step.left, "no_more": step.no_more, "lost": step.lost,
            }  # fmt: skip


def _figure(name: str, found: Estimate | Difference | None) -> dict[str, float | None]:
    """A figure with the ends of its 95 % interval."""
    if found is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    value = found.difference if isinstance(found, Difference) else found.mean
    return {name: value, f"{name}_low": found.low, f"{name}_high": found.high}
