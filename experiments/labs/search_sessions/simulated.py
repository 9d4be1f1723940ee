"""Whole sessions drawn from what was fitted on other people, held against the sessions of those who were left out.

Nothing of the people's own sessions is given: a session begins with a page, its clicks are drawn, then whether it
stops, and so on. What stands on a page is not simulated: its results are as attractive as those of a random page of the
fitting people that came as late in a session. Where a log has no page without a click, such pages are left out of the
simulated sessions, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.random_streams import Draws
from groundlings.experiments.labs.fidelity.people import HALVES, floor
from groundlings.experiments.labs.search_sessions.figures import Folds
from groundlings.experiments.labs.search_sessions.fitting import Fit, Fitting
from groundlings.experiments.labs.search_sessions.halves import Counted, between, known
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.personas.exposure.presets import EXIT, POSITION
from groundlings.personas.search.options import REFORMULATION_RATE
from groundlings.personas.search.rules import STOP_FEATURES, SearchRules

MOST_PAGES = 20
"""Pages after which a simulated session is cut."""

MOST_COUNTED = 6
"""Sessions of so many queries or more are one class."""

FITTED, STATED = "fitted", "stated"
"""By what sessions are drawn: what was fitted on other people, or the presets of a mind without such a file."""

FIGURES: Mapping[str, bool] = {
    "click rate by rank": False,
    "lowest click by rank": True,
    "clicks per session": False,
    "queries per session": False,
    "sessions by queries": True,
}
"""Figures of sessions, and whether they are shares of one whole."""


@dataclass(frozen=True, slots=True)
class SessionPages:
    """Pages of sessions, one row each: `people` and `sessions` of shape (n,), `clicks` and `shown` (n, depth)."""

    people: IntArray
    sessions: IntArray
    clicks: BoolArray
    shown: BoolArray

    def take(self, rows: IntArray | BoolArray) -> SessionPages:
        """Some of the pages."""
        return SessionPages(self.people[rows], self.sessions[rows], self.clicks[rows], self.shown[rows])


@dataclass(frozen=True, slots=True)
class HeldFigure:
    """A figure of simulated sessions beside real ones.

    Attributes:
        name: One of `FIGURES`.
        by: `fitted` or `stated`.
        simulated, real: Its values; None where nothing is counted.
        distance: Between all simulated and all real sessions.
        halves: Between simulated sessions of one half of the people and real ones of the other, mean over halves.
        floor, floor_95: The same between real people and other real people, mean and 95 % quantile.
        within: Whether `halves` is at most `floor_95`.
    """

    name: str
    by: str
    simulated: tuple[float | None, ...]
    real: tuple[float | None, ...]
    distance: float
    halves: float
    floor: float
    floor_95: float
    within: bool


@dataclass(frozen=True, slots=True)
class SimulatedSessions:
    """What was found.

    Attributes:
        figures: Each of `FIGURES` by each of the two.
        without_click: Share of simulated pages without a click, by each; left out where the log has none.
        cut: Sessions that were cut after `MOST_PAGES`, by each.
    """

    figures: tuple[HeldFigure, ...]
    without_click: Mapping[str, float]
    cut: Mapping[str, int]


def stated_rules(depth: int) -> SearchRules:
    """The presets of a mind that reads no fitted file, where a page satisfies middlingly."""
    looks = np.asarray(np.arange(1, depth + 1)[:, None] ** -POSITION["list"].exponent.value, dtype=np.float64)
    stop = np.concatenate([[float(logit(EXIT["flat"].hazard.value))], np.zeros(len(STOP_FEATURES))])
    return SearchRules(looks, stop, 0.5, REFORMULATION_RATE)


def held_against(log: SearchLog, fitting: Fitting, folds: Folds, seed: int) -> SimulatedSessions:
    """Sessions of everybody, drawn by rules that were fitted on other people, beside the real ones."""
    parts: dict[str, list[SessionPages]] = {FITTED: [], STATED: []}
    cut = dict.fromkeys(parts, 0)
    stated = stated_rules(log.clicks.shape[1])
    for number in range(int(folds.part.max()) + 1):
        tested = folds.part[log.people] == number
        fit = fitting.of(~tested)
        for by, rules in ((FITTED, fit.rules), (STATED, stated)):
            pages, lost = _draw(log, fit, rules, tested, seed)
            parts[by].append(pages)
            cut[by] += lost
    real = SessionPages(log.people, log.sessions, log.clicks, log.shown)
    figures: list[HeldFigure] = []
    without = {}
    for by, each in parts.items():
        drawn = SessionPages(*(np.concatenate([getattr(part, name) for part in each]) for name in _COLUMNS))
        clicked = np.asarray(drawn.clicks.any(axis=1))
        without[by] = float(1 - clicked.mean())
        figures += held_figures(by, drawn.take(clicked) if log.clicked_only else drawn, real, seed)
    return SimulatedSessions(tuple(figures), without, cut)


_COLUMNS = ("people", "sessions", "clicks", "shown")


def _draw(log: SearchLog, fit: Fit, rules: SearchRules, tested: BoolArray, seed: int) -> tuple[SessionPages, int]:
    """Sessions of the tested people, as many as they had, and how many were cut."""
    sessions, first = np.unique(log.sessions[tested], return_index=True)
    people, draws = log.people[tested][first], Draws.for_sessions(seed, sessions, 0)
    depth, before = log.clicks.shape[1], np.zeros(len(sessions), dtype=np.int64)
    here, found = np.arange(len(sessions)), []
    for number in range(MOST_PAGES):
        mine = draws.take(here)
        like = _pages_like(log, ~tested, number)
        luck = mine.uniform("page", np.full(len(here), number))
        chosen = like[(luck * len(like)).astype(np.int64)]
        opens, shown = fit.attractive[chosen], log.shown[chosen]
        draw = mine.uniform("click", np.broadcast_to(np.arange(depth) + number * depth, shown.shape))
        clicks = shown & (draw < rules.looks(opens, draw, shown) * opens)
        found.append(SessionPages(people[here], sessions[here], clicks, shown))
        numbers = np.full(len(here), number)
        stops = mine.uniform("stop", numbers) < rules.stops(numbers, clicks, before[here])
        before[here] += clicks.sum(axis=1)
        here = here[~stops]
        if not len(here):
            break
    return SessionPages(*(np.concatenate([getattr(part, name) for part in found]) for name in _COLUMNS)), len(here)


def _pages_like(log: SearchLog, training: BoolArray, number: int) -> IntArray:
    """Pages of the training part that came as late in a session, or as late as any did."""
    latest = int(log.number[training].max())
    return np.flatnonzero(training & (log.number == min(number, latest)))


def held_figures(by: str, drawn: SessionPages, real: SessionPages, seed: int) -> list[HeldFigure]:
    """Each of `FIGURES` of simulated sessions beside the real ones.

    Args:
        by: By what they are simulated.
        drawn: Their pages; where they are of the people of `real`, a half of these is held against the other.
        real: Real ones.
        seed: Of the halves.
    """
    n = int(real.people.max()) + 1
    there = np.unique(drawn.people)
    simulated, really = _counted(drawn, int(there.max(initial=-1)) + 1), _counted(real, n)
    found = []
    for name, shares in FIGURES.items():
        ours, theirs = _as_wide(simulated[name], really[name])
        away = between(ours, theirs, shares=shares)
        mean, high, size = floor(between(theirs, theirs, shares=shares), n, n // 2, np.random.default_rng(seed))
        halves = _halves(away, there, n, size, seed)
        whole = away(there, np.arange(n))
        values, real_values = known(ours.values()), known(theirs.values())
        found.append(HeldFigure(name, by, values, real_values, whole, halves, mean, high, halves <= high))
    return found


def _halves(away: Callable[[IntArray, IntArray], float], drawn: IntArray, n_people: int, size: int, seed: int) -> float:
    """Mean distance of some simulated people from other real ones, as many of both, over random samples.

    Args:
        away: The distance.
        drawn: Simulated people who have a page.
        n_people: Real ones.
        size: Of a half of them.
        seed: Of the samples.
    """
    chance = np.random.default_rng(seed)
    if len(drawn) == n_people:
        return floor(away, n_people, size, chance)[0]
    size = min(size, len(drawn))
    samples = (
        away(chance.choice(drawn, size, replace=False), chance.choice(n_people, size, replace=False))
        for _ in range(HALVES)
    )
    return float(np.mean([*samples]))


def _as_wide(first: Counted, second: Counted) -> tuple[Counted, Counted]:
    """Both with as many columns: nothing is counted at ranks that one of them never shows."""
    width = max(first.above.shape[1], second.above.shape[1])

    def wide(each: Counted) -> Counted:
        more = ((0, 0), (0, width - each.above.shape[1]))
        return Counted(np.pad(each.above, more), np.pad(each.below, more))

    return wide(first), wide(second)


def _counted(pages: SessionPages, n_people: int) -> dict[str, Counted]:
    """Each of `FIGURES`, person by person."""
    depth, clicked = pages.clicks.shape[1], np.asarray(pages.clicks.any(axis=1))
    lowest = depth - 1 - np.argmax(pages.clicks[:, ::-1], axis=1)[clicked]
    kept, rows = np.unique(pages.sessions, return_inverse=True)
    people = np.zeros(len(kept), dtype=np.int64)
    people[rows] = pages.people
    queries, clicks = np.bincount(rows), np.bincount(rows, pages.clicks.sum(axis=1))
    length = np.minimum(queries, MOST_COUNTED) - 1

    def per_session(values: FloatArray) -> Counted:
        return Counted.of(people, values, np.ones(values.shape), n_people)

    return {
        "click rate by rank": Counted.of(pages.people, pages.clicks, pages.shown, n_people),
        "lowest click by rank": Counted.of(
            pages.people[clicked], np.eye(depth)[lowest], np.ones((len(lowest), depth)), n_people
        ),
        "clicks per session": per_session(clicks[:, None].astype(np.float64)),
        "queries per session": per_session(queries[:, None].astype(np.float64)),
        "sessions by queries": per_session(np.eye(MOST_COUNTED)[length]),
    }
