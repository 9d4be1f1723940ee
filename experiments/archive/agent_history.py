"""One person's sessions as the log tells them: every page, what was felt and done, every word to and from a model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from groundlings.environments.catalog import BETWEEN_GENRES
from groundlings.environments.conversation.talk_actions import ACCEPT, REFUSE
from groundlings.environments.errors import ConfigError
from groundlings.environments.lookalikes import same_letters
from groundlings.environments.offers import PRICE, PROMOTED
from groundlings.environments.plugins import nearest
from groundlings.environments.shop_actions import ADD_TO_CART, PAID, PURCHASE, QUANTITY
from groundlings.environments.social_turns import SOCIAL_TURN
from groundlings.environments.ties import FRIENDS_LIKED
from groundlings.environments.trace import Mood
from groundlings.environments.words import plural
from groundlings.experiments.archive import page_words
from groundlings.simulator.log.reader import LogReader, SessionRows


@dataclass(frozen=True, slots=True)
class StorySlot:
    """An item as it was shown, and what came of it.

    Attributes:
        place: Where it stood before the agent's eyes, 1 is the top.
        title, year, genres: As in the catalog.
        examined: Whether it was looked at, None = not known.
        clicked: Whether it was opened, None = the page is lost.
        rating: Stars, or 1 for a like and 0 for a dislike; None = none.
        opinion: The action that said it, None where the environment takes neither.
        reason: In the agent's words, None = none given.
        probability: The mind's P(click), None = it states none.
        yes: What a language model gave for yes, of yes and no, where a calibrated mind asked it.
        grounded: Whether what the person really did later decided.
        price: That the slot showed, None where it showed none.
        promoted: Whether the slot was shown as promoted.
        friends: How many friends the slot said liked it; 0 where it said nothing.
        in_cart: Whether it was put into the cart.
        bought: Units that were bought, None for nothing.
        paid: For all units, None where nothing was bought or the price is unknown.
        item: The log's number of the item.
        row, row_name: Which row of the page it stood in, 0 is the first, and its name; None where the page is a list or
            rows have no names.
        place_in_row: In that row, 1 is the first.
        team: The arm that picked it, where arms draft a list together.
        note: What the page said of the item in the place of year and categories; None for the catalogue's own words.
        answer: `accept` or `refuse` where the item was named in a conversation; None elsewhere.
    """

    place: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    examined: bool | None
    clicked: bool | None
    rating: float | None
    opinion: str | None
    reason: str | None
    probability: float | None
    yes: float | None = None
    grounded: bool = False
    price: float | None = None
    promoted: bool = False
    friends: int = 0
    in_cart: bool = False
    bought: float | None = None
    paid: float | None = None
    item: int = 0
    row: int | None = None
    row_name: str | None = None
    place_in_row: int | None = None
    team: str | None = None
    note: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class StoryCall:
    """One question to a model.

    Attributes:
        template: The prompt's name and version.
        status: `ok`, `reasked`, `unreadable` or `unanswerable`.
        messages: (role, content) of all that it was shown.
        reply: All that it said.
        first_token: The likeliest first tokens and their log probabilities, NaN where one is not known; none where they
            were not asked for.
    """

    template: str
    status: str
    messages: tuple[tuple[str, str], ...]
    reply: str
    first_token: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class StoryPage:
    """One page.

    Attributes:
        number: 1 is the first.
        mood: The state in which the agent decided, None for minds without one.
        slots: As they were shown, top to bottom.
        refused: What the agent tried and the site did not offer.
        feeling, satisfaction: What it said of the page, None = not asked.
        outcome: `next_page`, `exit`, `unreadable` or `unanswerable`.
        refusal: What the model's server said where it refuses to answer for good, None where it does not.
        next_probability: P(next page), None = the mind states none.
        calls: What a model was asked about it.
        heading: What the page is, as far as it says so, such as "results for “war”".
        said: What the agent said on it, such as "asked for “war”".
        before_the_site: Whether it is a social turn, which shows nothing of the site.
    """

    number: int
    mood: Mood | None
    slots: tuple[StorySlot, ...]
    refused: tuple[str, ...]
    feeling: str | None
    satisfaction: float | None
    outcome: str
    refusal: str | None
    next_probability: float | None
    calls: tuple[StoryCall, ...]
    heading: str = ""
    said: tuple[str, ...] = ()
    before_the_site: bool = False


@dataclass(frozen=True, slots=True)
class StorySession:
    """One session.

    Attributes:
        arm, day: Where and when, 0 is the first day.
        ended_by: As in `sessions.ended_by`.
        pages: In order.
        memories: (kind, text) of what the agent kept, but for its own words before the site, which its page tells.
        answers: (question, answer) of the interview; None for an answer that could not be read.
        calls: What a model was asked when the session was over.
        heard: What ties had told the agent since its session before, in words.
    """

    arm: str
    day: int
    ended_by: str
    pages: tuple[StoryPage, ...]
    memories: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str | None], ...]
    calls: tuple[StoryCall, ...]
    heard: tuple[str, ...] = ()

    @property
    def stayed_away(self) -> bool:
        """Whether the agent said what it does, and did not enter the site."""
        return self.ended_by == "exit" and all(page.before_the_site for page in self.pages)

    @property
    def accepted(self) -> bool:
        """Whether an accepted item ended it, as it ends a conversation."""
        return any(slot.answer == ACCEPT for page in self.pages[-1:] for slot in page.slots)


@dataclass(frozen=True, slots=True)
class Story:
    """One person.

    Attributes:
        user_id: The data set's own id of the person behind the persona.
        description: The persona in plain words; None where the log keeps what was measured and no words.
        sessions: By arm in the order of the YAML, then by day.
    """

    user_id: str
    description: str | None
    sessions: tuple[StorySession, ...]


def read_story(run: Path, user: str, arm: str | None = None, day: int | None = None) -> Story:
    """What a person of a run lived through.

    Args:
        run: The run directory, or its log.
        user: The data set's own id.
        arm: One arm only.
        day: One day only, 0 is the first.

    Raises:
        RunDirectoryError: There is no readable log.
        ConfigError: Nobody of that id took part, or there is no such arm.
    """
    with LogReader(run) as log:
        agent = _agent(log, user)
        _check_arm(log, arm)
        actions = log.logged_actions()
        opinion = "rate" if actions is None else actions.opinion
        told = tuple(
            session_story(row, log.session(row["session_id"]), opinion)
            for row in log.sessions_of_agent(agent["agent_id"], arm, day)
        )
    description = json.loads(agent["persona"]).get("description")
    return Story(agent["source_user_id"], None if description is None else str(description), told)


_LOST = ("unreadable", "unanswerable")


def _agent(log: LogReader, user: str) -> Mapping[str, Any]:
    found = log.agent_of(user)
    if found is not None:
        return found
    known = log.user_ids()
    near = get_close_matches(user, known, n=3) or known[:3]
    raise ConfigError(
        f"--user: nobody of the id {user!r} is among the {plural(len(known), 'agent')} of this run; "
        f"{same_letters(user, known) or f'try {_or(near)}'}"
    )


def _check_arm(log: LogReader, arm: str | None) -> None:
    known = [each.name for each in log.logged_arms()]
    if arm is not None and arm not in known:
        raise ConfigError(f"--arm: found {arm!r}, this run has {_or(known)}{nearest(arm, known)}")


def session_story(session: Mapping[str, Any], of: SessionRows, opinion: str | None) -> StorySession:
    """One session in words and figures.

    Args:
        session: Its row, as `LogReader.sessions_of_agent` gives it.
        of: What the log holds of it.
        opinion: The action by which agents say what they think of an item, None where they say nothing.
    """
    calls = [(call["page"], _call(call)) for call in of.calls]
    after = {call for _, call in calls if call.template.startswith(("reflection", "interview"))}
    pages = tuple(
        _page(number, of, tuple(call for page, call in calls if page == number and call not in after), opinion)
        for number in range(1, session["pages"] + 1)
    )
    return StorySession(
        arm=session["arm"],
        day=session["day"],
        ended_by=session["ended_by"],
        pages=pages,
        memories=tuple((row["kind"], row["text"]) for row in of.memories if row["kind"] != "said"),
        answers=tuple((row["question"], row["answer"]) for row in of.answers),
        calls=tuple(call for _, call in calls if call in after),
        heard=tuple(page_words.heard_words(row) for row in of.heard),
    )


def _page(number: int, of: SessionRows, calls: tuple[StoryCall, ...], opinion: str | None) -> StoryPage:
    events = [event for event in of.events if event["page"] == number]
    end = next((event for event in events if event["kind"] in ("next_page", "exit", *_LOST)), {})
    refused = end.get("kind") == "unanswerable"
    marks = {(event["impression_id"], event["kind"]): event["detail"] for event in events}
    numbers = {(event["impression_id"], event["kind"]): event["value"] for event in events}
    notes = {row["rank"]: row["shown"] for row in of.presentations}
    mood = next((row for row in of.moods if row["page"] == number), None)
    return StoryPage(
        number=number,
        mood=Mood(mood["satisfaction"], mood["tiredness"], json.loads(mood["boredom"])) if mood else None,
        slots=tuple(
            _slot(row, marks, numbers, opinion, notes.get(row["rank"])) for row in of.slots if row["page"] == number
        ),
        refused=tuple(str(event["detail"]) for event in events if event["kind"] == "illegal"),
        feeling=None if refused else end.get("detail"),
        satisfaction=end.get("value"),
        outcome=end.get("kind", "unreadable"),
        refusal=(end.get("detail") or "no reason given") if refused else None,
        next_probability=mood["p_next"] if mood else None,
        calls=calls,
        heading=page_words.heading(events, [event for event in of.events if event["page"] < number]),
        said=page_words.said(events, of.titles),
        before_the_site=any(event["kind"] == SOCIAL_TURN for event in events),
    )


def _slot(
    row: Mapping[str, Any],
    marks: Mapping[tuple[int, str], str],
    numbers: Mapping[tuple[int, str], float | None],
    opinion: str | None,
    note: str | None,
) -> StorySlot:
    shown = row["impression_id"]
    bought = numbers.get((shown, QUANTITY), 1.0) if (shown, PURCHASE) in marks else None
    score = marks.get((row["impression_id"], "language_score"))
    return StorySlot(
        place=row["display_position"] + 1,
        title=row["title"],
        year=row["year"],
        genres=tuple(filter(None, row["genres"].split(BETWEEN_GENRES))),
        examined=None if row["examined"] is None else bool(row["examined"]),
        clicked=None if row["clicked"] is None else bool(row["clicked"]),
        rating=row["rating"],
        opinion=opinion,
        reason=marks.get((row["impression_id"], "reason")),
        probability=row["p_click"],
        yes=None if score is None else 1 / (1 + math.exp(-float(score))),
        grounded=(shown, "grounded") in marks,
        price=numbers.get((shown, PRICE)),
        promoted=(shown, PROMOTED) in marks,
        friends=int(numbers.get((shown, FRIENDS_LIKED)) or 0),
        in_cart=(shown, ADD_TO_CART) in marks,
        bought=bought,
        paid=numbers.get((shown, PAID)),
        item=row["item_id"],
        row=row["place_row"],
        row_name=row["row_name"],
        place_in_row=None if row["place_slot"] is None else row["place_slot"] + 1,
        team=row["team"],
        note=note,
        answer=next((answer for answer in (ACCEPT, REFUSE) if (shown, answer) in marks), None),
    )


def _call(row: Mapping[str, Any]) -> StoryCall:
    messages = tuple((message["role"], message["content"]) for message in json.loads(row["messages"]))
    listed = json.loads(row["first_token"] or "[]")
    first_token = tuple((token, math.nan if odds is None else odds) for token, odds in listed)
    return StoryCall(row["template"], row["status"], messages, row["reply"], first_token)


def _or(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
