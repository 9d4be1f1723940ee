"""When people leave, and when they come back.

Leaving is a discrete hazard: of the sessions that reach page k, the share that ends there by choice (Singer and Willett
1993, "It's about time", Journal of Educational Statistics). A session that had no further page, or that the log's end
cut off, is censored: it counts as at risk up to the page before its last. Coming back is the same per day: of the days
after a person's first one, the share on which they have a session; the days after their last one count too.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.exposures import UNKNOWN, Exposures
from groundlings.personas.exposure.intervals import quantile_of, share_interval
from groundlings.personas.exposure.opens import Rows, fit_opens
from groundlings.personas.exposure.parameter import Parameter, Part
from groundlings.personas.exposure.presets import EXIT, RETURN

FEWEST = 20
"""With fewer exits, or fewer returns, than this the preset stays."""

_MOST_PAGES = 20


class PageHazard(Part):
    """The hazard of one page."""

    page: int
    at_risk: int
    """Sessions that reached it and whose end there, if any, was by choice."""
    left: int
    hazard: Parameter


class Exits(Part):
    """P(leave after page k) = logistic(logit(hazard) + slope * (k - 1))."""

    kind: Literal["flat", "rising", "falling"]
    """`flat` unless the slope's interval excludes 0."""
    hazard: Parameter
    """Of every page where flat, else of the first."""
    slope: Parameter
    """Log-odds per further page, as fitted, whatever the kind."""
    by_page: tuple[PageHazard, ...] = ()
    """Free of any shape, the first 20 pages."""
    sessions: int
    """Fitted on; 0 for a preset."""
    censored: int
    """How many of them did not end by choice."""

    def leaving(self, pages: IntArray) -> FloatArray:
        """P(leave after each page), pages counted from 1."""
        odds = np.log(self.hazard.value) - np.log1p(-self.hazard.value)
        slope = 0.0 if self.kind == "flat" else self.slope.value
        return expit(odds + slope * (pages - 1))


class Returns(Part):
    """When a person who has been there has the next session."""

    daily: Parameter
    """P(a session on a day)."""
    mean_gap_days: Parameter
    """Mean days from a session to the next, 1 / daily."""
    people: int
    """Fitted on; 0 for a preset."""
    gaps: int
    """Observed ones."""
    censored: int
    """People whose last gap was still open when the log ended."""


def preset_exits(why: str, kind: str = "flat") -> Exits:
    """What is assumed where no sessions say it."""
    preset = EXIT[kind]
    return Exits(
        kind="flat" if preset.slope.value == 0 else "rising",
        hazard=Parameter.from_preset(preset.hazard, why),
        slope=Parameter.from_preset(preset.slope, why),
        sessions=0,
        censored=0,
    )


def preset_returns(why: str) -> Returns:
    """What is assumed where no times say it."""
    return Returns(
        daily=Parameter.from_preset(RETURN, why),
        mean_gap_days=Parameter.from_preset(RETURN, why),
        people=0,
        gaps=0,
        censored=0,
    )


def fit_exits(exposures: Exposures) -> Exits:
    """The hazard of leaving, its slope over pages, and the free curve."""
    users, last, censored = _sessions_of(exposures)
    whose, page, leaves = _at_risk(users, last, censored)
    if leaves.sum() < FEWEST:
        return preset_exits(f"found {int(leaves.sum())} sessions that ended by choice, needed {FEWEST}")
    people = np.unique(whose, return_inverse=True)[1].astype(np.int64)
    reach = quantile_of(int(people.max()) + 1)
    share, low, high = share_interval(leaves, people)
    hazard = _fitted(share, low, high, f"of {len(leaves):,} pages, {int(leaves.sum()):,} ended a session; {_HOW}")
    slope = Parameter.from_preset(EXIT["flat"].slope, "only one page, or no page without an exit, tells no slope")
    kind: Literal["flat", "rising", "falling"] = "flat"
    if page.max() > 1 and leaves.min() < 1:
        fit = fit_opens(Rows.of(leaves, people, np.column_stack([np.ones(len(page)), page - 1.0])))
        slope = Parameter.from_fit(
            float(fit.weights[1]), float(fit.errors[1]), reach, "logistic in the page; clustered by person"
        )
        if slope.low is not None and slope.low > 0:
            kind = "rising"
        elif slope.high is not None and slope.high < 0:
            kind = "falling"
        if kind != "flat":
            hazard = Parameter.from_fit(
                float(fit.weights[0]),
                float(fit.errors[0]),
                reach,
                "of the first page, logistic in the page",
                scale=_chance,
            )
    return Exits(
        kind=kind,
        hazard=hazard,
        slope=slope,
        by_page=tuple(_by_page(page, leaves, people)),
        sessions=len(users),
        censored=int(censored.sum()),
    )


def fit_returns(exposures: Exposures) -> Returns:
    """The daily chance of coming back; the log's last day is the end for everybody."""
    days = exposures.days
    assert days is not None
    sessions = np.unique(np.column_stack([exposures.users, days]), axis=0)
    users, day = sessions[:, 0], sessions[:, 1]
    again = users[1:] == users[:-1]
    gaps = (day[1:] - day[:-1])[again]
    if len(gaps) < FEWEST:
        return preset_returns(f"found {len(gaps)} returns on a later day, needed {FEWEST}")
    last = np.r_[~again, True]
    open_days = day.max() - day[last]
    # One row per day at risk would be long for long gaps: shares need sums by person only.
    whose = np.r_[users[1:][again], users[last]]
    people = np.unique(whose, return_inverse=True)[1].astype(np.int64)
    at_risk = np.bincount(people, np.r_[gaps, open_days])
    returns = np.bincount(people, np.r_[np.ones(len(gaps)), np.zeros(len(open_days))])
    some = at_risk > 0
    daily = _daily(returns[some], at_risk[some])
    assert daily.low is not None
    assert daily.high is not None
    mean = _fitted(1 / daily.value, 1 / daily.high, 1 / max(daily.low, 1e-9), "1 / daily")
    return Returns(
        daily=daily,
        mean_gap_days=mean,
        people=int(some.sum()),
        gaps=len(gaps),
        censored=int((open_days > 0).sum()),
    )


_HOW = "Wilson, with rows of one person taken together"


def _chance(odds: float) -> float:
    return float(expit(odds))


def _fitted(value: float, low: float, high: float, source: str) -> Parameter:
    return Parameter(value=value, low=low, high=high, origin="fitted", source=source)


def _sessions_of(exposures: Exposures) -> tuple[IntArray, IntArray, BoolArray]:
    """User, last page, and whether the end was not by choice, of every session, each shape (n_sessions,)."""
    known = (exposures.sessions != UNKNOWN) & (exposures.pages != UNKNOWN)
    order = np.lexsort((exposures.pages[known], exposures.sessions[known]))
    sessions = exposures.sessions[known][order]
    ends = np.flatnonzero(np.r_[sessions[1:] != sessions[:-1], True])
    starts = np.r_[0, ends[:-1] + 1]
    cut = np.logical_or.reduceat(exposures.censored[known][order], starts) if len(starts) else np.zeros(0, np.bool_)
    return exposures.users[known][order][ends], exposures.pages[known][order][ends], cut


def _at_risk(users: IntArray, last: IntArray, censored: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """A row per session and page at which it could end by choice: user, page, whether it ended."""
    pages = last - censored
    whose = np.repeat(users, pages)
    page = np.arange(len(whose)) - np.repeat(np.cumsum(pages) - pages, pages) + 1
    ends = np.zeros(len(whose))
    ends[np.cumsum(pages)[~censored] - 1] = 1.0
    return whose, page.astype(np.int64), ends


def _by_page(page: IntArray, leaves: FloatArray, people: IntArray) -> list[PageHazard]:
    told = []
    for number in range(1, min(int(page.max()), _MOST_PAGES) + 1):
        here = page == number
        whose = np.unique(people[here], return_inverse=True)[1].astype(np.int64)
        hazard = _fitted(*share_interval(leaves[here], whose), _HOW)
        told.append(PageHazard(page=number, at_risk=int(here.sum()), left=int(leaves[here].sum()), hazard=hazard))
    return told


def _daily(returns: FloatArray, at_risk: FloatArray) -> Parameter:
    """Returns per day at risk, people being the sampling units, each shape (n_people,)."""
    people = np.arange(len(at_risk))
    days = np.repeat(people, at_risk.astype(np.int64))
    place = np.arange(len(days)) - np.repeat(np.cumsum(at_risk) - at_risk, at_risk.astype(np.int64))
    came = (place < np.repeat(returns, at_risk.astype(np.int64))).astype(np.float64)
    return _fitted(*share_interval(came, days), f"{int(returns.sum()):,} returns on {len(days):,} days; {_HOW}")
