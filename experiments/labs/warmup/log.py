"""The simulated interactions as an ordinary log, marked as synthetic, which can be read and exported like any other.

The log holds three arms of the first seed. "audience": the users selected for each new item at the headline volume,
each interaction a session with a page of one item. "asked" and "pages": every session of `exposure`, with all
impressions, clicked or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Trace
from groundlings.experiments.archive.log_check import write_manifest
from groundlings.experiments.archive.provenance import origin_row
from groundlings.experiments.labs.warmup.exposure import Exposures
from groundlings.experiments.labs.warmup.replicate import AUDIENCE, Trial
from groundlings.experiments.running.event_loop import completed
from groundlings.personas.mind import Situation
from groundlings.personas.minds.scripted import ScriptedMind
from groundlings.personas.population import Population, build_population
from groundlings.recommenders.base import Recommender
from groundlings.simulator.arm import SECONDS_PER_DAY
from groundlings.simulator.log.digest_version import WITH_DIGEST
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import ArmRow, LogWriter
from groundlings.simulator.session import CohortRecord, browse


def write_log(directory: Path, trial: Trial, exposures: Sequence[Exposures], versions: Mapping[str, str]) -> None:
    """Write the log and its manifest into a run's directory."""
    population = build_population(trial.dataset, trial.split.train, size="all", seed=trial.config.seed)
    opening = trial.split.train.next_second
    run = _run_row(trial, versions)
    spec = trial.config.recommender
    state = trial.recommender.state()
    names = [AUDIENCE, *(exposure.condition for exposure in exposures)]
    with LogWriter(directory / LOG_NAME) as log:
        log.begin(run, [ArmRow(name, spec.recommender, spec.options, False) for name in names], population)
        chosen = trial.choose(AUDIENCE, trial.config.headline)
        for record in selected_sessions(trial, chosen, population):
            log.write(
                record, arm=AUDIENCE, sim_time=opening + record.sessions.day * SECONDS_PER_DAY, policy_version=state
            )
        for exposure in exposures:
            for record in exposure.records:
                time = opening + record.sessions.day * SECONDS_PER_DAY
                log.write(record, arm=exposure.condition, sim_time=time, policy_version=state)
        log.flush()
        log.close("done")
    about = {key: run[key] for key in ("run_id", "experiment", "seed", "config_hash", "synthetic")}
    with LogReader(directory) as read:
        write_manifest(directory, {**about, "digest": read.digest(), "mind": json.loads(run["mind"])})


def selected_sessions(trial: Trial, chosen: IntArray, population: Population) -> list[CohortRecord]:
    """The selected users' interactions: sessions with a page of one item, which is clicked.

    A user who is selected for several items has one session per day.

    Args:
        trial: The seed.
        chosen: Rows of the panel, shape (n_new, volume).
        population: The agents of the log.
    """
    rows = chosen.ravel()
    items = np.repeat(trial.split.new, chosen.shape[1])
    order = np.lexsort((items, rows))
    rows, items = rows[order], items[order]
    day = np.arange(len(rows)) - np.searchsorted(rows, rows)
    feed = PaginatedFeed(1, 1, trial.dataset.scale, opinions=trial.dataset.opinions)
    opens = ScriptedMind(rule=_click_everything)
    seen = sp.csr_array((trial.split.train.n_users, trial.split.train.n_items))
    records = []
    for number in range(int(day.max(initial=-1)) + 1):
        here = np.flatnonzero(day == number)
        users = trial.split.panel[rows[here]]
        given = np.zeros((trial.split.train.n_users, 1), dtype=np.int32)
        given[users, 0] = items[here]
        sessions = Sessions(
            np.searchsorted(population.users, users),
            users,
            number,
            Draws.for_sessions(trial.config.seed, users, number),
        )
        records.append(
            completed(browse(sessions, seen[users], recommender=GivenItems(given), environment=feed, mind=opens))
        )
    return records


class GivenItems(Recommender):
    """Shows each user the items of their row, shape (n_users, size)."""

    def __init__(self, items: ItemArray) -> None:
        self._items = items

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing is learnt: the items are given."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        items = self._items[request.users, : request.size]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))


def _click_everything(situation: Situation) -> Decision:
    shown = situation.page.shown
    return Decision.of(situation.legal, situation.page, Trace(examined=shown), click=shown)


def _run_row(trial: Trial, versions: Mapping[str, str]) -> dict[str, Any]:
    config, dataset = trial.config, trial.dataset
    mind = {"kind": "warm-up audience", "takers": config.audience.takers, **trial.taste.describe()}
    return {
        **origin_row(config.name, config.seed, config, dataset),
        "page_size": config.pages.page_size if config.pages else 1,
        "max_pages": 1,
        "mind": json.dumps(mind, ensure_ascii=False),
        "model_fingerprint": None,
        "versions": json.dumps({**versions, **WITH_DIGEST}),
    }
