"""Decisions a second of the whole platform, beside a bare loop that only asks.

    python -m benchmarks.saturation [--people 3000] [--rounds 5]

Two servers: one of ours that answers every question after 50 ms, in a process of its own, and the real embedded model.
The yardstick sends the very questions that the platform sent before, ready made, through asyncio and the openai client
with as many on their way at a time, and reads nothing but the text. The platform recommends, writes the prompt, asks,
checks the reply and logs. Both take turns, and the median of the ratios of neighbours counts. The yardstick uses the
openai client's faster transport, aiohttp. There are enough people that the first page and the last sessions, when fewer
are on their way, hardly count. Beside the mock server stands the processor time that a decision took, in this process
and in its client processes: where other programs keep the machine busy, it says more than the rate. The platform asks
from one process, and from two (`execution: {engine: pool, workers: 2}`); the yardstick always asks from one, so that
two may reach a ratio of 2 where the machine has cores for them, the server and this process. Either way it also asks
for cohorts of 16 sessions (`mind.cohort_size`), with twice as many sessions open, because a cohort holds its places to
its end. Exits with 1 where a bar is missed; there is none for two clients, because two cores are too few.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.asking import Eavesdropper, Pass, bare_loop, processor_seconds
from benchmarks.mock_server import mock_server
from groundlings.environments.chat import ChatModel, ChatRequest
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

BARS = {("mock", 1): 0.9, ("embedded", 1): 0.95}
"""Least ratio of platform and yardstick, by server and client processes."""


@dataclass(frozen=True, slots=True)
class Course:
    """One comparison.

    Attributes:
        server: "mock" or "embedded".
        concurrency: Requests on their way at a time.
        people: Agents, one session each.
        model: The `model` part of the experiment file.
        clients: Processes that ask.
        cohort: Sessions that go from page to page together.
    """

    server: str
    concurrency: int
    people: int
    model: dict[str, Any]
    clients: int = 1
    cohort: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Medians; ratios are of neighbours in time."""

    course: Course
    platform: Pass
    bare: Pass
    ratio: float

    @property
    def bar(self) -> float:
        """The least ratio; 0 where there is no bar."""
        return BARS.get((self.course.server, self.course.clients), 0.0)


def main() -> None:
    """Measure and print; exit with 1 where a bar is missed."""
    arguments = _arguments()
    console = Console()
    outcomes = []
    with mock_server() as url:
        for concurrency, clients, cohort in ((64, 1, 1), (256, 1, 1), (256, 1, 16), (256, 2, 1), (256, 2, 16)):
            model = {"provider": "endpoint", "base_url": url, "concurrency": concurrency}
            course = Course("mock", concurrency, arguments.people, model, clients, cohort)
            outcomes.append(_compare(course, arguments.rounds, url, console))
    if not arguments.mock_only:
        outcomes.append(_compare_embedded(arguments, console))
    columns = (
        "server",
        "on their way",
        "clients",
        "cohort",
        "bare loop /s",
        "platform /s",
        "ratio",
        "bar",
        "bare CPU ms",
        "platform CPU ms",
    )
    table = Table(*columns, title="saturation")
    for each in outcomes:
        course, bare, platform = each.course, each.bare, each.platform
        # The embedded server computes in this very process.
        busy = [f"{side.busy:.2f}" if course.server == "mock" else "-" for side in (bare, platform)]
        table.add_row(
            *(
                course.server,
                str(course.concurrency),
                str(course.clients),
                str(course.cohort),
                f"{bare.rate:,.2f}",
                f"{platform.rate:,.2f}",
            ),
            *(f"{each.ratio:.3f}", f"{each.bar:.2f}" if each.bar else "-", *busy),
        )
    console.print(table)
    missed = [each for each in outcomes if each.ratio < each.bar]
    console.print("bar missed" if missed else "all bars reached")
    sys.exit(1 if missed else 0)


def _compare_embedded(arguments: argparse.Namespace, console: Console) -> Outcome:
    from groundlings.simulator.language.build import own_weights
    from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings

    settings = ServerSettings(asyncio.run(own_weights()))
    # Models with equal settings share a server: this one keeps it running from round to round.
    server = asyncio.run(EmbeddedModel.open(settings))
    course = Course("embedded", 1, arguments.embedded_people, {"provider": "embedded"})
    return _compare(course, arguments.rounds, server.base_url, console)


def _compare(course: Course, rounds: int, url: str, console: Console) -> Outcome:
    plan = _plan(course)
    requests: list[ChatRequest] = []
    _platform(plan, requests)  # not measured: it fills caches and collects the questions
    platform, bare = [], []
    for number in range(rounds):
        if number % 2:
            platform.append(_platform(plan))
        bare.append(bare_loop(requests, concurrency=course.concurrency, url=url, grammar=course.server == "embedded"))
        if not number % 2:
            platform.append(_platform(plan))
        mine, other = platform[-1], bare[-1]
        which = f"{course.server} {course.concurrency}, {course.clients} clients, cohorts of {course.cohort}"
        line = f"{which}: platform {mine.rate:,.2f}, bare {other.rate:,.2f} a second"
        console.print(f"[dim]{line}; CPU ms {mine.busy:.2f}, {other.busy:.2f}")
    ratio = statistics.median(mine.rate / other.rate for mine, other in zip(platform, bare, strict=True))
    return Outcome(course, _median(platform), _median(bare), ratio)


def _median(passes: Sequence[Pass]) -> Pass:
    return Pass(statistics.median(each.rate for each in passes), statistics.median(each.busy for each in passes))


def _platform(plan: Plan, requests: list[ChatRequest] | None = None) -> Pass:
    """One run of the platform, everything logged; what it asks is added to `requests`."""
    asked = plan.config.mind.asked
    assert asked is not None

    async def lived(path: Path) -> tuple[float, float]:
        model: ChatModel = await build_chat_model(asked)
        try:
            minds = replace(plan.minds, model=model if requests is None else Eavesdropper(model, requests))
            ready = replace(plan, minds=minds)
            ready.stages[:] = [[ready.make_arm(plan.config.arms[0])]]
            run = run_row(ready)
            began, busy = time.perf_counter(), processor_seconds()
            await simulate(ready, run, path)
            return time.perf_counter() - began, processor_seconds() - busy
        finally:
            await model.close()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LOG_NAME
        seconds, busy = asyncio.run(lived(path))
        with LogReader(path) as log:
            calls = len(log.calls(columns=["call_id"]))
    return Pass(calls / seconds, 1000 * busy / calls)


def _plan(course: Course) -> Plan:
    return build_plan(
        ExperimentConfig.model_validate(
            {
                "name": "saturation",
                "seed": 1,
                "dataset": {"name": "toy", "toy": {"n_users": course.people, "n_items": 500}},
                "simulation": {"concurrency": course.concurrency * (2 if course.cohort > 1 else 1)},
                "site": {"page_size": 4, "max_pages": 5},
                "mind": {"kind": "language", "model": course.model, "cohort_size": course.cohort},
                "arms": [{"name": "popular", "recommender": "popular"}],
                "execution": {"engine": "pool", "workers": course.clients} if course.clients > 1 else {},
            }
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=3000, help="agents that ask the mock server")
    parser.add_argument("--embedded-people", type=int, default=8, help="agents that ask the embedded model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mock-only", action="store_true", help="leave the embedded model out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
