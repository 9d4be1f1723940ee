"""The file of `groundlings search-sessions --out`: what was fitted on all people of a log, for `mind.search.fitted`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from groundlings.experiments.labs.resampling import interval
from groundlings.experiments.labs.search_sessions.fitting import RESAMPLES, Fitting, share_interval
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.experiments.labs.search_sessions.simulated import FITTED, SimulatedSessions
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.search.fitted import FittedSearch, HeldAgainst, SessionSource
from groundlings.personas.search.rules import STOP_FEATURES

_RESAMPLED = f"interval from {RESAMPLES} samples of people with replacement"


def fitted_search(log: SearchLog, fitting: Fitting, path: Path, simulated: SimulatedSessions) -> FittedSearch:
    """What a file holds.

    Args:
        log: The sessions.
        fitting: Of that log.
        path: Where it was read from.
        simulated: How far sessions that such rules make are from those of people left out.
    """
    everybody = np.ones(len(log), dtype=np.bool_)
    fit = fitting.of(everybody)
    names = ("level", "intercept", *STOP_FEATURES)
    values = np.concatenate([[fit.rules.level], fit.rules.stop])
    samples = np.vstack([values, fitting.resampled(fit.model)])
    level, *stop = (
        _parameter(column, "mean over all results" if name == "level" else "logistic regression")
        for name, column in zip(names, samples.T, strict=True)
    )
    another, further = fitting.went_on(everybody)
    low, high = share_interval(another, further)
    return FittedSearch(
        fitted_on=SessionSource(
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            people=log.n_people,
            sessions=int(log.last.sum()),
            pages=len(log),
            results=int(log.shown.sum()),
            clicks=int(log.clicks.sum()),
            clicked_only=log.clicked_only,
        ),
        click_model=fit.model,
        log_likelihood=fit.log_likelihood,
        examination=tuple(tuple(map(float, row)) for row in fit.rules.examination),
        level=level,
        stop=dict(zip(names[1:], stop, strict=True)),
        reformulation=Parameter(
            value=fit.rules.reformulation,
            low=min(low, fit.rules.reformulation),
            high=max(high, fit.rules.reformulation),
            origin="fitted",
            source=f"{another} of {further} pages that follow another are of another query; Jeffreys' prior",
        ),
        simulated={
            each.name: HeldAgainst(distance=each.halves, floor_95=each.floor_95, within=each.within)
            for each in simulated.figures
            if each.by == FITTED
        },
        versions={name: version(name) for name in ("groundlings", "numpy", "scipy")},
        created=datetime.now(UTC).date().isoformat(),
    )


def _parameter(samples: np.ndarray, source: str) -> Parameter:
    """The first of them, with the interval that the others give."""
    low, high = interval(samples)
    value = float(samples[0])
    return Parameter(value=value, low=low, high=high, origin="fitted", source=f"{source}; {_RESAMPLED}")
