"""When people leave, and when they come back.

Leaving is a discrete hazard: of the sessions that reach page k, the share that ends there by choice (Singer and Willett
1993, "It's about time", Journal of Educational Statistics). A session that had no further page, or that the log's end
cut off, is censored: it counts as at risk up to the page before its last. Coming back is the same per day: of the days
after a person's first one, the share on which they have a session; the days after their last one count too.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit, logit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.exposures import UNKNOWN, Exposures
from groundlings.personas.exposure.intervals import quantile_of, share_interval, share_of_totals
from groundlings.personas.exposure.opens import Rows, fit_opens
from groundlings.personas.exposure.parameter import Parameter, Part
from groundlings.personas.exposure.presets import EXIT, RETURN

FEWEST = 20
"""With fewer exits, or fewer returns, than this the preset stays."""

_MOST_PAGES = 20
_LEAST = 1e-9


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
    """Log-odds per further page, as fitted, whatever the kind, on the pages that 20 sessions or more reached: a single
    long session would otherwise bend the curve of all."""
    by_page: tuple[PageHazard, ...] = ()
    """Free of any shape, the first 20 pages."""
    sessions: int
    """Fitted on; 0 for a preset."""
    censored: int
    """How many of them did not end by choice."""

    def leaving(self, pages: IntArray) -> FloatArray:
        """P(leave after each page), pages counted from 1."""
        slope = 0.0 if self.kind == "flat" else self.slope.value
        return expit(logit(self.hazard.value) + slope * (pages - 1))


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
    source = f"of {len(leaves):,} pages, {int(leaves.sum()):,} ended a session; {_HOW}"
    hazard = _fitted(*share_interval(leaves, people), source, EXIT["flat"].hazard.value)
    kind, first, slope = _sloped(page, leaves, people)
    return Exits(
        kind=kind,
        hazard=hazard if first is None else first,
        slope=slope,
        by_page=tuple(_by_page(page, leaves, people)),
        sessions=len(users),
        censored=int(censored.sum()),
    )


def _sloped(
    page: IntArray, leaves: FloatArray, people: IntArray
) -> tuple[Literal["flat", "rising", "falling"], Parameter | None, Parameter]:
    """The kind of the curve, the first page's hazard unless it is flat, and the slope."""
    flat = EXIT["flat"]
    reached = np.bincount(page)
    some = reached[page] >= FEWEST
    page, leaves = page[some], leaves[some]
    people = np.unique(people[some], return_inverse=True)[1].astype(np.int64)
    if not len(page) or page.max() < 2 or people.max() < 1 or leaves.min() == 1:
        return "flat", None, Parameter.from_preset(flat.slope, f"fewer than {FEWEST} sessions reached a second page")
    if _parted(page, leaves):
        why = "the pages after which people left and those after which they stayed do not overlap: no finite slope fits"
        return "flat", None, Parameter.from_preset(flat.slope, why)
    fit = fit_opens(Rows.of(leaves, people, np.column_stack([np.ones(len(page)), page - 1.0])))
    weights, errors, reach = fit.weights.tolist(), fit.errors.tolist(), quantile_of(int(people.max()) + 1)
    source = f"logistic in the page, pages 1 to {page.max()}; clustered by person"
    first = Parameter.from_fit(weights[0], errors[0], reach, source, preset=flat.hazard.value, scale=_chance)
    slope = Parameter.from_fit(weights[1], errors[1], reach, source, preset=flat.slope.value)
    assert slope.low is not None
    assert slope.high is not None
    if slope.low <= 0 <= slope.high:
        return "flat", None, slope
    return "rising" if slope.low > 0 else "falling", first, slope


def _parted(page: IntArray, leaves: FloatArray) -> bool:
    """Whether one page parts those left from those stayed after, so that the likelihood grows with the slope for ever.

    Albert and Anderson 1984, "On the existence of maximum likelihood estimates in logistic regression models".
    """
    left, stayed = page[leaves == 1], page[leaves == 0]
    return bool(stayed.max() <= left.min() or left.max() <= stayed.min())


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
    whose = np.r_[users[1:][again], users[last]]
    people = np.unique(whose, return_inverse=True)[1].astype(np.int64)
    at_risk = np.bincount(people, np.r_[gaps, open_days]).astype(np.float64)
    returns = np.bincount(people, np.r_[np.ones(len(gaps)), np.zeros(len(open_days))]).astype(np.float64)
    some = at_risk > 0
    share, low, high = share_of_totals(returns[some], at_risk[some])
    source = f"{len(gaps):,} returns on {int(at_risk.sum()):,} days; {_HOW}"
    return Returns(
        daily=_fitted(share, low, high, source, RETURN.value),
        mean_gap_days=_fitted(1 / share, 1 / high, 1 / max(low, _LEAST), "1 / daily", 1 / RETURN.value),
        people=int(some.sum()),
        gaps=len(gaps),
        censored=int((open_days > 0).sum()),
    )


_HOW = "Wilson, with rows of one person taken together"


def _chance(odds: float) -> float:
    return float(expit(odds))


def _fitted(value: float, low: float, high: float, source: str, preset: float | None = None) -> Parameter:
    return Parameter(value=value, low=low, high=high, origin="fitted", source=source, preset=preset)


def _sessions_of(exposures: Exposures) -> tuple[IntArray, IntArray, BoolArray]:
    """User, last page, and whether the end was not by choice, of every session, each shape (n_sessions,).

    A session with rows of an unknown page may have gone on after the last known one: its end is no choice there.
    """
    known = (exposures.sessions != UNKNOWN) & (exposures.pages != UNKNOWN)
    order = np.lexsort((exposures.pages[known], exposures.sessions[known]))
    sessions = exposures.sessions[known][order]
    ends = np.flatnonzero(np.r_[sessions[1:] != sessions[:-1], True])
    starts = np.r_[0, ends[:-1] + 1]
    cut = np.logical_or.reduceat(exposures.censored[known][order], starts) if len(starts) else np.zeros(0, np.bool_)
    unsure = np.unique(exposures.sessions[exposures.pages == UNKNOWN])
    cut = cut | np.isin(sessions[ends], unsure)
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
