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
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.experiments.labs.search_sessions.rates import RankFloor, RankRates, rank_rates
from groundlings.experiments.labs.search_sessions.reading import read_search_log
from groundlings.experiments.labs.search_sessions.stops import StopRow, stop_rows


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
        rates: Simulated ones.
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine_sessions(path: Path, folds: int = 10, seed: int = 0) -> Findings:
    """Predict the clicks and stops of everybody from other people.

    Args:
        path: The log; see `reading`.
        folds: Parts of the people.
        seed: Of the parts, of resamples and of simulated clicks.

    Raises:
        ConfigError: There are too few people, more parts than people, or no seed.
        DataError: The log cannot be read.
    """
    if seed < 0:
        raise ConfigError(f"seed: found {seed}; expected 0 or more")
    log = read_search_log(path)
    _check(log, path, folds)
    texts = Texts(log)
    parts = Folds.draw(np.arange(log.n_people), log.n_people, folds, seed)
    trial = ClickTrial(log, texts, parts, seed)
    simulated = {name: trial.simulated(name) for name in predictors()}
    floor, rates = rank_rates(log, simulated, seed)
    return Findings(
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
    )


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
