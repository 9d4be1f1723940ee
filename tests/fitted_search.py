"""A file of fitted search, as `groundlings search-sessions --out` writes it, with figures that a test chooses."""

from __future__ import annotations

from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.search.fitted import FittedSearch, HeldAgainst, SessionSource
from groundlings.personas.search.rules import STOP_FEATURES


def parameter(value: float) -> Parameter:
    """A fitted figure."""
    return Parameter(value=value, low=value, high=value, origin="fitted", source="made")


def fitted_search(examination=((1.0,), (0.5,), (0.25,), (0.1,), (0.1,)), *, level=0.4, reformulation=0.8, **stop):
    """By default a position-based model of five ranks, whose people leave half of the pages."""
    columns = len(examination[0])
    return FittedSearch(
        fitted_on=SessionSource(
            file="made.csv",
            sha256="0" * 64,
            people=12,
            sessions=30,
            pages=60,
            results=240,
            clicks=80,
            clicked_only=False,
        ),
        click_model="position_based" if columns == 1 else "user_browsing",
        log_likelihood={"position_based": -0.5, "user_browsing": -0.5},
        examination=examination,
        level=parameter(level),
        stop={name: parameter(stop.get(name, 0.0)) for name in ("intercept", *STOP_FEATURES)},
        reformulation=parameter(reformulation),
        simulated={"click rate by rank": HeldAgainst(distance=0.1, floor_95=0.2, within=True)},
        versions={},
        created="2026-01-01",
    )


def written(path, **figures):
    """The path, where such a file now lies."""
    path.write_text(fitted_search(**figures).as_text(), encoding="utf-8")
    return path
