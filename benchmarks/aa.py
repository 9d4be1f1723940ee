"""Do the shipped tests keep their promises on this platform's own data?

    python -m benchmarks.aa [--experiments 2000] [--replications 8] [--people all]

Five questions, all about behavioural agents made from the people of MovieLens-100K: how often does each test of each
design find an effect where there is none (A/A); how often do intervals cover an effect that is known; how much sharper
are paired worlds than a split test of the same people; does the effect of a degraded recommender grow with the dose; do
the bounds bound. Exit status 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Print

from benchmarks.designed import designed
from benchmarks.gain import gains
from benchmarks.promises import NOTHING, Promise, coverage, false_alarms, planted
from benchmarks.replayed_draws import play
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan

DOSES = (0.0, 0.1, 0.25, 0.5, 1.0)


def main() -> None:
    """Play, ask, print, and say whether all promises are kept."""
    arguments = _arguments()
    console = Console(width=110)
    plan = build_plan(_config(arguments.people))
    console.print(
        f"{len(plan.population):,} agents, {arguments.replications} replications, {len(plan.config.arms)} arms"
    )
    tables = play(plan, plan.config.arms, arguments.replications)
    levels = [plan.population.persona(row).traits.activity.level for row in range(len(plan.population))]
    rng = np.random.default_rng(arguments.seed)
    promises = [
        *false_alarms(tables["popular"], np.array(levels), arguments.experiments, rng),
        *coverage(tables, arguments.experiments, rng),
        *designed(plan, tables, arguments.replications, arguments.experiments, rng),
        *gains(),
        *planted(tables, [f"degraded {dose:g}" for dose in DOSES]),
    ]
    _print(console, promises)
    made = [promise for promise in promises if promise.wanted != NOTHING]
    broken = [promise for promise in made if not promise.kept]
    console.print(f"{len(made) - len(broken)} of {len(made)} promises kept" + (": see above" if broken else ""))
    sys.exit(bool(broken))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--replications", "--lucks", type=int, default=8)
    parser.add_argument("--people", default="all")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _config(people: str) -> ExperimentConfig:
    arms: list[dict[str, Any]] = [
        {"name": name, "recommender": name} for name in ("popular", "item_knn", "ease", "als", "oracle", "anti_oracle")
    ]
    arms += [
        {
            "name": f"degraded {dose:g}",
            "recommender": "degraded",
            "options": {"of": {"recommender": "ease"}, "share": dose},
        }
        for dose in DOSES
    ]
    return ExperimentConfig.model_validate(
        {
            "name": "aa", "seed": 7, "dataset": "ml-100k", "mind": "behavioural", "arms": arms,
            "population": {"size": people if people == "all" else int(people)},
        }
    )  # fmt: skip


def _print(console: Console, promises: list[Promise]) -> None:
    printed = Print()
    for name in ("question", "of", "found", "wanted", ""):
        printed.add_column(name, justify="right" if name in ("found", "wanted") else "left")
    question = ""
    for promise in promises:
        if promise.question != question and question:
            printed.add_section()
        shown = promise.question if promise.question != question else ""
        printed.add_row(
            shown,
            promise.name,
            promise.found,
            promise.wanted,
            "" if promise.wanted == NOTHING else "ok" if promise.kept else "[red]BROKEN[/]",
        )
        question = promise.question
    console.print(printed)


if __name__ == "__main__":
    main()
