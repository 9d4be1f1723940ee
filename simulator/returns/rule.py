"""Return times that depend on what happened: the hazard of coming back, of leaving for good, of a second session today.

    P(back on day g after the last session | not before) = 1 - exp(-hazard(g) * exp(effect))

with the hazard of `personas.returning.families` and an effect that the last session left behind: a coefficient for
every point of satisfaction, for every doubling of what was found, and for fatigue. As in the BG/NBD model of repeat
buying (Fader, Hardie and Lee 2005, "Counting your customers the easy way", Marketing Science), a person may leave for
good after any session.

Fatigue lies between 0 and 1. A session moves it towards 1 by a share that is larger the more alike its items were, and
it halves in a number of days: habituation and recovery (Rankin et al. 2009, "Habituation revisited", Neurobiology of
Learning and Memory). No draw depends on an arm: two arms in which the same happens have the same returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.random_streams import Draws
from groundlings.personas.returning.families import LARGEST_LOG, Family, hazard_of_day
from groundlings.simulator.returns.signals import Signals, Topics


@dataclass(frozen=True, slots=True)
class Effects:
    """What the last session adds to a log hazard.

    Attributes:
        satisfaction: Per point of 10.
        found: Per doubling of 1 + interactions.
        fatigue: At full fatigue.
    """

    satisfaction: float = 0.0
    found: float = 0.0
    fatigue: float = 0.0


@dataclass(frozen=True, slots=True)
class Typical:
    """The session after which hazards are what was stated or estimated.

    Attributes:
        satisfaction: 1 to 10.
        found: Interactions.
        fatigue: 0 to 1.
    """

    satisfaction: float = 5.5
    found: float = 1.0
    fatigue: float = 0.0


@dataclass(frozen=True, slots=True)
class Fatigue:
    """How fatigue comes and goes.

    Attributes:
        builds: The share of what is left up to 1 that a session of items of one kind adds.
        half_life_days: In how many days without a session it halves.
    """

    builds: float = 0.2
    half_life_days: float = 7.0


@dataclass(frozen=True)
class ReturnModel:
    """When people come, leave and come back; the same for all arms.

    Attributes:
        family, shape: Of the gaps between days with a session.
        log_medians: The logarithm of each agent's median gap in days, shape (n_agents,).
        effects: On the hazard of coming back.
        typical: Where effects are 0.
        fatigue: How it comes and goes.
        churn: P(never back after a typical session).
        churn_effects: On the hazard of never coming back.
        newcomers: The share of agents who come for the first time after the first day.
        newcomer_days: They come on one of so many days, all alike, from the second day on.
        sessions_per_day: The most that a person has on a day.
        again: P(another session on the same day after a typical session).
    """

    family: Family
    shape: float
    log_medians: FloatArray
    effects: Effects = Effects()
    typical: Typical = Typical()
    fatigue: Fatigue = Fatigue()
    churn: float = 0.0
    churn_effects: Effects = Effects()
    newcomers: float = 0.0
    newcomer_days: int = 1
    sessions_per_day: int = 1
    again: float = 0.0

    @property
    def reads_lists(self) -> bool:
        """Whether it matters how alike the items of a session were."""
        return bool(self.effects.fatigue or self.churn_effects.fatigue)

    def begun(self, users: IntArray, seed: int, catalog: Catalog) -> ReturnState:
        """The state of one arm before the first day.

        Args:
            users: The real user behind each agent, shape (n_agents,).
            seed: The run's.
            catalog: The items.
        """
        return ReturnState(self, users, seed, Topics(catalog) if self.reads_lists else None)


class ReturnState:
    """Who comes back when in one arm, as far as it was lived; follows `session_schedule.Returns`.

    It takes 21 bytes per agent where lists matter, and 9 where they do not. What it knows of the past is the last
    session of each agent, which `heard` tells; a run that is resumed tells it again from the log.

    Attributes:
        topics: The categories of items; None where lists do not matter.
    """

    def __init__(self, model: ReturnModel, users: IntArray, seed: int, topics: Topics | None) -> None:
        self.topics = topics
        self._model = model
        self._users = users
        self._seed = seed
        self._effect = np.zeros(len(users))
        self._gone = np.zeros(len(users), dtype=np.bool_)
        self._tired = np.zeros(len(users) if topics is not None else 0)
        self._tired_day = np.zeros(len(self._tired), dtype=np.int32)

    def next_sessions(self, rows: IntArray, after_day: int, days: int) -> IntArray:
        """See `Returns.next_sessions`: the first later day whose draw succeeds; `days` for those who left for good."""
        model = self._model
        found = np.full(len(rows), days, dtype=np.int64)
        waiting = np.flatnonzero(~self._gone[rows])
        if after_day < 0 and model.newcomers:
            first = self._first_days(rows)
            found = np.minimum(np.where(first >= 0, first, days), days)
            waiting = np.flatnonzero(first < 0)
        medians, raised = model.log_medians[rows], _raised(self._effect[rows])
        for day in range(after_day + 1, days):
            if not len(waiting):
                break
            hazard = hazard_of_day(model.family, day - after_day, medians[waiting], model.shape) * raised[waiting]
            draws = Draws.for_sessions(self._seed, self._users[rows[waiting]], day)
            comes = draws.uniform("come") < -np.expm1(-hazard)
            found[waiting[comes]] = day
            waiting = waiting[~comes]
        return found

    def heard(self, rows: IntArray, signals: Signals, day: int, occasion: int) -> None:
        """Take note of sessions that are over.

        Args:
            rows: Whose, row numbers in the population, each once, shape (n,).
            signals: What they left behind, in the same order.
            day: Of the sessions.
            occasion: 0 for the first session of a person's day.
        """
        model = self._model
        tired = self._tire(rows, signals.sameness, day)
        self._effect[rows] = _effect(model.effects, model.typical, signals, tired)
        if model.churn:
            raised = _raised(_effect(model.churn_effects, model.typical, signals, tired))
            draws = Draws.for_sessions(self._seed, self._users[rows], day, occasion)
            self._gone[rows] |= draws.uniform("leave for good") < _raised_chance(model.churn, raised)

    def again(self, rows: IntArray, day: int, occasion: int) -> IntArray:
        """Those who have another session on the same day, in the order given; `heard` has their last one.

        Args:
            rows: Who had a session, shape (n,).
            day: Which day.
            occasion: Which session of the day the next one is, from 1.
        """
        if occasion >= self._model.sessions_per_day:
            return rows[:0]
        rows = rows[~self._gone[rows]]
        draws = Draws.for_sessions(self._seed, self._users[rows], day, occasion)
        return rows[draws.uniform("come") < _raised_chance(self._model.again, _raised(self._effect[rows]))]

    def _first_days(self, rows: IntArray) -> IntArray:
        """The day on which newcomers come for the first time, -1 of all others, shape (n,)."""
        draws = Draws.for_sessions(self._seed, self._users[rows], 0)
        day = 1 + np.floor(draws.uniform("first day") * self._model.newcomer_days).astype(np.int64)
        new: BoolArray = draws.uniform("newcomer") < self._model.newcomers
        return np.where(new, day, -1)

    def _tire(self, rows: IntArray, sameness: FloatArray, day: int) -> FloatArray:
        """Fatigue after sessions, shape (n,); NaN where lists do not matter. Of unknown lists it only recovers."""
        if self.topics is None:
            return np.full(len(rows), np.nan)
        rested = self._tired[rows] * 0.5 ** ((day - self._tired_day[rows]) / self._model.fatigue.half_life_days)
        # The mean cosine of a pair is never below 0, but for the last digit.
        share = self._model.fatigue.builds * np.clip(np.nan_to_num(sameness, nan=0.0), 0.0, 1.0)
        tired: FloatArray = rested + (1 - rested) * share
        self._tired[rows], self._tired_day[rows] = tired, day
        return tired


def _effect(effects: Effects, typical: Typical, signals: Signals, tired: FloatArray) -> FloatArray:
    """What sessions add to a log hazard, shape (n,); what is not known of a session adds nothing."""
    parts = (
        effects.satisfaction * (signals.satisfaction - typical.satisfaction),
        effects.found * np.log2((1 + signals.found) / (1 + typical.found)),
        effects.fatigue * (tired - typical.fatigue),
    )
    total = np.zeros(len(tired))
    for part in parts:
        total += np.where(np.isnan(part), 0.0, part)
    return total


def _raised(effect: FloatArray) -> FloatArray:
    """What a hazard is multiplied by, shape of `effect`."""
    return np.asarray(np.exp(np.clip(effect, -LARGEST_LOG, LARGEST_LOG)))


def _raised_chance(chance: float, raised: FloatArray) -> FloatArray:
    """A chance whose hazard is multiplied, shape of `raised`."""
    return -np.expm1(np.log1p(-chance) * raised) if chance < 1 else np.ones(len(raised))
