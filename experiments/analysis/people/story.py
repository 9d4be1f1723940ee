"""One agent's day in every arm, as values: what the report shows of a few people and the web app of anybody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from groundlings.environments.conversation.talk_actions import ACCEPT
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.people.persona_card import PersonaCard, items_of, persona_card
from groundlings.experiments.analysis.why.steps import stands_for, words_of
from groundlings.experiments.archive.agent_history import StorySession, StorySlot, session_story
from groundlings.experiments.config.designs import ParallelDesign, design_of
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Tally:
    """What was opened, beside what was to be expected.

    Attributes:
        shown: Slots.
        known: Of these, the slots whose outcome is known; lost pages are left out of all that follows.
        opened: Clicks.
        expected: Sum of the mind's P(click) over those slots; None where it states none for one of them.
        lost_pages: Pages of which nothing is known.
        accepted: Items accepted in a conversation; None where none was named in one.
    """

    shown: int
    known: int
    opened: int
    expected: float | None
    lost_pages: int
    accepted: int | None = None


@dataclass(frozen=True, slots=True)
class ArmDay:
    """One day of an agent in one arm.

    Attributes:
        arm: Its name.
        place: Among the arms that people have sessions in, 0 is the baseline.
        bound: Whether it ranks by hidden preference, so that it is no competitor.
        sessions: In order; more than one where agents return on the same day.
        tally: Of all of them.
    """

    arm: str
    place: int
    bound: bool
    sessions: tuple[StorySession, ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class DayStory:
    """One day of one agent.

    Attributes:
        person: Who.
        day: 0 is the first.
        days: All days on which the agent has a session in any arm.
        arms: Those in which the agent has a session on this day, in the order of the YAML.
        copies: (arm, arm that it repeats): the same recommender that showed the same lists; they are not in `arms`.
        shared: Whether the same agents live in every arm, so that what arms show can be held against each other.
        showed: The log's number of an item -> names of the arms in `arms` that showed it on this day.
        stands_for: What a click means in these data where it is more than a look at the item, in the past tense, as
            "bought"; "" where it means no more.
    """

    person: PersonaCard
    day: int
    days: tuple[int, ...]
    arms: tuple[ArmDay, ...]
    copies: tuple[tuple[str, str], ...]
    shared: bool
    showed: Mapping[int, tuple[str, ...]]
    stands_for: str

    def beside(self, arm: ArmDay, slot: StorySlot) -> tuple[str, ...] | None:
        """The other arms that showed the item of a slot on this day; None where there is no other arm to compare."""
        if not self.shared or len(self.arms) < 2:
            return None
        return tuple(name for name in self.showed[slot.item] if name != arm.arm)


def story(log: LogReader, agent_id: int, day: int | None = None) -> DayStory:
    """One day of one agent.

    Args:
        log: The run's.
        agent_id: The log's number of the agent.
        day: 0 is the first; the agent's first day with a session if absent.

    Raises:
        ConfigError: There is no such agent, or the agent has no session on that day.
    """
    return stories(log, [(agent_id, day)])[0]


def stories(log: LogReader, wanted: Sequence[tuple[int, int | None]]) -> tuple[DayStory, ...]:
    """As `story`, of several agents and days; the log is searched once for all of them."""
    ids = list(dict.fromkeys(agent_id for agent_id, _ in wanted))
    people = {int(row["agent_id"]): row for row in log.agents_of(ids)} if ids else {}
    for agent_id in ids:
        if agent_id not in people:
            raise ConfigError(f"agent {agent_id}: this run has no agent of that number; {_known_agents(log)}")
    teller = _Teller(log, people)
    rows: dict[int, list[Mapping[str, Any]]] = {}
    for row in log.sessions_of_agents(ids):
        rows.setdefault(int(row["agent_id"]), []).append(row)
    return tuple(teller.tell(agent_id, day, rows.get(agent_id, [])) for agent_id, day in wanted)


class _Teller:
    """What the stories of one log have in common."""

    def __init__(self, log: LogReader, people: Mapping[int, Mapping[str, Any]]) -> None:
        run = log.run()
        self._log, self._people = log, people
        self._personas = {agent: json.loads(row["persona"]) for agent, row in people.items()}
        self._arms = {arm.name: (place, arm) for place, arm in enumerate(log.visited_arms())}
        actions = log.logged_actions()
        self._opinion = "rate" if actions is None else actions.opinion
        self._shared = isinstance(design_of(run["config"]), ParallelDesign)
        self._words = words_of(run["config"])
        self._stands_for = self._words.verbs["interaction"] if stands_for(self._words, actions) else ""
        histories = {each["name"]: each.get("history", "all") for each in run["config"].get("arms", ())}
        self._policies = {
            name: json.dumps([arm.recommender, dict(arm.options), histories.get(name, "all")], sort_keys=True)
            for name, (_, arm) in self._arms.items()
        }
        numbers = sorted({number for persona in self._personas.values() for number in items_of(persona)})
        self._titles = {int(row["number"]): _titled(row["title"], row["year"]) for row in log.named_items(numbers)}

    def tell(self, agent_id: int, day: int | None, rows: Sequence[Mapping[str, Any]]) -> DayStory:
        """One day.

        Args:
            agent_id: Whose.
            day: As in `story`.
            rows: All sessions of the agent.
        """
        days = tuple(sorted({int(row["day"]) for row in rows}))
        chosen = (days[0] if days else 0) if day is None else day
        if day is not None and day not in days:
            told = ", ".join(str(each + 1) for each in days[:12]) or "none"
            more = "" if len(days) <= 12 else f" and {len(days) - 12} more"
            raise ConfigError(f"agent {agent_id}: no session on day {day + 1}; days with a session: {told}{more}")
        of_arms = self._by_arm([row for row in rows if row["day"] == chosen])
        copies = self._copies(of_arms) if self._shared else {}
        arms = tuple(self._arm_day(name, sessions) for name, sessions in of_arms.items() if name not in copies)
        showed: dict[int, dict[str, None]] = {}
        for arm in arms:
            for slot in _slots(arm.sessions):
                showed.setdefault(slot.item, {})[arm.arm] = None
        persona = self._personas[agent_id]
        return DayStory(
            person=persona_card(
                agent_id,
                str(self._people[agent_id]["source_user_id"]),
                persona,
                self._titles,
                self._words,
                self._opinion,
            ),
            day=chosen,
            days=days,
            arms=arms,
            copies=tuple(copies.items()),
            shared=self._shared,
            showed={item: tuple(names) for item, names in showed.items()},
            stands_for=self._stands_for,
        )

    def _by_arm(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[StorySession, ...]]:
        told: dict[str, tuple[StorySession, ...]] = {}
        for row in rows:
            of = session_story(row, self._log.session(row["session_id"]), self._opinion)
            told[row["arm"]] = (*told.get(row["arm"], ()), of)
        return told

    def _copies(self, told: Mapping[str, tuple[StorySession, ...]]) -> dict[str, str]:
        """Arm -> an earlier arm of the same policy in which the day went exactly the same."""
        found: dict[str, str] = {}
        names = list(told)
        for place, name in enumerate(names):
            for earlier in names[:place]:
                same = self._policies[earlier] == self._policies[name] and _alike(told[earlier], told[name])
                if same and earlier not in found:
                    found[name] = earlier
                    break
        return found

    def _arm_day(self, name: str, sessions: tuple[StorySession, ...]) -> ArmDay:
        place, arm = self._arms[name]
        return ArmDay(name, place, arm.sees_hidden_preference, sessions, tally(sessions))


def tally(sessions: Sequence[StorySession]) -> Tally:
    """What was opened in some sessions, beside what was to be expected."""
    slots = list(_slots(sessions))
    known = [slot for slot in slots if slot.clicked is not None]
    chances = [slot.probability for slot in known]
    stated = [chance for chance in chances if chance is not None]
    return Tally(
        shown=len(slots),
        known=len(known),
        opened=sum(slot.clicked is True for slot in known),
        expected=sum(stated) if known and len(stated) == len(chances) else None,
        lost_pages=sum(page.outcome in ("unreadable", "unanswerable") for each in sessions for page in each.pages),
        accepted=sum(answers) if (answers := [slot.answer == ACCEPT for slot in slots if slot.answer]) else None,
    )


def _slots(sessions: Sequence[StorySession]) -> list[StorySlot]:
    return [slot for session in sessions for page in session.pages for slot in page.slots]


def _alike(first: Sequence[StorySession], second: Sequence[StorySession]) -> bool:
    """Whether sessions went the same; how a model was asked does not count."""

    def bare(session: StorySession) -> StorySession:
        pages = tuple(replace(page, calls=()) for page in session.pages)
        return replace(session, arm="", pages=pages, calls=())

    return [bare(session) for session in first] == [bare(session) for session in second]


def _titled(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def _known_agents(log: LogReader) -> str:
    ids = log.agent_ids()
    return f"expected {ids[0]} to {ids[-1]}" if ids else "it has none"
