"""Examines a log of search sessions: who clicks what and who stops, predicted for people who were left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.errors import ConfigError
from groundlings.environments.words import plural
from groundlings.experiments.labs.search_sessions.clicks import ClickRow, ClickTrial, predictors
from groundlings.experiments.labs.search_sessions.features import Texts
from groundlings.experiments.labs.search_sessions.figures import Folds
from groundlings.experiments.labs.search_sessions.fitted_file import fitted_search
from groundlings.experiments.labs.search_sessions.fitting import Fitting
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.experiments.labs.search_sessions.of_run import RunHeld, held_run
from groundlings.experiments.labs.search_sessions.rates import RankFloor, RankRates, rank_rates
from groundlings.experiments.labs.search_sessions.reading import read_search_log
from groundlings.experiments.labs.search_sessions.simulated import SimulatedSessions, held_against
from groundlings.experiments.labs.search_sessions.stops import StopRow, stop_rows
from groundlings.personas.search.fitted import FittedSearch


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        people, sessions, pages, results, clicks: How many the log has.
        stops: Share of pages that are the last of their session.
        clicked_only: Whether every page has a click, so that clicks are predicted given one on the page.
        folds: Parts of the people, each predicted from the others.
        click_rows, stop_rows: Predictors with their figures.
        floor: Real click rates by rank, and how far real people are from each other.
        rates: Simulated ones, clicks drawn on the real pages.
        simulated: Whole sessions, drawn by what was fitted on other people, beside the real ones.
        run: Those of a run's arms beside the real ones; None where no run was named.
    """

    people: int
    sessions: int
    pages: int
    results: int
    clicks: int
    stops: float
    clicked_only: bool
    folds: int
    click_rows: tuple[ClickRow, ...]
    stop_rows: tuple[StopRow, ...]
    floor: RankFloor
    rates: tuple[RankRates, ...]
    simulated: SimulatedSessions
    run: RunHeld | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Examination:
    """A log that was examined, and can be fitted as a whole.

    Attributes:
        findings: What was found.
        path: Where the log lies.
        log, fitting: The log, and what fits rules on parts of it.
    """

    findings: Findings
    path: Path
    log: SearchLog
    fitting: Fitting

    def fitted(self) -> FittedSearch:
        """What simulated people search by, fitted on all people of the log."""
        return fitted_search(self.log, self.fitting, self.path, self.findings.simulated)


def examine_sessions(path: Path, folds: int = 10, seed: int = 0, run: Path | None = None) -> Examination:
    """Predict the clicks and stops of everybody from other people, and simulate their sessions by what others did.

    Args:
        path: The log; see `reading`.
        folds: Parts of the people.
        seed: Of the parts, of resamples and of what is simulated.
        run: The directory of a run, whose sessions are held against the real ones.

    Raises:
        ConfigError: There are too few people, more parts than people, or no seed, or nobody searched in the run.
        DataError: The log cannot be read.
        RunDirectoryError: There is no run, or it has not ended.
    """
    if seed < 0:
        raise ConfigError(f"seed: found {seed}; expected 0 or more")
    log = read_search_log(path)
    _check(log, path, folds)
    of_run = None if run is None else held_run(run, log, seed)
    texts = Texts(log)
    parts = Folds.draw(np.arange(log.n_people), log.n_people, folds, seed)
    trial, fitting = ClickTrial(log, texts, parts, seed), Fitting(log, texts, seed)
    floor, rates = rank_rates(log, {name: trial.simulated(name) for name in predictors()}, seed)
    findings = Findings(
        people=log.n_people,
        sessions=int(log.last.sum()),
        pages=len(log),
        results=int(log.shown.sum()),
        clicks=int(log.clicks.sum()),
        stops=float(log.last.mean()),
        clicked_only=log.clicked_only,
        folds=folds,
        click_rows=tuple(trial.rows()),
        stop_rows=tuple(stop_rows(log, texts, parts, seed)),
        floor=floor,
        rates=tuple(rates),
        simulated=held_against(log, fitting, parts, seed),
        run=of_run,
    )
    return Examination(findings, path, log, fitting)


def _check(log: SearchLog, path: Path, folds: int) -> None:
    least = 6
    if log.n_people < least:
        found = plural(log.n_people, "person", "people")
        raise ConfigError(f"{path}: found {found}; expected at least {least}, to leave some out")
    if not 2 <= folds <= log.n_people:
        raise ConfigError(f"folds: found {folds}; expected 2 to {log.n_people}, the people of {path}")
    if log.shown.shape[1] < 2:
        raise ConfigError(
            f"{path}: found no page with two results; expected some, because click models say how far people look down "
            "a page"
        )
    for name, share in (("clicked", log.clicks[log.shown].mean()), ("last of their session", log.last.mean())):
        if not 0 < share < 1:
            what = "results" if name == "clicked" else "pages"
            raise ConfigError(f"{path}: found {share:.0%} of {what} {name}; expected some and not all, to predict them")
