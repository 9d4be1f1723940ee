"""Questions per second of recommenders that ask a language model, beside a bare client pool that only asks.

    python -m benchmarks.recommender_calls [--people 1000] [--rounds 3] [--concurrency 64] [--arms llm_ranker rah]

A server of ours answers every question after 50 ms, in a process of its own. Each arm is one run of a day with
behavioural users: lists, what is asked to learn before it, sessions and the log. Two yardsticks put the very questions
that the run put, ready made, with as many on their way at a time, and read nothing but the text: the platform's own
client pool, which is the stricter one, and the openai client. They take turns with the run, and the median of the
ratios of neighbours counts. A run is timed from its first question to its end. Beside the rates stands the processor
time per question, which says more where other programs keep the machine busy. Exits with 1 where an arm keeps less than
0.9 of the pool's rate.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.asking import Pass, bare_loop, processor_seconds
from benchmarks.mock_server import mock_server
from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.log.store import LOG_NAME

BAR = 0.9
OF: dict[str, Any] = {"of": {"recommender": "popular"}}
ARMS: dict[str, dict[str, Any]] = {
    "llm_ranker": {"fallback": "candidates"},
    "recmind": {"fallback": "candidates"},
    "macrec": {"fallback": "candidates"},
    "puma": {"fallback": "candidates"},
    "agentcf": {"fallback": "candidates"},
    "rah": {"fallback": "of"},
    "title_generation": {"fallback": "candidates"},
    "interec_agent": {"fallback": "candidates"},
    "billp": {"fallback": "candidates"},
}
"""Recommender -> its options; all others as they are by default."""


@dataclass(slots=True)
class Clocked:
    """A model that notes what is asked, and when the first question was.

    Attributes:
        model: Who answers.
        requests: The questions, in order.
        began: Wall time and processor time of the first question, seconds.
    """

    model: ChatModel
    requests: list[ChatRequest] = field(default_factory=list)
    began: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self.model.name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        self.began = self.began or _now()
        self.requests.append(request)
        return await self.model.ask(request)

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self.model.close()

    def passed(self) -> Pass:
        """Rate and processor time of all questions until now."""
        assert self.began is not None, "nothing was asked"
        seconds, busy = (after - before for before, after in zip(self.began, _now(), strict=True))
        return Pass(len(self.requests) / seconds, 1000 * busy / len(self.requests))


def _now() -> tuple[float, float]:
    return time.perf_counter(), processor_seconds()


def main() -> None:
    """Measure and print; exit with 1 where the bar is missed."""
    arguments = _arguments()
    console = Console()
    title = f"{arguments.people:,} users, {arguments.concurrency} questions on their way; CPU ms per question"
    columns = ("questions", "run /s", "pool /s", "ratio", "openai /s", "ratio", "run CPU", "pool CPU", "openai CPU")
    table = Table("arm", *columns, title=title)
    missed = []
    with mock_server() as url:
        for name in arguments.arms:
            plan = _plan(name, arguments, url)
            if arguments.profile:
                _profiled(plan)
                continue
            rounds = [_round(plan, arguments.concurrency, url) for _ in range(arguments.rounds)]
            asked = rounds[-1][0]
            run, pool, bare = ([each[side] for _, each in rounds] for side in range(3))
            beside_pool, beside_bare = _ratio(run, pool), _ratio(run, bare)
            rates = [f"{statistics.median(each.rate for each in side):,.0f}" for side in (run, pool, bare)]
            busy = [f"{statistics.median(each.busy for each in side):.2f}" for side in (run, pool, bare)]
            row = (f"{asked:,}", *rates[:2], f"{beside_pool:.2f}", rates[2], f"{beside_bare:.2f}", *busy)
            console.print(f"[dim]{name}: {', '.join(row)}")
            table.add_row(name, *row)
            missed += [name] if beside_pool < BAR else []
    if arguments.profile:
        return
    console.print(table)
    console.print(f"bar of {BAR} missed: {', '.join(missed)}" if missed else f"all arms keep {BAR}")
    sys.exit(1 if missed else 0)


def _round(plan: Plan, concurrency: int, url: str) -> tuple[int, tuple[Pass, Pass, Pass]]:
    """How many questions there were, and the run, the pool and the openai client."""
    requests, run = _run(plan)
    (arm,) = plan.config.arms
    assert arm.model is not None
    pool = asyncio.run(_pool(requests, concurrency, arm.model))
    return len(requests), (run, pool, bare_loop(requests, concurrency=concurrency, url=url))


def _ratio(run: Sequence[Pass], other: Sequence[Pass]) -> float:
    return statistics.median(mine.rate / each.rate for mine, each in zip(run, other, strict=True))


def _run(plan: Plan) -> tuple[list[ChatRequest], Pass]:
    """One run, everything logged."""
    (arm,) = plan.config.arms

    async def lived(path: Path) -> tuple[list[ChatRequest], Pass]:
        assert arm.model is not None
        clocked = Clocked(await build_chat_model(arm.model))
        try:
            plan.models[arm.name] = clocked
            plan.stages[:] = [[plan.make_arm(arm)]]
            await simulate(plan, run_row(plan), path)
            return clocked.requests, clocked.passed()
        finally:
            await clocked.close()

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(lived(Path(folder) / LOG_NAME))


async def _pool(requests: Sequence[ChatRequest], concurrency: int, config: ModelConfig) -> Pass:
    """The platform's client pool alone."""
    model = await build_chat_model(config)
    left = iter(requests)

    async def asker() -> None:
        for request in left:
            assert (await model.ask(request)).text

    began = _now()
    await asyncio.gather(*(asker() for _ in range(concurrency)))
    seconds, busy = (after - before for before, after in zip(began, _now(), strict=True))
    await model.close()
    return Pass(len(requests) / seconds, 1000 * busy / len(requests))


def _profiled(plan: Plan) -> None:
    profile = cProfile.Profile()
    _run(plan)  # not measured: it fills caches
    profile.runcall(_run, plan)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def _plan(name: str, arguments: argparse.Namespace, url: str) -> Plan:
    model = {"provider": "endpoint", "base_url": url, "concurrency": arguments.concurrency, "temperature": 0.2}
    arm = {"name": name, "recommender": name, "options": OF | ARMS[name], "model": model}
    return build_plan(
        ExperimentConfig.model_validate(
            {
                "name": "recommender-calls",
                "seed": 1,
                "dataset": {"name": "toy", "toy": {"n_users": arguments.people, "n_items": arguments.items}},
                "simulation": {"days": 1},  # on a second one most questions are those of the first, and not asked
                "site": {"page_size": 4, "max_pages": 5},
                "mind": "behavioural",
                "arms": [arm],
            }
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=64, help="questions on their way at a time")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--profile", action="store_true", help="print where one run of each arm spends its time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
