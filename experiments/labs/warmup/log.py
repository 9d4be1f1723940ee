"""The simulated interactions as a log like any other: marked as synthetic, readable and exportable.

Three arms, of the first seed: "audience", the cast of every new item at the headline volume, each interaction a visit
to a page of one; "asked" and "pages", every visit of `meeting`, with what was passed by beside what was opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.actions import Decision
from groundlings.environments.arrays import IntArray
from groundlings.environments.feed import PaginatedSite
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking
from groundlings.experiments.archive.directory import MANIFEST_NAME, write_json
from groundlings.experiments.archive.provenance import origin_row
from groundlings.experiments.labs.warmup.exposure import Meeting
from groundlings.experiments.labs.warmup.replicate import AUDIENCE, Trial
from groundlings.personas.mind import PageTurn, Visits
from groundlings.personas.population import Population, build_population
from groundlings.simulator.arm import SECONDS_A_DAY
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import ArmRow, LogWriter
from groundlings.simulator.session import CohortRecord, EndedBy, LoggedTurn


def write_log(directory: Path, trial: Trial, meetings: Sequence[Meeting], versions: Mapping[str, str]) -> None:
    """Write the log and its manifest into a run's directory."""
    population = build_population(trial.dataset, trial.split.train, size="all", seed=trial.config.seed)
    opening = int(trial.split.train.timestamps.max(initial=0)) + 1
    run = _run_row(trial, versions)
    spec = trial.config.recommender
    state = trial.recommender.state()
    names = [AUDIENCE, *(meeting.way for meeting in meetings)]
    with LogWriter(directory / LOG_NAME) as log:
        log.begin(run, [ArmRow(name, spec.recommender, spec.options, False) for name in names], population)
        chosen = trial.choose(AUDIENCE, trial.config.headline)
        for record in cast_visits(trial, chosen, population):
            log.write(record, arm=AUDIENCE, sim_time=opening + record.visits.day * SECONDS_A_DAY, policy_version=state)
        for meeting in meetings:
            for record in meeting.records:
                time = opening + record.visits.day * SECONDS_A_DAY
                log.write(record, arm=meeting.way, sim_time=time, policy_version=state)
        log.flush()
        log.close("done")
    about = {key: run[key] for key in ("run_id", "experiment", "seed", "config_hash", "synthetic")}
    with LogReader(directory) as read:
        write_json(directory / MANIFEST_NAME, {**about, "digest": read.digest(), "mind": json.loads(run["mind"])})


def cast_visits(trial: Trial, chosen: IntArray, population: Population) -> list[CohortRecord]:
    """The cast's interactions: visits to a page of one item, which was opened; a second item is met on a second day.

    Args:
        trial: The seed.
        chosen: Rows of the panel, shape (n_new, volume).
        population: Who has a row in the log.
    """
    rows = chosen.ravel()
    items = np.repeat(trial.split.new, chosen.shape[1])
    order = np.lexsort((items, rows))
    rows, items = rows[order], items[order]
    day = np.arange(len(rows)) - np.searchsorted(rows, rows)
    site = PaginatedSite(1, 1, trial.dataset.scale)
    records = []
    for number in range(int(day.max(initial=-1)) + 1):
        here = np.flatnonzero(day == number)
        users = trial.split.panel[rows[here]]
        visits = Visits(
            np.searchsorted(population.users, users), users, number, Draws.for_visits(trial.config.seed, users, number)
        )
        ranking = Ranking.deterministic(items[here, None].astype(np.int32), np.full((len(here), 1), np.nan))
        page = site.paginate(ranking, 1)
        if page is None:
            continue
        shape = page.items.shape
        decision = Decision(
            clicked=np.ones(shape, dtype=np.bool_),
            stars=np.full(shape, np.nan),
            goes_on=np.zeros(len(here), dtype=np.bool_),
            satisfaction=np.full(len(here), np.nan),
            unreadable=np.zeros(len(here), dtype=np.bool_),
            examined=np.ones(shape, dtype=np.bool_),
        )
        turn = LoggedTurn(PageTurn(np.arange(len(here)), page, decision), (), ())
        ended = np.full(len(here), EndedBy.LAST_PAGE, dtype=np.object_)
        records.append(CohortRecord(visits, ranking, (turn,), np.ones(len(here), dtype=np.int64), ended))
    return records


def _run_row(trial: Trial, versions: Mapping[str, str]) -> dict[str, Any]:
    config, dataset = trial.config, trial.dataset
    mind = {"kind": "warm-up audience", "takers": config.audience.takers, **trial.taste.describe()}
    return {
        **origin_row(config.name, config.seed, config, dataset),
        "page_size": config.pages.page_size if config.pages else 1,
        "max_pages": 1,
        "mind": json.dumps(mind, ensure_ascii=False),
        "model_fingerprint": None,
        "versions": json.dumps(dict(versions)),
    }
