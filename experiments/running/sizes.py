"""How large a run can become, before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.experiments.archive.directory import LogKind
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.simulator.log.participants import Personas

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_MANY_IMPRESSIONS = 50_000_000
_BYTES_PER_IMPRESSION = {"sqlite": 100, "parquet": 30}
"""Of a behavioural mind's log, with the events and indexes that belong to an impression."""

COLUMNAR_FROM = 5_000_000
"""From so many expected impressions on, a log lies in Parquet files where nobody says otherwise."""

MEASURED_FROM = 20_000
"""From so many agents on, a log keeps of each what was measured where nobody says otherwise."""


def sessions_at_most(plan: Plan) -> int:
    """Sessions of all arms at most (fewer where people do not come every day)."""
    arms = len(plan.config.arms) if isinstance(plan.config.design, ParallelDesign) else 1
    return arms * len(plan.population) * plan.schedule.most_sessions


def _slots_at_most(plan: Plan) -> int:
    """Slots of a session whose every page is seen."""
    return min(plan.environment.page_size * plan.environment.max_pages, len(plan.dataset.catalog))


def impressions_expected(plan: Plan) -> int:
    """Impressions of all arms if people come as often as they are likely to, and see every page."""
    sessions = sessions_at_most(plan) * plan.schedule.likely_sessions / max(plan.schedule.most_sessions, 1)
    return round(sessions * _slots_at_most(plan))


def store_of(plan: Plan) -> LogKind:
    """What is to hold the log in the run's directory.

    A language model decides session by session, each of which is committed as it ends; files of one session each would
    help nobody, so that such a run keeps a SQLite file however large it is.
    """
    log = plan.config.log
    if log is not None and log.store != "auto":
        return LogKind(log.store, asked=True)
    large = impressions_expected(plan) >= COLUMNAR_FROM
    return LogKind("parquet" if large and not _asks(plan) else "sqlite", asked=False)


def _asks(plan: Plan) -> bool:
    """Whether a language model is asked."""
    return plan.config.mind.asked is not None or any(arm.model is not None for arm in plan.config.arms)


def personas_of(plan: Plan) -> Personas:
    """What the log is to keep of each agent: a person who reads what a model was told wants the whole persona."""
    log = plan.config.log
    if log is not None and log.personas != "auto":
        return log.personas
    return "measured" if len(plan.population) >= MEASURED_FROM and not _asks(plan) else "full"


def personas_line(plan: Plan) -> str | None:
    """What the log keeps of each agent and why, None where that is all."""
    if personas_of(plan) == "full":
        return None
    kept = "what was measured, without lists of items and descriptions"
    if plan.config.log is not None and plan.config.log.personas != "auto":
        return f"{kept} (log.personas)"
    return f"{kept} (from {MEASURED_FROM:,} agents on; log.personas: full keeps all)"


def store_line(plan: Plan) -> str:
    """What holds the log, and why."""
    if plan.config.log is not None and plan.config.log.url is not None:
        return "PostgreSQL (log.url)"
    kind = store_of(plan)
    name = {"sqlite": "SQLite, one file", "parquet": "Parquet files with a SQLite index"}[kind.name]
    if kind.asked:
        return f"{name} (log.store)"
    limit = f"{COLUMNAR_FROM:,} expected impressions"
    if kind.name == "parquet":
        return f"{name} (from {limit} on; log.store: sqlite keeps one file)"
    few = impressions_expected(plan) < COLUMNAR_FROM
    return f"{name} ({f'below {limit}' if few else 'a language model is asked'})"


def size_warning(plan: Plan) -> str | None:
    """A line about a run that may fill a disk or take days, None for any other."""
    impressions = sessions_at_most(plan) * _slots_at_most(plan)
    if impressions < _MANY_IMPRESSIONS:
        return None
    gigabytes = impressions * _BYTES_PER_IMPRESSION[store_of(plan).name] / 1e9
    return (
        f"this is large: up to {impressions:,} impressions, about {gigabytes:,.0f} GB of log; "
        "fewer days, people or pages (simulation, population, site) make it smaller"
    )
