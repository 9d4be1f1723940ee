"""What the recommenders of a run asked of their language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from groundlings.experiments.analysis.metrics.summary import ArmSummary, Summary
from groundlings.experiments.labs.paradigms.findings import Cost
from groundlings.simulator.language.budget import Prices, Spent
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.spending import spent_in
from groundlings.simulator.log.store import store_at


def read_costs(directory: Path, log: LogReader, summary: Summary) -> dict[str, Cost]:
    """Arm -> cost of its recommender.

    Args:
        directory: The run's.
        log: Its log.
        summary: Of the run.
    """
    spending = spent_in(store_at(directory))
    prices = {arm["name"]: _prices(arm) for arm in log.run()["config"].get("arms") or ()}
    learning = log.questions_to_learn()
    # Latencies are not logged apart by who asked, so they are told where only recommenders ask.
    alone = not spending.agents.calls
    return {
        arm.name: _cost(arm, spending.by(arm.name), prices.get(arm.name), learning.get(arm.name, 0), alone)
        for arm in summary.arms
    }


def _cost(arm: ArmSummary, spent: Spent, prices: Prices | None, learning: int, alone: bool) -> Cost:
    money = None
    if prices is not None:
        money = prices.cost(spent.prompt_tokens, spent.cached_tokens, spent.completion_tokens)
    lists = arm.model_lists
    return Cost(
        calls=spent.calls,
        learning=learning,
        pages=arm.counts.pages,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        estimated_calls=spent.estimated_calls,
        money=money,
        seconds=arm.counts.latency_seconds if alone and spent.calls else {},
        hallucinated=None if lists is None else lists.hallucinated,
        names=None if lists is None else lists.names,
        lessons=arm.lessons.asked if arm.lessons else 0,
        lost_lessons=arm.lessons.lost if arm.lessons else 0,
    )


def _prices(arm: dict[str, Any]) -> Prices | None:
    given = ((arm.get("model") or {}).get("budget") or {}).get("prices")
    return None if given is None else Prices.model_validate(given)
