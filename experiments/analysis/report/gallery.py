"""A few people chosen by rule, and what they did with the pages of every arm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from groundlings.environments.earlier_names import EarlierAttribute
from groundlings.personas.minds.language.lines import opinion_words
from groundlings.simulator.log.reader import LogReader, Rows

CANDIDATES = 1000
"""People the rule looks at, the first of the log: a gallery need not read a million histories."""
DOZEN = 12
"""People in the gallery."""
_RANKS = (5, 15, 35, 65, 75, 95)


@dataclass(frozen=True, slots=True)
class Slot:
    """An item on a page and what came of it; `clicked` is None where the page is lost, `said` where no opinion is."""

    title: str
    year: int | None
    genres: str
    clicked: bool | None
    said: str | None


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page of a session.

    Attributes:
        number: 1 is the first.
        slots: Top to bottom.
        satisfaction: With this page, None = not asked.
        feeling: In the agent's words, None = not asked.
        refused: What the agent tried and the site did not offer.
        unreadable: Whether the page is lost, because no reply came that could be read.
        refusal: What the model's server said where it refuses to answer for good, None where it does not.
    """

    number: int
    slots: tuple[Slot, ...]
    satisfaction: float | None
    feeling: str | None
    refused: tuple[str, ...]
    unreadable: bool
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One session in one arm."""

    arm: str
    day: int
    ended_by: str
    satisfaction: float | None
    pages: tuple[ShownPage, ...]

    def opened(self, after: int = 0) -> int:
        """Items opened, on the pages after the first few."""
        return sum(slot.clicked is True for page in self.pages[after:] for slot in page.slots)

    def opened_in_words(self, after: int = 0) -> str:
        """As `opened`, in words; what was opened on a lost page is not known."""
        pages = self.pages[after:]
        if pages and all(page.unreadable for page in pages):
            return "not known what was opened"
        return f"{self.opened(after)} opened{', one page not known' if any(page.unreadable for page in pages) else ''}"


@dataclass(frozen=True, slots=True)
class Guest:
    """One person of the gallery.

    Attributes:
        why: By which rule they were chosen.
        user_id: The data set's own id of the person behind the persona.
        description: The persona in plain words.
        sessions: Their first session in each arm, arms in YAML order.
    """

    why: str
    user_id: str
    description: str
    sessions: tuple[Session, ...]
    visits = EarlierAttribute[tuple[Session, ...]]("sessions")


def choose_guests(log: LogReader, like_from: float, n_arms: int) -> tuple[Guest, ...]:
    """Up to a dozen people: from seldom to often pleased, and most divided between arms where they visited several.

    Pleased is who gave many likes (then many clicks) on the first session in each arm, all arms together; the
    choice depends on the log alone, so nobody picked these.

    Args:
        log: The run's.
        like_from: From this many stars on, a rating is a like.
        n_arms: How many arms each of them must have visited.
    """
    likes = log.first_sessions(CANDIDATES, like_from)
    by_agent = likes.groupby("agent_id")
    met_all = by_agent.agent_id.transform("size") == n_arms
    likes = likes[met_all]
    if likes.empty:
        return ()
    by_agent = likes.groupby("agent_id")
    totals = by_agent[["likes", "clicks"]].sum().reset_index().sort_values(["likes", "clicks", "agent_id"])
    order = [int(agent) for agent in totals.agent_id]
    spread = by_agent.likes.max() - by_agent.likes.min()
    # The first few stand for all: a reader who stops early has met every kind.
    wanted = [
        ("Seldom pleased", order[len(order) // 4]),
        ("In the middle", order[len(order) // 2]),
        ("Often pleased", order[-1 - len(order) // 10]),
    ]
    divided = [int(agent) for agent in spread.sort_values(ascending=False, kind="stable").index] if n_arms > 1 else []
    wanted += [("Most divided between arms", agent) for agent in divided[:1]]
    wanted += [(f"More pleased than {share} in 100", order[len(order) * share // 100]) for share in _RANKS]
    wanted += [("Divided between arms", agent) for agent in divided[1:]]
    chosen: dict[int, str] = {}
    for why, agent in wanted:
        if len(chosen) < DOZEN:
            chosen.setdefault(agent, why)
    session_ids = likes.session_id[likes.agent_id.isin(list(chosen))].tolist()
    return _guests(log, chosen, session_ids)


def _guests(log: LogReader, chosen: Mapping[int, str], session_ids: Sequence[int]) -> tuple[Guest, ...]:
    people = {int(row["agent_id"]): row for row in log.agents_of(list(chosen))}
    actions = log.logged_actions()
    opinion = "rate" if actions is None else actions.opinion
    slots, events = _grouped(log.slots_of(session_ids)), _grouped(log.page_events_of(session_ids))
    sessions: dict[int, list[Session]] = {agent: [] for agent in chosen}
    for row in log.sessions_of(session_ids):
        session = int(row["session_id"])
        pages = tuple(
            _page(number, slots[session, number], events.get((session, number), []), opinion)
            for number in range(1, int(row["pages"]) + 1)
        )
        sessions[int(row["agent_id"])].append(
            Session(row["arm"], int(row["day"]), row["ended_by"], _number(row["satisfaction"]), pages)
        )
    return tuple(
        Guest(why, people[agent]["source_user_id"], _description(people[agent]["persona"]), tuple(sessions[agent]))
        for agent, why in chosen.items()
    )


def _page(number: int, slots: Rows, events: Rows, opinion: str | None) -> ShownPage:
    closing = next((event for event in events if event["kind"] != "illegal"), None)
    said = None if closing is None else _text(closing["detail"])
    refused = closing is not None and closing["kind"] == "unanswerable"
    return ShownPage(
        number=number,
        slots=tuple(_slot(row, opinion) for row in slots),
        satisfaction=None if closing is None else _number(closing["value"]),
        feeling=None if refused else said,
        refused=tuple(str(event["detail"]) for event in events if event["kind"] == "illegal"),
        unreadable=closing is not None and closing["kind"] in ("unreadable", "unanswerable"),
        refusal=(said or "no reason given") if refused else None,
    )


def _slot(row: Mapping[str, Any], opinion: str | None) -> Slot:
    year, clicked, value = _number(row["year"]), _number(row["clicked"]), _number(row["rating"])
    return Slot(
        title=row["title"],
        year=None if year is None else int(year),
        genres=", ".join(filter(None, row["genres"].split("|"))),
        clicked=None if clicked is None else bool(clicked),
        said=None if value is None else opinion_words(value, opinion),
    )


def _grouped(rows: Rows) -> dict[tuple[int, int], list[Mapping[str, Any]]]:
    groups: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((int(row["session_id"]), int(row["page"])), []).append(row)
    return groups


def _description(persona: str) -> str:
    return str(json.loads(persona).get("description", ""))


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) or not str(value).strip() else str(value)
